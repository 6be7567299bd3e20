"""A memory as people read it."""

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from html import escape
from typing import Any

from draive_pg.codec.transcript import Entry
from draive_pg.display.page import MOST_HTML, Page
from draive_pg.display.plain import lines
from draive_pg.display.wording import counted, duration

__all__ = ("Transcript",)


@dataclass(frozen=True, slots=True, repr=False)
class Transcript:
    """What a memory holds, to be looked at; its slices are transcripts too.

    In a notebook it shows itself, ``print`` writes it to a terminal, and `to_html` makes a page of
    it that leaves out nothing.

    Attributes
    ----------
    identifier : str
        Of the memory.
    exists : bool
        Whether there is such a memory at all.
    variables : object
        The newest snapshot of its variables; a dict, unless somebody stored something else.
    elements : int
        How many elements the memory has, of which the transcript may hold some.
    entries : tuple of Entry
        The elements, in order.
    """

    identifier: str
    exists: bool
    variables: Any
    elements: int
    entries: tuple[Entry, ...]

    @property
    def marks(self) -> tuple[tuple[int, str], ...]:
        """What is odd about the elements: the position of each, and what that is."""
        return tuple((entry.position, mark) for entry in self.entries for mark in entry.marks)

    @property
    def facts(self) -> tuple[str, ...]:
        """How much there is, since when, and over which time."""
        if not self.exists:
            return ("there is no such memory",)
        times = [entry.created for entry in self.entries if entry.created is not None]
        lasted = times[-1] - times[0] if times else timedelta()
        return (
            self._amount(),
            *(() if not times else (f"{times[0]:%Y-%m-%d %H:%M:%S} UTC",)),
            *(() if lasted < timedelta(seconds=1) else (duration(lasted),)),
        )

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, part: slice) -> "Transcript":
        if not isinstance(part, slice):
            raise TypeError(f"a transcript is cut by slices, not by {type(part).__name__}")
        return replace(self, entries=self.entries[part])

    def to_html(self) -> str:
        """Return a page with every element in full, such as to save or to send it."""
        title = escape(f"Memory {self.identifier}")
        look = "color-scheme:light dark;font-family:sans-serif;margin:2em"
        return (
            f'<!DOCTYPE html><html style="{look}"><head><meta charset="utf-8">'
            f"<title>{title}</title></head><body>{Page(math.inf).transcript(self)}</body></html>"
        )

    def __repr__(self) -> str:
        return f"Transcript({self.identifier!r:.80}, {self._amount()})"

    def __str__(self) -> str:
        return "\n".join(lines(self))

    def _repr_html_(self) -> str:
        return Page(MOST_HTML).transcript(self)

    def _amount(self) -> str:
        few = f"{len(self):,} of " if len(self) < self.elements else ""
        return few + counted(self.elements, "element")
