"""Transcripts as plain text for terminals."""

from collections.abc import Iterator, Sequence
from typing import cast

from draive_pg.display.text import LINES, duration, escaped, json_text, one_line
from draive_pg.display.transcript_parts import TranscriptContent, TranscriptPiece

MAX_CHARS = 2_000  # shown of each piece that is not text
MAX_VARIABLE = 400  # and of each variable


def lines(transcript: TranscriptContent) -> Iterator[str]:
    """Return the lines of a whole transcript."""
    yield escaped(": ".join((transcript.identifier, ", ".join(transcript.facts))))
    variables = cast("object", transcript.variables)
    if isinstance(variables, dict):
        for name, value in cast("dict[str, object]", variables).items():
            text = value if isinstance(value, str) else json_text(value)
            yield escaped(f"  {name} = {_shortened(text, MAX_VARIABLE)}")
    else:
        yield escaped(f"  [variables] {_shortened(json_text(variables))}  ! no object")
    for entry in transcript.entries:
        yield ""
        if entry.pause is not None:
            yield f"    ... {duration(entry.pause)} later ..."
            yield ""
        when = "-" if entry.created is None else f"{entry.created:%Y-%m-%d %H:%M:%S}"
        yield escaped(f"#{entry.position}  {when}  {entry.who}{_noted(entry.notes)}")
        if entry.meta:
            yield _indented(f"({json_text(entry.meta)})")
        for piece in entry.pieces:
            yield from map(_indented, _piece(piece))


def _piece(piece: TranscriptPiece) -> Iterator[str]:
    inner = (line for each in piece.inner for line in _piece(each))
    notes = _noted(piece.notes)
    match piece.kind:
        case "text" if piece.inner:
            yield from inner
        case "text":
            yield piece.text
        case "reasoning":
            yield from (f"~ {line}" for line in inner)
        case "request":
            yield f"-> {piece.label} {_shortened(piece.text)}{notes}"
        case "response":
            state = piece.text or ("failed" if piece.failed else "")
            handling = f" {state}:" if state else ""
            yield f"<- {piece.label}{handling} {_shortened('\n'.join(inner))}{notes}"
        case "resource" | "reference":
            yield f"[{' '.join(filter(None, (piece.kind, piece.label, piece.text)))}]"
        case "artifact":
            yield f"[artifact {piece.label}] {_shortened(piece.text)}"
        case "raw":
            yield f"[{piece.label}] {_shortened(piece.text)}{notes}"
    if piece.meta:
        yield f"({_shortened(json_text(piece.meta))})"


def _noted(notes: Sequence[str]) -> str:
    return "".join(f"  ! {note}" for note in notes)


def _shortened(text: str, limit: int = MAX_CHARS) -> str:
    line = one_line(text)
    over = len(line) - limit
    return line if over <= 0 else f"{line[:limit]}... ({over:,} more)"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in escaped(text, keep=LINES).split("\n"))
