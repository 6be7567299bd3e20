"""What a frame is: its columns, and the statement whose rows it shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, LiteralString

__all__ = ("Filter", "Format", "Frame", "Kind")

type Kind = Literal["text", "integer", "number", "flag", "time", "json"]

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
    whole : str | None
        A statement that is faster for all rows of the subjects, and slower for the first of them.
    """

    name: str
    columns: Mapping[LiteralString, Kind]
    sql: LiteralString
    filters: tuple[Filter, ...] = ()
    lengths: Mapping[LiteralString, LiteralString] = field(
        default_factory=dict[LiteralString, LiteralString]
    )
    whole: LiteralString | None = None
