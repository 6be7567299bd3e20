"""A conversation to read."""

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from draive_pg.atomic_file import replacing
from draive_pg.display.notebook import ShownAsText
from draive_pg.display.transcript_parts import TranscriptContent


@dataclass(frozen=True, slots=True, repr=False)
class Transcript(TranscriptContent, ShownAsText):
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

    def __getitem__(self, part: slice) -> "Transcript":
        if not isinstance(part, slice):
            raise TypeError(
                f"a transcript is cut by slices, not by {type(part).__name__}; "
                "[3:4] is the fourth entry as a transcript, and entries[3] the entry itself"
            )
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
        from draive_pg.display.page import check_page_path

        file = check_page_path(path)
        text = self.to_html()
        with replacing(file) as draft:
            draft.write(text.encode())
        return file

    def __repr__(self) -> str:
        number = f"{self.elements:,} element{'' if self.elements == 1 else 's'}"
        shown = f"{len(self):,} of " if len(self) < self.elements else ""
        return f"Transcript({self.identifier!r:.80}, {shown}{number})"

    def __str__(self) -> str:
        from draive_pg.display import terminal, transcript_text

        return terminal.wrapped("\n".join(transcript_text.lines(self)))

    def _repr_html_(self) -> str:
        from draive_pg.display import transcript_html

        return transcript_html.bounded(self)
