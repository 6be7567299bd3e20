"""The lines of draive's releases, and which of them a database is of.

A line is a range of releases that read and write the same tables. It is named after its newest
release that was tested, and is a property of a database, not of the installed draive.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from draive_pg.errors import SchemaInvalid

type Store = Literal["memories", "uuid_memories", "conversation_memory", "agent_memory"]
"""Where conversations are stored; ``uuid_memories`` are the tables ``memories`` keyed by UUID."""

type Prompts = Literal["instructions", "templates"]
"""The table of prompts."""

# Where each store keeps conversations; the first table tells that the store exists.
TABLES: Mapping[Store, tuple[str, ...]] = {
    "memories": ("memories", "memories_elements", "memories_variables"),
    "uuid_memories": ("memories", "memories_elements", "memories_variables"),
    "conversation_memory": ("conversation_memory",),
    "agent_memory": ("agent_memory",),
}

MEMORIES: tuple[Store, ...] = ("memories", "uuid_memories")  # tables of one name: only one exists
TURNS: tuple[Store, ...] = ("conversation_memory", "agent_memory")

RELEASE = re.compile(r"0\.(\d+)(?:\.\d+)?(?:\.?(?:a|b|rc|dev|post)\d+)*")


@dataclass(frozen=True, slots=True)
class Line:
    """The releases of draive that use the same tables.

    Attributes
    ----------
    name : str
        ``0.89``: the newest release of the line that was tested.
    releases : str
        The releases of the line, for people: ``0.87 to 0.89``.
    oldest : int
        The second number of the first release.
    stores : tuple of Store
        Where conversations are stored. Only the first is written to.
    prompts : Prompts
        The table of prompts.
    named_configurations : bool
        Whether the table of configurations has the column ``name``.
    writable : bool
        Whether draive_pg writes conversations of the line.
    """

    name: str
    releases: str
    oldest: int
    stores: tuple[Store, ...]
    prompts: Prompts
    named_configurations: bool = False
    writable: bool = True

    def __str__(self) -> str:
        return f"draive {self.releases}"

    @property
    def has_turns(self) -> bool:
        """Whether conversations are remembered as turns, without variables, and not as elements."""
        return self.stores[0] in TURNS

    @property
    def refusal(self) -> str:
        """Why something that another line has is not written, and what can be done."""
        if not self.writable:
            return f"conversations of {self} are read-only: convert them to another line"
        kept, other = (
            ("turns", "elements or variables") if self.has_turns else ("elements", "turns")
        )
        return (
            f"the tables are of {self}, which remembers {kept}, not {other}: install that draive "
            "to remember; import_chat, import_memories, fork and all that reads need no draive"
        )


LINE_89 = Line("0.89", "0.87 to 0.89", 87, ("memories",), "instructions")
LINE_92 = Line("0.92", "0.90 to 0.92", 90, ("memories",), "templates")
LINE_99 = Line(
    "0.99",
    "0.93 to 0.99",
    93,
    ("uuid_memories",),
    "templates",
    named_configurations=True,
    writable=False,
)
LINE_103 = Line(
    "0.103",
    "0.100 to 0.112",
    100,
    ("conversation_memory",),
    "templates",
    named_configurations=True,
)
LINE_118 = Line(
    "0.118",
    "0.113 or newer",
    113,
    ("conversation_memory", "agent_memory"),
    "templates",
    named_configurations=True,
)

LINES = (LINE_89, LINE_92, LINE_99, LINE_103, LINE_118)


def line_of(release: str) -> Line:
    """Return the line of a release of draive: ``0.118`` or ``0.118.0``.

    Raises
    ------
    TypeError
        If the release is not a str.
    ValueError
        If it is not a release of draive from 0.87 on.
    """
    if not isinstance(release, str):
        raise TypeError(f"draive must be a release such as '0.118', not {release!r:.60}")
    match = RELEASE.fullmatch(release)
    found = [line for line in LINES if match and line.oldest <= int(match[1])]
    if not found:
        raise ValueError(
            f"draive must be a release from 0.87 on, such as '0.118', not {release!r:.60}"
        )
    return found[-1]


def chosen_line(release: str | None) -> Line | None:
    """Return the line of a release; None: that of ``$DRAIVE_PG_DRAIVE``, if it is set."""
    chosen = os.environ.get("DRAIVE_PG_DRAIVE") or None if release is None else release
    return None if chosen is None else line_of(chosen)


@cache
def installed_line() -> Line | None:
    """Return the line of the installed draive, which is not imported; None without one."""
    try:
        return line_of(version("draive"))
    except (PackageNotFoundError, ValueError):
        return None


def detect(tables: Mapping[str, str | None], chosen: Line | None = None) -> Line:
    """Return the line of the conversations in a database.

    Parameters
    ----------
    tables : Mapping[str, str | None]
        The names of draive's tables that exist, each with the type of its column ``identifier``.
    chosen : Line | None
        The line to use; None: that of the tables, or of the installed draive if there are none,
        or 0.89 without draive.

    Raises
    ------
    SchemaInvalid
        If there are tables of several lines and none is chosen, or the tables ``memories`` are not
        those of the chosen line.
    """
    memories, turns = _present(MEMORIES, tables), _present(TURNS, tables)
    if chosen is not None:
        if memories and chosen.stores[0] in MEMORIES and chosen.stores != memories:
            line = _detected(memories, tables)
            raise SchemaInvalid(
                f"the tables {', '.join(TABLES[memories[0]])} are of {line}, not of {chosen}: "
                f"use draive={line.name!r}, or another schema"
            )
        return chosen
    if memories and turns:
        first, second = _detected(memories, tables), _detected(turns, tables)
        raise SchemaInvalid(
            f"there are conversations of {first} ({', '.join(TABLES[memories[0]])}) and of "
            f"{second} ({', '.join(turns)}): choose with draive={first.name!r} or "
            f"draive={second.name!r}, --draive or $DRAIVE_PG_DRAIVE"
        )
    if memories or turns:
        return _detected(memories or turns, tables)
    return installed_line() or LINE_89


def present_stores(line: Line, tables: Mapping[str, str | None]) -> tuple[Store, ...]:
    """Return the stores of a line that exist; the first one if none does."""
    return _present(line.stores, tables) or line.stores[:1]


def _present(stores: Sequence[Store], tables: Mapping[str, str | None]) -> tuple[Store, ...]:
    missing: Store = "memories" if tables.get("memories") == "uuid" else "uuid_memories"
    return tuple(each for each in stores if TABLES[each][0] in tables and each != missing)


def _detected(stores: Sequence[Store], tables: Mapping[str, str | None]) -> Line:
    """Return the oldest line that has some stores and, of those, the existing table of prompts."""
    lines = [line for line in LINES if {*stores} <= {*line.stores}]
    return next((line for line in lines if line.prompts in tables), lines[0])
