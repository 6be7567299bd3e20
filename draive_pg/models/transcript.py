"""A conversation to read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any, Literal


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
class Transcript:
    """A conversation to read: all that is stored, also what draive cannot decode.

    A notebook shows it as HTML, ``print`` as text, and `to_html` returns a complete page. Slices
    are transcripts.

    Attributes
    ----------
    identifier : str
        Identifier of the memory.
    exists : bool
        Whether there is such a memory.
    variables : object
        The newest snapshot of its variables: a dict, unless another JSON value is stored.
    elements : int
        Number of elements of the memory; ``entries`` may have fewer.
    entries : tuple of TranscriptEntry
        The elements, in order.
    """

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
        from draive_pg.display import transcript_text

        return transcript_text.facts(self)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, part: slice) -> "Transcript":
        if not isinstance(part, slice):
            raise TypeError(f"a transcript is cut by slices, not by {type(part).__name__}")
        return replace(self, entries=self.entries[part])

    def to_html(self) -> str:
        """Return a complete HTML page with every element in full.

        The page has no script, and loads nothing from elsewhere.
        """
        from draive_pg.display import transcript_html

        return transcript_html.page(self)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the page of `to_html` to a file, which appears or is replaced when it is complete.

        Parameters
        ----------
        path : str | PathLike
            File whose name ends in ``.html``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        TypeError, ValueError
            If the path is none, or has another ending.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> db.memory("visit-1").show().save("visit-1.html")
        """
        from draive_pg.display import page

        file = page.check_path(path)
        text = self.to_html()
        with page.written(file) as draft:
            draft.write(text.encode())
        return file

    def __repr__(self) -> str:
        number = f"{self.elements:,} element{'' if self.elements == 1 else 's'}"
        shown = f"{len(self):,} of " if len(self) < self.elements else ""
        return f"Transcript({self.identifier!r:.80}, {shown}{number})"

    def __str__(self) -> str:
        from draive_pg.display import terminal, transcript_text

        return terminal.wrapped("\n".join(transcript_text.lines(self)))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002, FBT001 - of IPython
        from draive_pg.display.notebook import text_for

        printer.text(text_for(self))

    def _repr_html_(self) -> str:
        from draive_pg.display import transcript_html

        return transcript_html.bounded(self)
