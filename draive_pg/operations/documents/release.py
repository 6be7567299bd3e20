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
    DocumentKind,
    DocumentRevision,
    lock_all,
)
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import RevisionRef
from draive_pg.operations.documents.write import define_configuration, define_instructions
from draive_pg.operations.operation import Request, Steps, transactional

if TYPE_CHECKING:
    from draive import Configuration

type LabelTargets[R] = Mapping[str, Iterable[str] | Mapping[str, RevisionRef[R]]]
"""Targets by label: names, for their newest revisions, or a mapping of names to revisions."""

NOTHING: Mapping[str, Any] = {}


@transactional
def release(
    *,
    prompts: Mapping[Any, str] = NOTHING,
    configurations: "Mapping[str, Configuration | Mapping[str, Any]]" = NOTHING,
    labels: LabelTargets[Revision] = NOTHING,
    configuration_labels: LabelTargets[Snapshot] = NOTHING,
    message: str | None = None,
    author: str | None = None,
    expected: Mapping[str, Expected[Revision]] = NOTHING,
    expected_configurations: Mapping[str, Expected[Snapshot]] = NOTHING,
) -> Steps[Release]:
    """Define documents and move labels in one transaction; check all arguments first."""
    for given, what in (
        (prompts, "prompts"),
        (configurations, "configurations"),
        (labels, "labels"),
        (configuration_labels, "configuration_labels"),
        (expected, "expected"),
        (expected_configurations, "expected_configurations"),
    ):
        check_mapping(given, what)
    named = {INSTRUCTIONS.name_of(prompt): prompt for prompt in prompts}
    if len(named) < len(prompts):
        raise ValueError("prompts contains two entries for one name")
    note = {"message": message, "author": author}

    def moves[R: DocumentRevision](
        kind: DocumentKind[Any, R],
        labels: LabelTargets[R],
        what: str,
        defined: Collection[str],
        expected: Mapping[str, Expected[R]],
        expecting: str,
    ) -> tuple[list[str], list[Request[LabelMove]]]:
        """Return the names in a release, and its label moves."""
        targets = _targets(labels, what)
        released = [*defined, *(name for _, name, _ in targets)]
        for name in expected:
            if name not in released:
                raise ValueError(
                    f"{expecting} names {name!r:.80}, which is not part of the release"
                )
        return released, [
            labelling.move(
                kind,
                name,
                label,
                revision,
                **note,
                expected=None if name in defined else expected.get(name),
            )
            for label, name, revision in targets
        ]

    released_prompts, prompt_moves = moves(
        INSTRUCTIONS, labels, "labels", named, expected, "expected"
    )
    released_configurations, configuration_moves = moves(
        CONFIGURATIONS,
        configuration_labels,
        "configuration_labels",
        configurations,
        expected_configurations,
        "expected_configurations",
    )
    writes: tuple[list[Request[Any]], ...] = (
        [
            define_instructions(
                prompt, content=prompts[prompt], **note, expected=expected.get(name)
            )
            for name, prompt in named.items()
        ],
        [
            define_configuration(
                identifier, value, **note, expected=expected_configurations.get(identifier)
            )
            for identifier, value in configurations.items()
        ],
        [*prompt_moves],
        [*configuration_moves],
    )
    yield lock_all({INSTRUCTIONS: released_prompts, CONFIGURATIONS: released_configurations})
    written: list[list[Any]] = []
    for requests in writes:
        written.append([])
        for request in requests:
            written[-1].append((yield request))
    return Release(
        prompts=Records(Revision, written[0]),
        configurations=Records(Snapshot, written[1]),
        labels=Records(LabelMove, written[2]),
        configuration_labels=Records(LabelMove, written[3]),
    )


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
