"""Releases: several prompts, configurations and labels that take effect together."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from draive_pg.codec.validation import check_mapping
from draive_pg.models.documents import (
    DocumentRevision,
    LabelMove,
    Release,
    Revision,
    Snapshot,
    TemplateRevision,
)
from draive_pg.models.record import Records
from draive_pg.operations.documents import labels as labelling
from draive_pg.operations.documents.define import define_configuration, define_instructions
from draive_pg.operations.documents.kind import (
    CONFIGURATIONS,
    INSTRUCTIONS,
    TEMPLATES,
    DocumentKind,
    lock_all,
)
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import RevisionRef
from draive_pg.operations.documents.templates import define_template
from draive_pg.operations.operation import Request, Steps, Workflow, transactional

if TYPE_CHECKING:
    from draive import Configuration

type LabelTargets[R] = Mapping[str, Iterable[str] | Mapping[str, RevisionRef[R]]]
"""Targets by label: names, for their newest revisions, or a mapping of names to revisions."""


@transactional
def release(  # noqa: PLR0913 - each is an argument of the public method
    *,
    prompts: Mapping[Any, str] | None = None,
    templates: Mapping[Any, str] | None = None,
    configurations: "Mapping[str, Configuration | Mapping[str, Any]] | None" = None,
    labels: LabelTargets[Revision] | None = None,
    template_labels: LabelTargets[TemplateRevision] | None = None,
    configuration_labels: LabelTargets[Snapshot] | None = None,
    message: str | None = None,
    author: str | None = None,
    expected: Mapping[str, Expected[Revision]] | None = None,
    expected_templates: Mapping[str, Expected[TemplateRevision]] | None = None,
    expected_configurations: Mapping[str, Expected[Snapshot]] | None = None,
) -> Steps[Release]:
    """Define documents and move labels in one transaction; check all arguments first."""
    of_prompts = _Part(
        INSTRUCTIONS, prompts, labels, expected, arguments=("prompts", "labels", "expected")
    )
    of_templates = _Part(
        TEMPLATES,
        templates,
        template_labels,
        expected_templates,
        arguments=("templates", "template_labels", "expected_templates"),
    )
    of_configurations = _Part(
        CONFIGURATIONS,
        configurations,
        configuration_labels,
        expected_configurations,
        arguments=("configurations", "configuration_labels", "expected_configurations"),
    )
    parts = (of_prompts, of_templates, of_configurations)
    note: dict[str, Any] = {"message": message, "author": author}
    revisions = [
        define_instructions(prompt, content=content, expected=condition, **note)
        for prompt, content, condition in of_prompts.definitions()
    ]
    template_revisions = [
        define_template(template, content=content, expected=condition, **note)
        for template, content, condition in of_templates.definitions()
    ]
    snapshots = [
        define_configuration(name, value, expected=condition, **note)
        for name, value, condition in of_configurations.definitions()
    ]
    moves, template_moves, configuration_moves = (part.moves(note) for part in parts)
    yield lock_all({part.kind: part.names for part in parts})
    return Release(
        prompts=Records(Revision, (yield from _results(revisions))),
        configurations=Records(Snapshot, (yield from _results(snapshots))),
        labels=Records(LabelMove, (yield from _results(moves))),
        configuration_labels=Records(LabelMove, (yield from _results(configuration_moves))),
        templates=Records(TemplateRevision, (yield from _results(template_revisions))),
        template_labels=Records(LabelMove, (yield from _results(template_moves))),
    )


class _Part[R: DocumentRevision]:
    """The documents of one kind in a release.

    Parameters
    ----------
    kind : DocumentKind
        The kind.
    documents : Mapping | None
        Contents by reference.
    labels : Mapping | None
        Targets by label.
    expected : Mapping | None
        Expected revisions by name.
    arguments : tuple
        The names of the last three arguments, for messages.

    Attributes
    ----------
    names : Sequence[str]
        The names of all documents that are defined or labelled.
    """

    def __init__(
        self,
        kind: DocumentKind[Any, R],
        documents: Mapping[Any, Any] | None,
        labels: LabelTargets[R] | None,
        expected: Mapping[str, Expected[R]] | None,
        *,
        arguments: tuple[str, str, str],
    ) -> None:
        documents_name, labels_name, expected_name = arguments
        self.kind = kind
        self._contents = check_mapping(documents or {}, documents_name)
        self._expected = check_mapping(expected or {}, expected_name)
        self._targets = _targets(labels, labels_name)
        self._defined = {kind.name_of(reference): reference for reference in self._contents}
        if len(self._defined) < len(self._contents):
            raise ValueError(f"{documents_name} contains two entries for one name")
        self.names = [*self._defined, *(name for _, name, _ in self._targets)]
        for name in self._expected:
            if name not in self.names:
                raise ValueError(
                    f"{expected_name} names {name!r:.80}, which is not part of the release"
                )

    def definitions(self) -> Iterator[tuple[Any, Any, Expected[R]]]:
        """Return the reference, the content and the expected revision of each definition."""
        for name, reference in self._defined.items():
            yield reference, self._contents[reference], self._expected.get(name)

    def moves(self, note: Mapping[str, Any]) -> list[Workflow[LabelMove]]:
        """Return the label moves; a definition checks the expected revision of its document."""
        return [
            labelling.move(
                self.kind,
                name,
                label,
                revision,
                expected=None if name in self._defined else self._expected.get(name),
                # A definition reports a template that cannot be filled.
                strict=None if name in self._defined and revision is None else False,
                **note,
            )
            for label, name, revision in self._targets
        ]


def _results[T](requests: Iterable[Request[T]]) -> Steps[list[T]]:
    """Run requests in order."""
    results: list[T] = []
    for request in requests:
        results += [(yield request)]
    return results


def _targets[R](labels: LabelTargets[R] | None, what: str) -> list[tuple[str, str, RevisionRef[R]]]:
    """Return the label, name and revision of each move."""
    moves: list[tuple[str, str, RevisionRef[R]]] = []
    for label, given in check_mapping(labels or {}, what).items():
        match given:
            case Mapping():
                revisions = cast("Mapping[str, RevisionRef[R]]", given)
            case Iterable() if not isinstance(given, str | bytes):
                revisions = dict[str, RevisionRef[R]].fromkeys(cast("Iterable[str]", given))
            case _:
                raise TypeError(
                    f"{what}[{label!r:.80}] must be names, or revisions by name, "
                    f"not {type(given).__name__}"
                )
        moves += [(label, name, revision) for name, revision in revisions.items()]
    return moves
