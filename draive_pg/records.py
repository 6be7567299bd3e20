"""What users get that draive has no type for: small frozen records, and sequences of them."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from reprlib import Repr
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ("Record", "Records")

FEW = 3  # records that a plain repr shows

REPR = Repr(maxstring=40, maxother=40, maxdict=3, maxlevel=2)


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """One row as an object: frozen, with a bounded repr, and a table in a notebook."""

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={_short(value)}" for name, value in self._members())
        return f"{type(self).__name__}({members})"

    def _repr_html_(self) -> str:
        from draive_pg.display import html

        return html.table(("", type(self).__name__), self._members())

    def _members(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in _names(type(self))]


class Records[R: Record](tuple[R, ...]):
    """Records of one kind in their order: a tuple, a table in a notebook, a DataFrame on request.

    Parameters
    ----------
    kind : type[Record]
        Their class, whose fields are the columns also where there are no records.
    records : iterable of Record
        The records.
    """

    kind: type[R]

    def __new__(cls, kind: type[R], records: Iterable[R] = ()) -> Self:
        made = super().__new__(cls, records)
        made.kind = kind
        return made

    def __getnewargs__(self) -> tuple[type[R], tuple[R, ...]]:
        return self.kind, tuple(self)

    def to_df(self) -> "DataFrame":
        """Return a DataFrame with a row a record, and the records' fields as columns."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=list(_names(self.kind)))

    def __repr__(self) -> str:
        few = ", ".join(map(repr, self[:FEW]))
        more = f", ... {len(self) - FEW} more" if len(self) > FEW else ""
        return f"Records[{few}{more}]"

    def _repr_html_(self) -> str:
        from draive_pg.display import html

        return html.table(_names(self.kind), self._rows(), caption=f"{len(self):,} in all")

    def _rows(self) -> list[list[object]]:
        names = _names(self.kind)
        return [[getattr(record, name) for name in names] for record in self]


def _names(kind: type[Record]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.repr)


def _short(value: object) -> str:
    return str(value) if isinstance(value, datetime) else REPR.repr(value)
