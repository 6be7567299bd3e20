"""The kinds of files that a folder can hold, and the operations on their documents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

from draive_pg.models.documents import Release
from draive_pg.models.record import Records
from draive_pg.operations.documents.kind import CONFIGURATIONS as STORED_CONFIGURATIONS
from draive_pg.operations.documents.kind import INSTRUCTIONS as STORED_PROMPTS
from draive_pg.operations.documents.kind import TEMPLATES as STORED_TEMPLATES
from draive_pg.operations.documents.kind import DocumentKind
from draive_pg.operations.documents.release import release
from draive_pg.operations.operation import Workflow
from draive_pg.sync.formats import Configuration, FileContent, Prompt
from draive_pg.sync.template_file import Template


@dataclass(frozen=True)
class FileKind:
    """One kind of files.

    Attributes
    ----------
    name : str
        The kind in the state file and in messages.
    suffixes : tuple[str, ...]
        Suffixes of its files; new files get the first one.
    content : type[FileContent]
        The parser of its files.
    stored : DocumentKind
        The kind of its documents in the database.
    release : callable
        Defines documents by name, each only if the expected revision is current, and moves labels.
    released : callable
        Returns the revisions of such a release.
    """

    name: str
    suffixes: tuple[str, ...]
    content: type[FileContent]
    stored: DocumentKind[Any, Any]
    release: Callable[..., Workflow[Release]]
    released: Callable[[Release], Records[Any]]


def _release_prompts(
    files: Mapping[str, FileContent], *, labels: Any, expected: Any, **note: Any
) -> Workflow[Release]:
    prompts = cast("Mapping[str, Prompt]", files)
    declared = {each.declaration(name): each.content for name, each in prompts.items()}
    return release(prompts=declared, labels=labels, expected=expected, **note)


def _release_templates(
    files: Mapping[str, FileContent], *, labels: Any, expected: Any, **note: Any
) -> Workflow[Release]:
    templates = cast("Mapping[str, Template]", files)
    declared = {each.declaration(name): each.content for name, each in templates.items()}
    return release(templates=declared, template_labels=labels, expected_templates=expected, **note)


def _release_configurations(
    files: Mapping[str, FileContent], *, labels: Any, expected: Any, **note: Any
) -> Workflow[Release]:
    configurations = cast("Mapping[str, Configuration]", files)
    return release(
        configurations={name: each.value for name, each in configurations.items()},
        configuration_labels=labels,
        expected_configurations=expected,
        **note,
    )


PROMPTS = FileKind(
    name="prompts",
    suffixes=(".md",),
    content=Prompt,
    stored=STORED_PROMPTS,
    release=_release_prompts,
    released=attrgetter("prompts"),
)

TEMPLATES = FileKind(
    name="templates",
    suffixes=(".md",),
    content=Template,
    stored=STORED_TEMPLATES,
    release=_release_templates,
    released=attrgetter("templates"),
)

CONFIGURATIONS = FileKind(
    name="configurations",
    suffixes=(".json", ".toml"),
    content=Configuration,
    stored=STORED_CONFIGURATIONS,
    release=_release_configurations,
    released=attrgetter("configurations"),
)
