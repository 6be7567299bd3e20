"""Releases: several prompts, configurations and labels that take effect together."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from draive_pg.codec.validation import check_mapping
from draive_pg.models import Label, Records, Release, Revision, Snapshot
from draive_pg.operations.documents import define as defining
from draive_pg.operations.documents import instructions, snapshots
from draive_pg.operations.documents import labels as labelling
from draive_pg.operations.documents.define import Expected
from draive_pg.operations.documents.instructions import Reference, name_of
from draive_pg.operations.documents.selectors import Target
from draive_pg.operations.operation import Operation, Statement, Steps, Workflow, advisory_locks

if TYPE_CHECKING:
    from draive import Configuration

__all__ = ("Released", "release")


type Released = Mapping[str, Iterable[str] | Mapping[str, Target]]
"""By label: the names whose newest revisions it is to be on, or the revisions by name."""


def release(
    *,
    prompts: Mapping[Reference, str],
    configurations: "Mapping[str, Configuration | Mapping[str, Any]]",
    labels: Released,
    message: str | None,
    author: str | None,
    expected: Mapping[str, Expected],
    expected_configurations: Mapping[str, int | Snapshot | None],
) -> Workflow[Release]:
    """Define documents and move labels in one transaction; arguments are checked first."""
    note = {"message": message, "author": author}
    for given, what in (
        (prompts, "prompts"),
        (configurations, "configurations"),
        (labels, "labels"),
        (expected, "expected"),
        (expected_configurations, "expected_configurations"),
    ):
        check_mapping(given, what)
    named = [(name_of(prompt), prompt, content) for prompt, content in prompts.items()]
    moves = [(name, label, to) for label in labels for name, to in _targets(labels[label], label)]
    names = [name for name, _, _ in named]
    if len(names) > len(set(names)):
        raise ValueError("prompts has two contents of one name")
    _check_released(expected, names, "expected")
    _check_released(expected_configurations, configurations, "expected_configurations")
    steps = _steps(
        advisory_locks(
            [
                *map(instructions.subject_of, names),
                *(instructions.subject_of(name) for name, _, _ in moves),
                *(snapshots.subject_of(identifier) for identifier in configurations),
            ]
        ),
        [
            defining.define(prompt, content=content, expected=expected.get(name), **note)
            for name, prompt, content in named
        ],
        [
            snapshots.define(identifier, value, expected=expected_configurations.get(identifier))
            for identifier, value in configurations.items()
        ],
        [labelling.move(name, label, to, expected=None, **note) for name, label, to in moves],
    )
    return Workflow(steps, transaction=True)


def _steps(
    turns: Statement,
    prompts: Iterable[Operation[Revision]],
    configurations: Iterable[Operation[Snapshot]],
    labels: Iterable[Operation[Label]],
) -> Steps[Release]:
    yield Operation(name="wait for other releases", statements=(turns,))
    return Release(
        prompts=Records(Revision, (yield from _each(prompts))),
        configurations=Records(Snapshot, (yield from _each(configurations))),
        labels=Records(Label, (yield from _each(labels))),
    )


def _each[T](operations: Iterable[Operation[T]]) -> Steps[list[T]]:
    made: list[T] = []
    for operation in operations:
        made += [(yield operation)]
    return made


def _targets(given: object, label: str) -> list[tuple[str, Target]]:
    match given:
        case Mapping():
            return list(cast("Mapping[str, Target]", given).items())
        case str() | bytes():
            raise TypeError(f"labels[{label!r:.80}] must be names, or revisions by name, not a str")
        case Iterable():
            return [(name, None) for name in cast("Iterable[str]", given)]
        case _:
            raise TypeError(
                f"labels[{label!r:.80}] must be names, or revisions by name, "
                f"not {type(given).__name__}"
            )


def _check_released(expected: Iterable[str], released: Collection[str], what: str) -> None:
    for name in expected:
        if name not in released:
            raise ValueError(f"{what} names {name!r:.80}, which is not part of the release")
