"""The elements of a transcript and their pieces, with notes about what is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from draive_pg.display.text import duration, plural


@dataclass(frozen=True, slots=True)
class TranscriptImage:
    """Inline data with an image type.

    Attributes
    ----------
    mime_type : str
        For example ``image/png``.
    data : str
        Base64.
    """

    mime_type: str
    data: str


@dataclass(frozen=True, slots=True)
class TranscriptPiece:
    """A block of an element, or a part of a block.

    Attributes
    ----------
    kind : str
        ``text``, ``reasoning``, ``request``, ``response``, ``resource``, ``reference``,
        ``artifact`` or ``raw`` (not in draive's format).
    label : str
        Name of the tool, type or address.
    text : str
        Its text, or its JSON.
    inner : tuple of TranscriptPiece
        Parts of reasoning and of tool responses.
    image : TranscriptImage | None
        The image of a resource.
    call : str
        Id of a tool call.
    meta : Mapping[str, Any]
        Its metadata.
    notes : tuple of str
        What is wrong with it.
    request : tuple[int, int] | None
        Of a response, the request that it answers: position of the element, and index of the piece.
    failed : bool
        Of a response, whether the tool failed, by the rule of `Analysis.tools`.
    """

    kind: Literal[
        "text", "reasoning", "request", "response", "resource", "reference", "artifact", "raw"
    ]
    label: str = ""
    text: str = ""
    inner: tuple["TranscriptPiece", ...] = ()
    image: TranscriptImage | None = None
    call: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: tuple[str, ...] = ()
    request: tuple[int, int] | None = None
    failed: bool = False

    @property
    def marks(self) -> tuple[str, ...]:
        """The notes of the piece and of the pieces in it."""
        return self.notes + tuple(mark for piece in self.inner for mark in piece.marks)


@dataclass(frozen=True, slots=True)
class TranscriptEntry:
    """An element of a conversation.

    Attributes
    ----------
    position : int
        Index in the memory, from 0.
    created : datetime | None
        When it was written; None for a time that Python cannot represent, and for an imported
        message without any time.
    who : str
        ``user``, ``assistant``, ``tool`` or ``unknown``.
    pieces : tuple of TranscriptPiece
        Its blocks.
    meta : Mapping[str, Any]
        Its metadata.
    notes : tuple of str
        What is wrong with it.
    pause : timedelta | None
        Time since the element before, if it is at least an hour.
    """

    position: int
    created: datetime | None
    who: str
    pieces: tuple[TranscriptPiece, ...]
    meta: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    pause: timedelta | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        """The notes of the element and of its pieces."""
        return self.notes + tuple(mark for piece in self.pieces for mark in piece.marks)


@dataclass(frozen=True, slots=True, repr=False)
class TranscriptContent:
    """What a `Transcript` shows; its attributes are described there."""

    identifier: str
    exists: bool
    variables: Any
    elements: int
    entries: tuple[TranscriptEntry, ...]

    @property
    def marks(self) -> tuple[tuple[int, str], ...]:
        """What is wrong with the elements: position and note of each problem."""
        return tuple((entry.position, mark) for entry in self.entries for mark in entry.marks)

    @property
    def facts(self) -> tuple[str, ...]:
        """The number of elements, the time of the first one, and the duration."""
        if not self.exists:
            return ("there is no such memory",)
        shown = f"{len(self):,} of " if len(self) < self.elements else ""
        times = [entry.created for entry in self.entries if entry.created is not None]
        lasted = times[-1] - times[0] if times else timedelta()
        return (
            shown + plural(self.elements, "element"),
            *(() if not times else (f"{times[0]:%Y-%m-%d %H:%M:%S} UTC",)),
            *(() if lasted < timedelta(seconds=1) else (duration(lasted),)),
        )

    def __len__(self) -> int:
        return len(self.entries)
