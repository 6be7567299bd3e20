"""Read JSON documents from files, bytes, streams and tables, one at a time.

A container is JSON, JSON Lines, documents after each other, the events of a stream (``data: ...``),
CSV or Parquet; also compressed with gzip, zstd, xz or bzip2, or in a ZIP archive; as UTF-8, or with
a BOM as UTF-16 or UTF-32. It is recognized by its content, not by its name. The memory that reading
needs depends on the largest document, not on the size of the file.
"""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import io
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path, PurePath
from typing import IO, Any, cast

from draive_pg.chat.files.document import (
    CHUNK,
    Document,
    File,
    path_stem,
    printable,
    stem_of,
    unreadable,
)
from draive_pg.chat.files.rows import (
    csv_rows,
    delimiter_of,
    documents_of,
    frame_rows,
    parquet_rows,
    plain,
)
from draive_pg.chat.files.scanner import Scanner
from draive_pg.chat.files.text import Text
from draive_pg.chat.files.unpack import BROKEN, KINDS, UNPACK, Counted, seekable
from draive_pg.chat.files.values import Values, events
from draive_pg.errors import ChatInvalid
from draive_pg.input_file import open_input

MAX_LAYERS = 4  # compressed files in compressed files
MAX_HEADER = 1 << 20  # characters of the first line of CSV
NAMES = frozenset(
    {
        ".json",
        ".jsonl",
        ".ndjson",
        ".csv",
        ".parquet",
        ".zip",
        ".gz",
        ".zst",
        ".xz",
        ".bz2",
        ".txt",
        ".log",
        ".sse",
    }
)

type Source = str | PathLike[str] | bytes | IO[bytes] | Iterable[Mapping[str, Any]]


class Containers:
    """Reader of containers.

    Parameters
    ----------
    ignored : callable
        Called with the name of each file that is not read.
    progress : callable
        Called with the number of bytes of a file that were read.
    """

    def __init__(
        self,
        ignored: Callable[[str], None] = lambda _: None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.ignore = ignored
        self._progress = progress

    def read(self, source: Any) -> Iterator[Document]:
        """Read the documents of a source.

        Parameters
        ----------
        source : Source
            A path of a file or folder, ``-`` for standard input, the bytes of a file, a binary
            stream, a DataFrame, or documents.

        Yields
        ------
        Document
            Each document.

        Raises
        ------
        TypeError
            If the source is of another type.
        """
        match source:
            case str() if source == "-":
                yield from self._stream(
                    cast("IO[bytes]", sys.stdin.buffer), File("standard input", "standard input")
                )
            case str() | PathLike():
                path = Path(cast("str", source))
                yield from self._path(path, stem_of(printable(path.name or str(path))))
            case bytes() | bytearray() | memoryview():
                yield from self._stream(io.BytesIO(source), File("data", "data"))
            case Mapping():
                yield Document(source, File("data", "data"), "")
            case _ if hasattr(source, "to_dict") and hasattr(source, "columns"):
                yield from documents_of(frame_rows(source), File("data", "data"))
            case _ if hasattr(source, "read"):
                name = str(getattr(source, "name", "data"))
                yield from self._stream(source, File(name, stem_of(name)))
            case Iterable():
                file = File("data", "data")
                for number, value in enumerate(cast("Iterable[Any]", source), start=1):
                    yield Document(plain(value), file, f"conversation {number}", 1)
            case _:
                raise TypeError(
                    "expected a path, bytes, a binary stream, a DataFrame or documents, not "
                    f"{type(source).__name__}"
                )

    def _path(self, path: Path, stem: str) -> Iterator[Document]:
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file())
            known = [each for each in files if _is_log(each)]
            for each in files:
                if not _is_log(each):
                    self.ignore(str(each.relative_to(path)))
            if not known:
                folder = File(printable(path.name), "")
                yield unreadable(folder, ValueError("a folder without files of chat logs"))
            for each in known:
                yield from self._path(each, path_stem(each.relative_to(path)))
            return
        named = File(printable(path.name or str(path)), stem)
        try:
            file = open_input(path)
        except (OSError, ValueError) as error:
            yield unreadable(named, ChatInvalid(f"{named.name}: cannot be read: {_reason(error)}"))
            return
        with file:
            yield from self._stream(file, named)

    def _stream(self, file: IO[bytes], named: File) -> Iterator[Document]:
        try:
            yield from self._unpacked(Counted(file, self._progress), named, 0)
        except OSError as error:
            yield unreadable(named, ChatInvalid(f"{named.name}: cannot be read: {_reason(error)}"))
        except ValueError as error:
            yield unreadable(named, error)

    def _unpacked(self, file: Any, named: File, layers: int) -> Iterator[Document]:
        """Recognize the container by its first bytes."""
        name = named.name
        if layers > MAX_LAYERS:
            raise ChatInvalid(f"{name}: compressed more than {MAX_LAYERS} times")
        peeked = io.BufferedReader(file, CHUNK)
        kind: str | None = None
        try:
            head = peeked.peek(8)[:8]
            kind = next((kind for magic, kind in KINDS.items() if head.startswith(magic)), None)
            match kind:
                case None:
                    yield from _of_text(Text(peeked, name), named)
                case "ZIP" | "Parquet":
                    with seekable(file, peeked) as copy:
                        if kind == "ZIP":
                            yield from self._archive(copy, name, layers)
                        else:
                            yield from documents_of(parquet_rows(copy, name), named)
                case _:
                    with UNPACK[kind](peeked) as inner:
                        yield from self._unpacked(inner, named, layers + 1)
        except BROKEN as error:
            if kind is None:
                raise
            raise ChatInvalid(f"{name}: broken {kind} data: {error}") from error

    def _archive(self, file: IO[bytes], name: str, layers: int) -> Iterator[Document]:
        """Read the files of a ZIP archive: those of conversations, if they are named so."""
        with zipfile.ZipFile(file) as archive:
            files = [each for each in archive.infolist() if not each.is_dir()]
            known = [each for each in files if _is_log(PurePath(each.filename))]
            named = [
                each for each in known if PurePath(each.filename).name.startswith("conversations")
            ]
            chosen = named or known
            for each in files:
                if each not in chosen:
                    self.ignore(each.filename)
            if not chosen:
                raise ChatInvalid(f"{name}: an archive without files of chat logs")
            for each in chosen:
                path = PurePath(each.filename)
                inner = File(printable(path.name), path_stem(path))
                try:
                    with archive.open(each) as unpacked:
                        yield from self._unpacked(unpacked, inner, layers + 1)
                except ValueError as error:
                    yield unreadable(inner, error)


def _is_log(path: PurePath) -> bool:
    """Return True for the name of a file of documents, not of the attributes macOS keeps of it."""
    return not path.name.startswith("._") and bool(NAMES.intersection(path.suffixes))


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _of_text(text: Text, file: File) -> Iterator[Document]:
    scanner = Scanner(text)
    match scanner.peek():
        case "":
            raise ChatInvalid(f"{file.name}: empty")
        case "[" | "{" | '"':
            yield from Values(scanner, file).read()
        case _:
            while "\n" not in scanner.buffer and len(scanner.buffer) < MAX_HEADER:
                if not scanner.more():
                    break
            first = scanner.buffer[scanner.position :].lstrip().partition("\n")[0]
            if first.startswith(("data:", "event:", "id:", ":")):
                yield from events(scanner, file)
            elif delimiter := delimiter_of(first):
                yield from documents_of(csv_rows(scanner, file.name, delimiter), file)
            else:
                yield from Values(scanner, file).read()
