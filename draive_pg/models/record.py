"""Base of the public records: frozen dataclasses with bounded reprs, and a sequence of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from reprlib import Repr
from typing import TYPE_CHECKING, Any, ClassVar, Self, SupportsIndex, cast, overload

from draive_pg.display.notebook import ShownAsText

if TYPE_CHECKING:
    from pandas import DataFrame

MAX_SHOWN = 3  # records in a repr

REPR = Repr(maxstring=40, maxother=40, maxdict=3, maxlevel=2)


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """Base of all records: frozen, with a bounded repr, and an HTML table in a notebook."""

    _first: ClassVar[tuple[str, ...]] = ()  # fields that tables show first

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={_short(value)}" for name, value in self._members())
        return f"{type(self).__name__}({members})"

    def _repr_html_(self) -> str:
        from draive_pg.display import html
        from draive_pg.display.text import MAX_COMPLETE, is_missing

        names = _ordered(type(self))
        rows = [*zip(names, _displayed(self, names), strict=True)]
        empty = [name for name, value in rows if len(rows) > MAX_COMPLETE and is_missing(value)]
        return html.table(
            ("", type(self).__name__),
            [row for row in rows if row[0] not in empty],
            caption=f"no value in {', '.join(empty)}" if empty else "",
        )

    def _members(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in _names(type(self))]


class Records[R: Record](tuple[R, ...], ShownAsText):
    """An immutable sequence of records: a table in a terminal and a notebook.

    Its slices are `Records` as well.

    Parameters
    ----------
    kind : type[Record]
        Class of the records; its fields are the columns of the table, also when it is empty.
    records : iterable of Record
        The records.
    limit : int | None
        Keep at most this many, and set ``truncated`` if there are more.

    Attributes
    ----------
    truncated : bool
        True if a limit cut the listing, so that the database has more.

    Examples
    --------
    >>> prompts = db.instructions.history("greeting")
    >>> prompts[:5].to_df()
    >>> print(prompts)
    """

    kind: type[R]
    truncated: bool

    def __new__(cls, kind: type[R], records: Iterable[R] = (), *, limit: int | None = None) -> Self:
        found = tuple(records)
        made = super().__new__(cls, found[:limit])
        made.kind = kind
        made.truncated = len(made) < len(found)
        return made

    def __getnewargs__(self) -> tuple[type[R], tuple[R, ...]]:
        return self.kind, tuple(self)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> R: ...
    @overload
    def __getitem__(self, index: slice, /) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> "R | Self":
        if not isinstance(index, slice):
            return super().__getitem__(index)
        part = type(self)(self.kind, super().__getitem__(index))
        part.truncated = self.truncated
        return part

    def to_df(self) -> "DataFrame":
        """Return a pandas DataFrame with one row per record and one column per field."""
        from draive_pg.dataframes import pd
        from draive_pg.display.frame import with_display

        return with_display(pd.DataFrame(self._rows(), columns=list(_names(self.kind))))

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:MAX_SHOWN]))
        more = f", ... {len(self) - MAX_SHOWN} more" if len(self) > MAX_SHOWN else ""
        note = f"; {self._count()}" if self.truncated else ""
        return f"Records[{shown}{more}{note}]"

    def __str__(self) -> str:
        from draive_pg.display import text

        names, rows, caption = self._table()
        return text.table(names, rows, caption=caption)

    def _repr_html_(self) -> str:
        from draive_pg.display import html

        names, rows, caption = self._table()
        return html.table(names, rows, caption=caption)

    def _table(self) -> tuple[Sequence[str], list[list[object]], str]:
        """Return the columns to show, their values by row, and what is the same in all rows."""
        from draive_pg.display.text import shared_columns

        # Fields that are not in the repr are of some results only.
        some = [each.name for each in fields(self.kind) if not each.repr]
        names = [
            name
            for name in _ordered(self.kind)
            if name not in some or any(getattr(each, name) is not None for each in self)
        ]
        rows = [_displayed(record, names) for record in self]
        shared = shared_columns(names, rows)
        kept = [n for n, name in enumerate(names) if name not in shared]
        facts = [f"{name} {value}" for name, value in shared.items()]
        caption = [f"in all rows: {', '.join(facts)}"] if facts else []
        return (
            [names[n] for n in kept],
            [[row[n] for n in kept] for row in rows],
            " · ".join([self._count(), *caption]),
        )

    def _count(self) -> str:
        if self.truncated:
            return f"first {len(self):,}, there are more"
        return f"{len(self):,} in all"

    def _rows(self) -> list[list[object]]:
        names = _names(self.kind)
        return [[getattr(record, name) for name in names] for record in self]


def _names(kind: type[Record]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.repr)


def _ordered(kind: type[Record]) -> tuple[str, ...]:
    """Return the names of the fields in the order in which tables show them."""
    first = kind._first  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return (*first, *(name for name in _names(kind) if name not in first))


def _displayed(record: Record, names: Iterable[str]) -> list[object]:
    return [_display(name, getattr(record, name)) for name in names]


def _display(name: str, value: Any) -> object:
    """Return what a table shows of a field: sizes with units, arguments by name, no problems."""
    from draive_pg.display.text import Size

    match name:
        case "bytes" if value is not None:
            return Size(value)
        case "problems" if not value:
            return "none"
        case "arguments":
            declared = cast("Sequence[dict[str, Any]]", value)
            return [each.get("name") if isinstance(each, dict) else each for each in declared]
        case _:
            return value


def _short(value: object) -> str:
    return str(value) if isinstance(value, datetime) else REPR.repr(value)
