"""A transcript as a terminal shows it."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from draive_pg.codec.transcript import Piece
from draive_pg.display.wording import duration, json_text, one_line

if TYPE_CHECKING:
    from draive_pg.display.transcript import Transcript

__all__ = ("lines",)

MOST = 2_000  # characters shown of what is not spoken

# Letters that steer a terminal instead of showing there.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def lines(shown: "Transcript") -> Iterator[str]:
    """Return the lines of all of a transcript."""
    yield _plain(": ".join((shown.identifier, ", ".join(shown.facts))))
    variables = cast("object", shown.variables)
    if isinstance(variables, dict):
        for name, value in cast("dict[str, object]", variables).items():
            text = value if isinstance(value, str) else json_text(value)
            yield _plain(f"  {name} = {_shortened(text)}")
    else:
        yield f"  [variables] {_shortened(json_text(variables))}  ! no object"
    for entry in shown.entries:
        yield ""
        if entry.pause is not None:
            yield f"    ... {duration(entry.pause)} later ..."
            yield ""
        when = "-" if entry.created is None else f"{entry.created:%Y-%m-%d %H:%M:%S}"
        yield _plain(f"#{entry.position}  {when}  {entry.who}{_exclaimed(entry.notes)}")
        if entry.meta:
            yield _indented(f"({json_text(entry.meta)})")
        for piece in entry.pieces:
            yield from map(_indented, _said(piece))


def _said(piece: Piece) -> Iterator[str]:
    inner = (line for each in piece.inner for line in _said(each))
    odd = _exclaimed(piece.notes)
    match piece.kind:
        case "text" if piece.inner:
            yield from inner
        case "text":
            yield piece.text
        case "reasoning":
            yield from (f"~ {line}" for line in inner)
        case "request":
            yield f"-> {piece.label} {_shortened(piece.text)}{odd}"
        case "response":
            handling = f" {piece.text}:" if piece.text else ""
            yield f"<- {piece.label}{handling} {_shortened('\n'.join(inner))}{odd}"
        case "resource" | "reference":
            yield f"[{' '.join(filter(None, (piece.kind, piece.label, piece.text)))}]"
        case "artifact":
            yield f"[artifact {piece.label}] {_shortened(piece.text)}"
        case "raw":
            yield f"[{piece.label}] {_shortened(piece.text)}{odd}"
    if piece.meta:
        yield f"({_shortened(json_text(piece.meta))})"


def _exclaimed(notes: Sequence[str]) -> str:
    return "".join(f"  ! {note}" for note in notes)


def _shortened(text: str) -> str:
    line = one_line(text)
    over = len(line) - MOST
    return line if over <= 0 else f"{line[:MOST]}... ({over:,} more)"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in _plain(text).split("\n"))


def _plain(text: str) -> str:
    return CONTROLS.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
