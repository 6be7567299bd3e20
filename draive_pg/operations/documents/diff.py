"""What changed from one revision of instructions to another."""

from collections.abc import Sequence

from draive_pg.models import Diff
from draive_pg.operations.documents.instructions import Reference, name_of
from draive_pg.operations.documents.selectors import Known, Target, choose, required, target
from draive_pg.operations.operation import Operation, Row

__all__ = ("diff",)


def diff(instructions: Reference, a: Target, b: Target) -> Operation[Diff]:
    """What changed from one revision of a name to another."""
    name = name_of(instructions)
    asked = f"compare revisions of instructions {name!r:.80}"
    choices = (target(a, name), target(b, name))

    def made(known: Known, rows: Sequence[Row]) -> Diff:
        found = zip(rows, choices, strict=True)
        return Diff(*(required(row, asked, known, choice) for row, choice in found))

    return choose(asked, name, choices, made)
