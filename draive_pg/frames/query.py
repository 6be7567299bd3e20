"""Queries of frames: validated filters, and the statement that selects rows and columns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, LiteralString, TypeAliasType, TypedDict, get_args

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_limit, check_optional, check_texts, shown
from draive_pg.frames.frame import (
    PART_PARAMETERS,
    SELECTED,
    SORT_COLUMNS,
    Columns,
    ColumnType,
    Frame,
)

if TYPE_CHECKING:
    from draive_pg.frames.arrow import Decoder

type OneOrMany = str | Sequence[str]

type Role = Literal["input", "output"]
"""Role of an element in draive."""

type Speaker = Literal["user", "assistant", "tool"]
"""Who speaks in an element: an input with tool responses is of a tool."""

type JsonColumns = Literal["objects", "text"]
"""JSON columns as Python values, or as text, which can be hashed and written to Parquet."""

type Backend = Literal["pandas", "arrow", "polars"]
"""Type of a frame: ``pandas.DataFrame``, ``pyarrow.Table`` or ``polars.DataFrame``."""


class Filters(TypedDict, total=False):
    """Keyword arguments that choose the rows and columns of a frame; see `Frames`."""

    identifier: OneOrMany | None
    prefix: str | None
    variables: Mapping[str, Any] | None
    since: Timestamp | None
    until: Timestamp | None
    limit: int | None
    role: Role | None
    speaker: Speaker | None
    tool: OneOrMany | None
    columns: Sequence[str] | None
    documents: JsonColumns


class FrameQuery:
    """A statement that selects rows and columns of a frame, and how to decode its rows.

    Parameters
    ----------
    frame : Frame
        The frame.
    filters : Filters
        Which rows and columns.
    parameters : Mapping[str, object]
        Further parameters of the statement, or others than those of the filters, already checked.
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
    frame : str
        Name of the frame.
    ordered : bool
        False if the client must sort the rows by `SORT_COLUMNS`.

    Raises
    ------
    TypeError, ValueError
        For a filter of a wrong name, type or value.
    """

    __slots__ = (
        "columns",
        "fallback",
        "frame",
        "lengths",
        "name",
        "ordered",
        "selected",
        "statement",
    )

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
        role = check_choice(Role, filters.get("role"), "role")
        others = {
            "prefix": check_optional(filters.get("prefix"), "prefix"),
            "variables": encode_mapping(filters.get("variables"), "variables"),
            "since": check_timestamp(filters.get("since"), "since"),
            "until": check_timestamp(filters.get("until"), "until"),
            "limit": check_limit(filters.get("limit"), "limit"),
            "role": None if role is None else f"model_{role}",
            "speaker": check_choice(Speaker, filters.get("speaker"), "speaker"),
            "tool": check_texts(filters.get("tool"), "tool"),
        }
        self.frame = frame.name
        self.name = f"read frame {frame.name}"
        self.fallback = frame.fallback
        as_text = check_choice(JsonColumns, filters.get("documents"), "documents") == "text"
        self.columns: Columns = {
            name: "text" if as_text and kind == "json" else kind
            for name, kind in _columns(frame, filters.get("columns")).items()
        }
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
            self.selected,
            {
                "identifier": identifiers,
                **others,
                **dict.fromkeys(PART_PARAMETERS),
                **(parameters or {}),
            },
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


def check_choice(choices: TypeAliasType, value: object, what: str) -> object:
    """Return a value of a type of literals or None, or raise ValueError."""
    names = get_args(choices.__value__)
    if value is not None and value not in names:
        raise ValueError(f"{what} must be {' or '.join(map(repr, names))}, not {shown(value)}")
    return value
