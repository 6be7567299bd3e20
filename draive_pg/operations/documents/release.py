"""Releases: several prompts, configurations and labels that take effect together."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from draive_pg.codec.validation import check_mapping
from draive_pg.models.documents import LabelMove, Release, Revision, Snapshot
from draive_pg.models.record import Records
from draive_pg.operations.documents import labels as labelling
from draive_pg.operations.documents.kind import (
    CONFIGURATIONS,
    INSTRUCTIONS,
    Document,
    DocumentKind,
)
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import RevisionRef
from draive_pg.operations.documents.write import define_configuration, define_instructions
from draive_pg.operations.operation import (
    Operation,
    Request,
    Statement,
    Steps,
    Workflow,
    advisory_locks,
)

if TYPE_CHECKING:
    from draive import Configuration

type LabelTargets[R] = Mapping[str, Iterable[str] | Mapping[str, RevisionRef[R]]]
"""Targets by label: names, for their newest revisions, or a mapping of names to revisions."""


def release(
    *,
    prompts: Mapping[Any, str],
    configurations: "Mapping[str, Configuration | Mapping[str, Any]]",
    labels: LabelTargets[Revision],
    configuration_labels: LabelTargets[Snapshot],
    message: str | None,
    author: str | None,
    expected: Mapping[str, Expected[Revision]],
    expected_configurations: Mapping[str, Expected[Snapshot]],
) -> Workflow[Release]:
    """Define documents and move labels in one transaction; arguments are checked first."""
    for given, what in (
        (prompts, "prompts"),
        (configurations, "configurations"),
        (labels, "labels"),
        (configuration_labels, "configuration_labels"),
        (expected, "expected"),
        (expected_configurations, "expected_configurations"),
    ):
        check_mapping(given, what)
    named = [(INSTRUCTIONS.name_of(prompt), prompt) for prompt in prompts]
    names = [name for name, _ in named]
    if len(names) > len(set(names)):
        raise ValueError("prompts contains two entries for one name")
    prompt_moves = _targets(labels, "labels")
    configuration_moves = _targets(configuration_labels, "configuration_labels")
    _check_released(expected, [*names, *_names(prompt_moves)], "expected")
    _check_released(
        expected_configurations,
        [*configurations, *_names(configuration_moves)],
        "expected_configurations",
    )

    def moves[R: Document](
        kind: DocumentKind[Any, R],
        targets: Iterable[tuple[str, str, RevisionRef[R]]],
        expected: Mapping[str, Expected[R]],
        defined: Collection[str],
    ) -> list[Request[LabelMove]]:
        return [
            labelling.move(
                kind,
                name,
                label,
                revision,
                message=message,
                author=author,
                expected=None if name in defined else expected.get(name),
            )
            for label, name, revision in targets
        ]

    steps = _steps(
        advisory_locks(
            [
                *map(INSTRUCTIONS.subject, [*names, *_names(prompt_moves)]),
                *map(CONFIGURATIONS.subject, [*configurations, *_names(configuration_moves)]),
            ]
        ),
        [
            define_instructions(
                prompt,
                content=prompts[prompt],
                message=message,
                author=author,
                expected=expected.get(name),
            )
            for name, prompt in named
        ],
        [
            define_configuration(
                identifier,
                value,
                message=message,
                author=author,
                expected=expected_configurations.get(identifier),
            )
            for identifier, value in configurations.items()
        ],
        moves(INSTRUCTIONS, prompt_moves, expected, names),
        moves(CONFIGURATIONS, configuration_moves, expected_configurations, configurations),
    )
    return Workflow(steps, transaction=True)


def _steps(
    locks: Statement,
    prompts: Iterable[Request[Revision]],
    configurations: Iterable[Request[Snapshot]],
    labels: Iterable[Request[LabelMove]],
    configuration_labels: Iterable[Request[LabelMove]],
) -> Steps[Release]:
    yield Operation(name="wait for other releases", statements=(locks,))
    return Release(
        prompts=Records(Revision, (yield from _each(prompts))),
        configurations=Records(Snapshot, (yield from _each(configurations))),
        labels=Records(LabelMove, (yield from _each(labels))),
        configuration_labels=Records(LabelMove, (yield from _each(configuration_labels))),
    )


def _each[T](requests: Iterable[Request[T]]) -> Steps[list[T]]:
    results: list[T] = []
    for request in requests:
        results += [(yield request)]
    return results


def _targets[R](labels: LabelTargets[R], what: str) -> list[tuple[str, str, RevisionRef[R]]]:
    """Return the label, name and revision of each move."""
    moves: list[tuple[str, str, RevisionRef[R]]] = []
    for label, given in cast("Mapping[str, object]", labels).items():
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


def _names(moves: Iterable[tuple[str, str, object]]) -> list[str]:
    return [name for _, name, _ in moves]


def _check_released(expected: Iterable[str], released: Collection[str], what: str) -> None:
    for name in expected:
        if name not in released:
            raise ValueError(f"{what} names {name!r:.80}, which is not part of the release")
