"""Releases: several prompts, configurations and labels that take effect together."""

from collections.abc import Collection, Iterable, Mapping
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
    prompts = check_mapping(prompts or {}, "prompts")
    templates = check_mapping(templates or {}, "templates")
    configurations = check_mapping(configurations or {}, "configurations")
    expected = check_mapping(expected or {}, "expected")
    expected_templates = check_mapping(expected_templates or {}, "expected_templates")
    expected_configurations = check_mapping(
        expected_configurations or {}, "expected_configurations"
    )
    targets = _targets(labels, "labels")
    template_targets = _targets(template_labels, "template_labels")
    configuration_targets = _targets(configuration_labels, "configuration_labels")
    named = _named(INSTRUCTIONS, prompts, "prompts")
    named_templates = _named(TEMPLATES, templates, "templates")
    locked = {
        INSTRUCTIONS: _names(named, targets, expected, "expected"),
        TEMPLATES: _names(
            named_templates, template_targets, expected_templates, "expected_templates"
        ),
        CONFIGURATIONS: _names(
            configurations,
            configuration_targets,
            expected_configurations,
            "expected_configurations",
        ),
    }
    note: dict[str, Any] = {"message": message, "author": author}
    defined = [
        define_instructions(prompt, content=prompts[prompt], expected=expected.get(name), **note)
        for name, prompt in named.items()
    ]
    defined_templates = [
        define_template(
            template,
            content=templates[template],
            expected=expected_templates.get(name),
            message=message,
            author=author,
        )
        for name, template in named_templates.items()
    ]
    defined_configurations = [
        define_configuration(name, value, expected=expected_configurations.get(name), **note)
        for name, value in configurations.items()
    ]
    moves = _moves(INSTRUCTIONS, targets, expected, named, note)
    template_moves = _moves(TEMPLATES, template_targets, expected_templates, named_templates, note)
    configuration_moves = _moves(
        CONFIGURATIONS, configuration_targets, expected_configurations, configurations, note
    )
    yield lock_all(locked)
    return Release(
        prompts=Records(Revision, (yield from _results(defined))),
        configurations=Records(Snapshot, (yield from _results(defined_configurations))),
        labels=Records(LabelMove, (yield from _results(moves))),
        configuration_labels=Records(LabelMove, (yield from _results(configuration_moves))),
        templates=Records(TemplateRevision, (yield from _results(defined_templates))),
        template_labels=Records(LabelMove, (yield from _results(template_moves))),
    )


def _named(kind: DocumentKind[Any, Any], documents: Mapping[Any, str], what: str) -> dict[str, Any]:
    """Return the given references by name; raise if two are of one name."""
    named = {kind.name_of(reference): reference for reference in documents}
    if len(named) < len(documents):
        raise ValueError(f"{what} contains two entries for one name")
    return named


def _results[T](requests: Iterable[Request[T]]) -> Steps[list[T]]:
    """Run requests in order."""
    results: list[T] = []
    for request in requests:
        results += [(yield request)]
    return results


def _names(
    defined: Iterable[str],
    targets: Iterable[tuple[str, str, object]],
    expected: Iterable[str],
    what: str,
) -> list[str]:
    """Return the names in a release; raise if an expected revision is of another name."""
    names = [*defined, *(name for _, name, _ in targets)]
    for name in expected:
        if name not in names:
            raise ValueError(f"{what} names {name!r:.80}, which is not part of the release")
    return names


def _moves[R: DocumentRevision](
    kind: DocumentKind[Any, R],
    targets: Iterable[tuple[str, str, RevisionRef[R]]],
    expected: Mapping[str, Expected[R]],
    defined: Collection[str],
    note: Mapping[str, Any],
) -> list[Workflow[LabelMove]]:
    """Return the label moves; the definition of a document checks its expected revision instead."""
    return [
        labelling.move(
            kind,
            name,
            label,
            revision,
            expected=None if name in defined else expected.get(name),
            strict=None if name in defined and revision is None else False,  # reported already
            **note,
        )
        for label, name, revision in targets
    ]


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
