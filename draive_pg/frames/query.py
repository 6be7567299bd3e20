"""Queries of frames: validated filters, and the statement that selects rows and columns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, LiteralString, TypedDict

from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_limit, check_texts, shown
from draive_pg.frames.frame import SELECTED, SORT_COLUMNS, Columns, ColumnType, Frame

if TYPE_CHECKING:
    from draive_pg.frames.arrow import Decoder

type OneOrMany = str | Sequence[str]

ROLES = {"input": "model_input", "output": "model_output"}


class Filters(TypedDict, total=False):
    """Keyword arguments that choose the rows and columns of a frame; see `Frames`."""

    identifier: OneOrMany | None
    since: Timestamp | None
    until: Timestamp | None
    limit: int | None
    role: str | None
    tool: OneOrMany | None
    columns: Sequence[str] | None


class FrameQuery:
    """A statement that selects rows and columns of a frame, and how to decode its rows.

    Parameters
    ----------
    frame : Frame
        The frame.
    filters : Filters
        Which rows and columns.
    parameters : Mapping[str, object]
        Further parameters of the statement, already checked.
    any_order : bool
        Let the statement return rows in any order if that is faster; see `ordered`.

    Attributes
    ----------
    statement : Statement
        Selects ``selected`` by the filters.
    columns : Columns
        The columns of the result, in order.
    selected : Columns
        The columns of the statement, in order.
    lengths : Mapping[str, str]
        Columns that the client computes; see `Frame`.
    ordered : bool
        False if the client must sort the rows by `SORT_COLUMNS`.

    Raises
    ------
    TypeError, ValueError
        For a filter of a wrong name, type or value.
    """

    __slots__ = ("columns", "fallback", "lengths", "name", "ordered", "selected", "statement")

    def __init__(
        self,
        frame: Frame,
        filters: Filters,
        *,
        parameters: Mapping[str, object] | None = None,
        any_order: bool = False,
    ) -> None:
        _check_names(frame, filters)
        identifiers = check_texts(filters.get("identifier"), "identifier")
        others = {
            "since": check_timestamp(filters.get("since"), "since"),
            "until": check_timestamp(filters.get("until"), "until"),
            "limit": check_limit(filters.get("limit"), "limit"),
            "role": _role(filters.get("role")),
            "tool": check_texts(filters.get("tool"), "tool"),
        }
        self.name = f"read frame {frame.name}"
        self.fallback = frame.fallback
        self.columns = _columns(frame, filters.get("columns"))
        self.lengths: Mapping[LiteralString, LiteralString] = {
            column: counted
            for column, counted in frame.lengths.items()
            if column in self.columns and counted in self.columns
        }
        needed: dict[LiteralString, ColumnType] = {
            name: kind for name, kind in self.columns.items() if name not in self.lengths
        }
        source = frame.ordered
        # The index returns the rows of a single memory in order.
        single = identifiers is not None and len(identifiers) == 1
        filtered = any(value is not None for value in others.values())
        if any_order and frame.unordered is not None and not (single or filtered):
            source = frame.unordered
            needed.pop("position", None)
            needed.update(SORT_COLUMNS)
        self.ordered = source is frame.ordered
        self.selected: Columns = {
            name: kind for kind in SELECTED for name, own in needed.items() if own == kind
        }
        self.statement = source.statement(
            self.selected, {"identifier": identifiers, **others, **(parameters or {})}
        )

    def decoder(self) -> "Decoder":
        """Return a decoder of the rows."""
        from draive_pg.frames.arrow import Decoder

        return Decoder(self.selected, self.lengths)


def _check_names(frame: Frame, filters: Mapping[str, object]) -> None:
    taken = ", ".join(frame.filters)
    for name, value in filters.items():
        if name not in Filters.__annotations__:
            raise TypeError(f"frame {frame.name} takes no argument {name!r:.60}, only {taken}")
        if value is not None and name not in frame.filters:
            raise ValueError(f"frame {frame.name} cannot be filtered by {name}, only by {taken}")


def _columns(frame: Frame, wanted: Sequence[str] | None) -> Columns:
    if wanted is None:
        return frame.columns
    if isinstance(wanted, str) or not wanted:
        raise ValueError(f"columns must be a sequence of at least one name, not {wanted!r:.80}")
    if unknown := [column for column in wanted if column not in frame.columns]:
        raise ValueError(
            f"frame {frame.name} has no column {unknown[0]!r:.80}, only {', '.join(frame.columns)}"
        )
    # Only names from the frame definition, never the caller's strings, are put into SQL.
    literals: dict[str, tuple[LiteralString, ColumnType]] = {
        column: (column, kind) for column, kind in frame.columns.items()
    }
    return dict(literals[column] for column in wanted)


def _role(role: str | None) -> str | None:
    if role is None:
        return None
    if not isinstance(role, str) or role not in ROLES:
        raise ValueError(f"role must be {' or '.join(map(repr, ROLES))}, not {shown(role)}")
    return ROLES[role]
