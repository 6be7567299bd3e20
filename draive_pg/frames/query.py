"""What is asked of a frame: which rows and columns, and the statement that selects them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString, TypedDict

from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_limit, check_texts, check_timestamp, shown
from draive_pg.frames.frame import KEYS, Frame, Kind
from draive_pg.operations.operation import Statement

if TYPE_CHECKING:
    from draive_pg.frames.decoding import Decoder

__all__ = ("Filters", "Query", "Several", "query")

type Several = str | Sequence[str] | None


class Filters(TypedDict, total=False):
    """Which rows and columns of a frame are wanted, as keyword arguments; see `Frames`."""

    identifier: Several
    since: Timestamp | None
    until: Timestamp | None
    limit: int | None
    role: str | None
    tool: Several
    columns: Sequence[str] | None


ROLES = {"input": "model_input", "output": "model_output"}

# How a column of each kind is selected: what can be missing and has a fixed width, by what stands
# for a missing value; the texts, which come last, may be NULL.
SELECTED: Mapping[Kind, tuple[LiteralString, LiteralString]] = {
    "integer": ("", "::INT8"),
    "flag": ("", "::BOOLEAN"),
    "number": ("coalesce(", "::FLOAT8, 'NaN')"),
    "time": ("coalesce(", ", '-infinity')"),
    "place": ("", ""),
    "text": ("", "::TEXT"),
    "json": ("", "::TEXT"),
}


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a frame.

    Attributes
    ----------
    columns : Mapping[str, Kind]
        What is wanted, in its order.
    selected : Mapping[str, Kind]
        What is selected for it.
    lengths : Mapping[str, str]
        What is counted of it.
    ordered : bool
        Whether the rows come in order.
    """

    name: str
    statement: Statement
    columns: Mapping[LiteralString, Kind]
    selected: Mapping[LiteralString, Kind]
    lengths: Mapping[LiteralString, LiteralString]
    ordered: bool

    def decoder(self) -> "Decoder":
        """Return what decodes the rows of one COPY."""
        from draive_pg.frames.decoding import Decoder

        return Decoder(self.selected, self.lengths)


def query(  # noqa: PLR0913 - each is an argument of the public methods
    frame: Frame,
    *,
    identifier: Several = None,
    since: Timestamp | None = None,
    until: Timestamp | None = None,
    limit: int | None = None,
    role: str | None = None,
    tool: Several = None,
    columns: Sequence[str] | None = None,
    more: Sequence[object] = (),
    ordered: bool = True,
) -> Query:
    """Build the query of the rows and columns that are wanted.

    Rows that need not come ordered may come faster.

    Raises
    ------
    TypeError, ValueError
        If a filter is wrong, or none of this frame's.
    """
    for name, value in (("role", role), ("tool", tool)):
        if value is not None and name not in frame.filters:
            raise ValueError(f"frame {frame.name} cannot be filtered by {name}")
    chosen = (
        check_timestamp(since, "since"),
        check_timestamp(until, "until"),
        check_limit(limit, "limit"),
        _role(role),
        check_texts(tool, "tool"),
    )
    wanted = _columns(frame, columns)
    lengths: dict[LiteralString, LiteralString] = {
        column: counted
        for column, counted in frame.lengths.items()
        if column in wanted and counted in wanted
    }
    sql = frame.sql
    needed: dict[LiteralString, Kind] = {
        column: kind for column, kind in wanted.items() if column not in lengths
    }
    subjects = check_texts(identifier, "identifier")
    one = subjects is not None and len(subjects) == 1  # whose rows an index has in order
    plain = chosen == (None,) * len(chosen)
    if frame.unordered is not None and plain and not (ordered or one):
        sql = frame.unordered
        needed.pop("position", None)
        needed.update(KEYS)
    else:
        ordered = True
    selected: dict[LiteralString, Kind] = {
        column: kind for kind in SELECTED for column, own in needed.items() if own == kind
    }
    return Query(
        name=f"read frame {frame.name}",
        statement=Statement(
            f"SELECT {_selection(selected)} FROM ({sql}) AS frame",
            (subjects, *chosen, *more),
        ),
        columns=wanted,
        selected=selected,
        lengths=lengths,
        ordered=ordered,
    )


def _columns(frame: Frame, wanted: Sequence[str] | None) -> dict[LiteralString, Kind]:
    if wanted is None:
        return dict(frame.columns)
    if isinstance(wanted, str) or not wanted:
        raise ValueError(f"columns must be a sequence of at least one name, not {wanted!r:.80}")
    if unknown := [column for column in wanted if column not in frame.columns]:
        raise ValueError(
            f"frame {frame.name} has no column {unknown[0]!r:.80}, only {', '.join(frame.columns)}"
        )
    # The frame's own literals, not the caller's texts, become SQL.
    literals: dict[str, tuple[LiteralString, Kind]] = {
        column: (column, kind) for column, kind in frame.columns.items()
    }
    return dict(literals[column] for column in wanted)


def _selection(columns: Mapping[LiteralString, Kind]) -> LiteralString:
    selected: list[LiteralString] = []
    for column, kind in columns.items():
        before, after = SELECTED[kind]
        selected.append(f'{before}frame."{column}"{after} AS "{column}"')
    return ", ".join(selected)


def _role(role: str | None) -> str | None:
    if role is None:
        return None
    if role not in ROLES:
        raise ValueError(f"role must be {' or '.join(map(repr, ROLES))}, not {shown(role)}")
    return ROLES[role]
