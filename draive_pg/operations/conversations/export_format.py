"""The export format: JSON Lines, one memory per line, gzipped if the name ends in ``.gz``.

::

    {"identifier": "visit-1", "created": "2026-01-02T03:04:05.678901Z",
     "variables": [{"created": "…", "content": {…}}, …],
     "elements": [{"created": "…", "content": {…}}, …],
     "annotations": [{"created": "…", "content": {…}}, …]}

(on one line, and without annotations if there are none). Documents are written as PostgreSQL prints
them, so no number changes.
"""

import gzip
import json
import re
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from draive_pg.atomic_file import replacing
from draive_pg.codec.validation import MAX_SENT, check_text, is_finite, is_integer
from draive_pg.errors import ExportInvalid
from draive_pg.input_file import open_input

# PostgreSQL also reads "now", and times of no time zone as those of the session's.
TIME = re.compile(
    r"-?infinity|\d{4,6}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)( BC)?",
    re.ASCII,
)


class Line(NamedTuple):
    """A line of an export: its number, its memory, and the bytes of the file read so far."""

    number: int
    identifier: str
    text: str
    elements: int
    variables: int
    annotations: int
    read: int

    @property
    def size(self) -> int:
        """Characters of the text."""
        return len(self.text)


@contextmanager
def written(path: Path) -> Generator[IO[bytes]]:
    """Write a file that appears, or is replaced, when the block ends without an error."""
    with replacing(path) as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
                yield cast("IO[bytes]", packed)
        else:
            yield raw


def lines(path: Path) -> Iterator[Line]:
    """Read and validate the lines of a file.

    Raises
    ------
    ExportInvalid
        If a line is not as an export writes it, or the file is incomplete.
    """
    number = 0
    with open_input(path) as raw:
        file = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        try:
            for number, line in enumerate(iter(partial(file.readline, MAX_SENT + 1), b""), 1):
                if len(line) > MAX_SENT:
                    raise ExportInvalid(
                        f"{path.name}, line {number}: larger than {MAX_SENT:,} bytes"
                    )
                yield _line(line, f"{path.name}, line {number}", number, raw.tell())
        except (EOFError, OSError, zlib.error) as error:
            raise ExportInvalid(
                f"{path.name}, after line {number}: the file is incomplete ({error})"
            ) from error


def _line(line: bytes, where: str, number: int, read: int) -> Line:
    try:
        text = line.decode()
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExportInvalid(
            f"{where}: not a memory: not JSON ({error}); chat logs are imported with "
            "import_chats() or draive-pg import chats"
        ) from error
    match document:
        case {
            "identifier": str(identifier),
            "created": str(created),
            "elements": [*elements],
            "variables": [*variables],
        } if all(map(_is_dated, (*elements, *variables))):
            match document.get("annotations", []):
                case [*annotations] if all(map(_is_annotation, annotations)):
                    pass
                case _:
                    raise ExportInvalid(f"{where}: annotations are not in the export format")
            try:
                check_text(identifier, "identifier")
            except ValueError as error:
                raise ExportInvalid(f"{where}: {error}") from error
            for time in (
                created,
                *(row["created"] for row in (*elements, *variables, *annotations)),
            ):
                if TIME.fullmatch(time) is None:
                    raise ExportInvalid(
                        f"{where}: created must be a time such as 2026-01-02T03:04:05.678901Z, "
                        f"not {time!r:.60}"
                    )
            counts = (len(elements), len(variables), len(annotations))
            return Line(number, identifier, text, *counts, read)
        case _:
            raise ExportInvalid(
                f"{where}: not a memory in the export format; chat logs are imported with "
                "import_chats() or draive-pg import chats"
            )


def _is_dated(row: object) -> bool:
    members = cast("Mapping[str, object]", row if isinstance(row, dict) else {})
    return isinstance(members.get("created"), str) and "content" in members


def _is_annotation(row: Any) -> bool:
    match row:
        case {
            "created": str(),
            "content": {
                "id": str(),
                "name": str(),
                "score": score,
                "comment": str() | None,
                "tags": list(),
                "author": str() | None,
                "digest": str() | None,
                "occurrence": occurrence,
            },
        }:
            return (
                (score is None or is_finite(score))
                and (occurrence is None or (is_integer(occurrence) and 0 < occurrence < 1 << 31))
                and all(isinstance(tag, str) for tag in row["content"]["tags"])
            )
        case _:
            return False
