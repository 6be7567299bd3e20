"""What changed from one revision of instructions to another."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from draive_pg.operations.choices import Known, Target, choose, required, target
from draive_pg.operations.instructions import Reference, name_of
from draive_pg.operations.operation import Operation, Row
from draive_pg.operations.revisions import Revision
from draive_pg.records import Record

__all__ = ("Diff", "diff")


@dataclass(frozen=True, slots=True, repr=False)
class Diff(Record):
    """What changed from one revision to another: a unified text, side by side in a notebook.

    It is true where they differ.
    """

    a: Revision
    b: Revision

    def __str__(self) -> str:
        from draive_pg.display import diff

        return diff.unified(self._titles(), self._parts())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from draive_pg.display import diff

        return diff.side_by_side(self._titles(), self._parts())

    def __bool__(self) -> bool:
        return any(before != after for _, before, after in self._parts())

    def _titles(self) -> tuple[str, str]:
        return (_titled(self.a), _titled(self.b))

    def _parts(self) -> list[tuple[str, str, str]]:
        ours, theirs = _parts_of(self.a), _parts_of(self.b)
        return [(part, ours[part], theirs[part]) for part in ours]


def diff(instructions: Reference, a: Target, b: Target) -> Operation[Diff]:
    """What changed from one revision of a name to another."""
    name = name_of(instructions)
    asked = f"compare revisions of instructions {name!r:.80}"
    choices = (target(a, name), target(b, name))

    def made(known: Known, rows: Sequence[Row]) -> Diff:
        found = zip(rows, choices, strict=True)
        return Diff(*(required(row, asked, known, choice) for row, choice in found))

    return choose(asked, name, choices, made)


def _titled(revision: Revision) -> str:
    return f"{revision.name} {revision.revision} ({revision.created:%Y-%m-%d %H:%M:%S})"


def _parts_of(revision: Revision) -> dict[str, str]:
    return {
        "content": revision.content,
        "description": revision.description or "",
        "arguments": json.dumps(revision.arguments, ensure_ascii=False, indent=2),
        "meta": json.dumps(revision.meta, ensure_ascii=False, indent=2, sort_keys=True),
    }
