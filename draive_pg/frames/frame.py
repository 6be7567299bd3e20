"""What a frame is: its columns, and the statement whose rows it shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, LiteralString

__all__ = ("KEYS", "Filter", "Format", "Frame", "Kind")

# A place is where a row is stored, which orders those of the same time.
type Kind = Literal["text", "integer", "number", "flag", "time", "json", "place"]

# What unordered rows are ordered by. A memory is its number in the order of identifiers; the upper
# half of it says to which of some bins of memories it belongs.
KEYS: Mapping[LiteralString, Kind] = {"memory": "integer", "created": "time", "place": "place"}

type Filter = Literal["role", "tool"]

# Of exported files.
type Format = Literal["parquet", "csv", "jsonl"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One DataFrame.

    Attributes
    ----------
    name : str
        As `Frames` has it.
    columns : Mapping[str, Kind]
        All columns, in their order.
    sql : str
        The statement of the rows, in their order. It takes the chosen subjects, since, until, the
        limit, the role and the tools.
    filters : tuple of Filter
        Which of the last two it heeds.
    lengths : Mapping[str, str]
        Columns that count the characters of others: counted here where the others come here too.
    unordered : str | None
        A statement of all rows of the subjects that is faster, and leaves it to the client to put
        them in order by `KEYS`, and to count the ``position`` of each in its memory.
    """

    name: str
    columns: Mapping[LiteralString, Kind]
    sql: LiteralString
    filters: tuple[Filter, ...] = ()
    lengths: Mapping[LiteralString, LiteralString] = field(
        default_factory=dict[LiteralString, LiteralString]
    )
    unordered: LiteralString | None = None
