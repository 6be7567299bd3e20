"""The kinds of documents that a folder can hold: their files and their operations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, cast

from draive_pg.models.documents import Release
from draive_pg.models.record import Records
from draive_pg.operations.documents import kind, labels, read, write
from draive_pg.operations.documents.release import release
from draive_pg.operations.operation import Operation, Request, Workflow
from draive_pg.sync.formats import Configuration, Document, Prompt


@dataclass(frozen=True)
class Kind:
    """One kind of documents.

    Attributes
    ----------
    name : str
        The kind in the state file and in messages.
    suffixes : tuple[str, ...]
        Suffixes of its files; new files get the first one.
    document : type[Document]
        The parser of its files.
    has_labels : bool
        Whether the files contain labels.
    current : callable
        Reads the current revision of every name.
    name_of : callable
        Returns the name of a revision.
    release : callable
        Defines documents by name, each only if the expected revision is current, and moves labels.
    released : callable
        Returns the revisions of such a release.
    remove : callable
        Removes all revisions of a name.
    unlabel : callable
        Removes a label of a name.
    """

    name: str
    suffixes: tuple[str, ...]
    document: type[Document]
    has_labels: bool
    current: Callable[[], Operation[Records[Any]]]
    name_of: Callable[[Any], str]
    release: Callable[..., Workflow[Release]]
    released: Callable[[Release], Records[Any]]
    remove: Callable[[str], Request[int]]
    unlabel: Callable[..., Operation[bool]]


def _release_prompts(
    documents: Mapping[str, Document],
    *,
    labels: Mapping[str, list[str]],
    expected: Mapping[str, Any],
    message: str | None,
    author: str | None,
) -> Workflow[Release]:
    prompts = cast("Mapping[str, Prompt]", documents)
    return release(
        prompts={each.declaration(name): each.content for name, each in prompts.items()},
        configurations={},
        labels=labels,
        configuration_labels={},
        message=message,
        author=author,
        expected=expected,
        expected_configurations={},
    )


def _release_configurations(
    documents: Mapping[str, Document],
    *,
    labels: Mapping[str, list[str]],
    expected: Mapping[str, Any],
    message: str | None,
    author: str | None,
) -> Workflow[Release]:
    values = cast("Mapping[str, Configuration]", documents)
    return release(
        prompts={},
        configurations={name: each.value for name, each in values.items()},
        labels={},
        configuration_labels=labels,
        message=message,
        author=author,
        expected={},
        expected_configurations=expected,
    )


PROMPTS = Kind(
    name="prompts",
    suffixes=(".md",),
    document=Prompt,
    has_labels=True,
    current=partial(read.list_, kind.INSTRUCTIONS),
    name_of=attrgetter("name"),
    release=_release_prompts,
    released=attrgetter("prompts"),
    remove=partial(write.remove, kind.INSTRUCTIONS),
    unlabel=partial(labels.remove, kind.INSTRUCTIONS),
)

CONFIGURATIONS = Kind(
    name="configurations",
    suffixes=(".json", ".toml"),
    document=Configuration,
    has_labels=False,
    current=partial(read.list_, kind.CONFIGURATIONS),
    name_of=attrgetter("identifier"),
    release=_release_configurations,
    released=attrgetter("configurations"),
    remove=partial(write.remove, kind.CONFIGURATIONS),
    unlabel=partial(labels.remove, kind.CONFIGURATIONS),
)
