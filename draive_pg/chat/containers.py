"""Read JSON documents from files, bytes, streams and tables, one at a time.

A container is JSON, JSON Lines, documents after each other, the events of a stream (``data: ...``),
CSV or Parquet; also compressed with gzip, zstd, xz or bzip2, or in a ZIP archive; as UTF-8, or with
a BOM as UTF-16 or UTF-32. It is recognized by its content, not by its name. The memory that reading
needs depends on the largest document, not on the size of the file.
"""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import bz2
import codecs
import csv
import gzip
import io
import itertools
import json
import lzma
import math
import re
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from os import PathLike
from pathlib import Path, PurePath
from typing import IO, Any, cast

from draive_pg.codec.validation import MAX_SENT
from draive_pg.errors import ChatInvalid
from draive_pg.input_file import open_input

CHUNK = 1 << 16
MAX_DOCUMENT = 1 << 28  # characters; a document of PostgreSQL has 256 MiB at most
MAX_INVALID = 10  # lines that are no JSON before the first that is
REST = -1
MAX_LAYERS = 4  # compressed files in compressed files
PARQUET_ROWS = 256
MAX_HEADER = 1 << 20  # characters of the first line of CSV
MAX_NAME = 100  # characters of the name of a column of CSV
NEAR_END = 16  # characters: longer than an escape sequence or a literal
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

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# White space, with the record separator of JSON text sequences.
SPACE = re.compile("[ \t\r\n\ufeff\x1e]*")
SPACE_IN_LINE = re.compile("[ \t\r\ufeff\x1e]*")

BROKEN = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    RuntimeError,  # an encrypted ZIP archive, or (NotImplementedError) an unknown compression
)


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document in a container.

    Attributes
    ----------
    value : Any
        The document, or the ChatInvalid that explains why it cannot be read.
    file : str
        Name of the file, for messages.
    place : str
        Place in the file, for messages: ``line 17``.
    stem : str
        Name of the file without its endings.
    array : int
        Number of the top-level array that contains the document; 0 outside of arrays, and
        `REST` for the rest of a file that cannot be read.
    """

    value: Any
    file: str
    place: str
    stem: str
    array: int = 0


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
        self._ignored = ignored
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
                yield from self._stream(cast("IO[bytes]", sys.stdin.buffer), "standard input")
            case str() | PathLike():
                yield from self._path(Path(cast("str", source)))
            case bytes() | bytearray() | memoryview():
                yield from self._stream(io.BytesIO(source), "data")
            case Mapping():
                yield Document(source, "data", "", "data")
            case _ if hasattr(source, "to_dict") and hasattr(source, "columns"):
                yield from _of_rows(_frame_rows(source), "data", "data")
            case _ if hasattr(source, "read"):
                yield from self._stream(source, str(getattr(source, "name", "data")))
            case Iterable():
                for number, value in enumerate(cast("Iterable[Any]", source), start=1):
                    yield Document(_plain(value), "data", f"conversation {number}", "data", 1)
            case _:
                raise TypeError(
                    "expected a path, bytes, a binary stream, a DataFrame or documents, not "
                    f"{type(source).__name__}"
                )

    def _path(self, path: Path) -> Iterator[Document]:
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file())
            known = [each for each in files if NAMES.intersection(each.suffixes)]
            for each in files:
                if each not in known:
                    self._ignored(str(each.relative_to(path)))
            if not known:
                name = printable(path.name)
                yield _unreadable(name, ChatInvalid(f"{name}: a folder without files of chat logs"))
            for each in known:
                yield from self._path(each)
            return
        name = printable(path.name or str(path))
        try:
            file = open_input(path)
        except (OSError, ValueError) as error:
            yield _unreadable(name, ChatInvalid(f"{name}: cannot be read: {error}"))
            return
        with file:
            yield from self._stream(file, name)

    def _stream(self, file: IO[bytes], name: str) -> Iterator[Document]:
        stem = stem_of(name)
        try:
            yield from self._unpacked(_Counted(file, self._progress), name, stem, 0)
        except OSError as error:
            yield _unreadable(name, ChatInvalid(f"{name}: cannot be read: {error}"))
        except ValueError as error:
            yield _unreadable(name, error)

    def _unpacked(self, file: Any, name: str, stem: str, layers: int) -> Iterator[Document]:
        """Recognize the container by its first bytes."""
        if layers > MAX_LAYERS:
            raise ChatInvalid(f"{name}: compressed more than {MAX_LAYERS} times")
        peeked = io.BufferedReader(file, CHUNK)
        kind: str | None = None
        try:
            head = peeked.peek(8)[:8]
            kind = next((kind for magic, kind in KINDS.items() if head.startswith(magic)), None)
            match kind:
                case None:
                    yield from _of_text(_Text(peeked, name), name, stem)
                case "ZIP" | "Parquet":
                    with _seekable(file, peeked) as copy:
                        if kind == "ZIP":
                            yield from self._archive(copy, name, layers)
                        else:
                            yield from _of_rows(_parquet_rows(copy, name), name, stem)
                case _:
                    with UNPACK[kind](peeked) as inner:
                        yield from self._unpacked(inner, name, stem, layers + 1)
        except BROKEN as error:
            if kind is None:
                raise
            raise ChatInvalid(f"{name}: broken {kind} data: {error}") from error

    def _archive(self, file: IO[bytes], name: str, layers: int) -> Iterator[Document]:
        """Read the files of a ZIP archive: those of conversations, if they are named so."""
        with zipfile.ZipFile(file) as archive:
            files = [each for each in archive.infolist() if not each.is_dir()]
            known = [each for each in files if NAMES.intersection(PurePath(each.filename).suffixes)]
            named = [
                each for each in known if PurePath(each.filename).name.startswith("conversations")
            ]
            chosen = named or known
            for each in files:
                if each not in chosen:
                    self._ignored(each.filename)
            if not chosen:
                raise ChatInvalid(f"{name}: an archive without files of chat logs")
            for each in chosen:
                inner = printable(PurePath(each.filename).name)
                try:
                    with archive.open(each) as unpacked:
                        yield from self._unpacked(unpacked, inner, stem_of(inner), layers + 1)
                except ValueError as error:
                    yield _unreadable(inner, error)


def _unreadable(name: str, error: ValueError) -> Document:
    invalid = error if isinstance(error, ChatInvalid) else ChatInvalid(f"{name}: {error}")
    return Document(invalid, name, "", stem_of(name), REST)


def printable(name: str) -> str:
    """Return a name for messages."""
    return name if name.isprintable() else repr(name)


def stem_of(name: str) -> str:
    """Return the name of a file without its endings."""
    path = PurePath(PurePath(name).name)
    if path.suffix in (".gz", ".zst", ".xz", ".bz2"):
        path = PurePath(path.stem)
    return path.stem


# --- Bytes


class _Counted(io.RawIOBase):
    """A binary stream that reports how much was read."""

    def __init__(self, file: IO[bytes], progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress

    def readable(self) -> bool:
        return True

    def is_seekable(self) -> bool:
        """Return whether `rewound` works."""
        seekable = getattr(self._file, "seekable", None)
        return seekable is not None and seekable()

    def rewound(self) -> IO[bytes]:
        """Return the stream from its start, not counted any more."""
        self._file.seek(0)
        return self._file

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._progress(len(data))
        return len(data)


def _zstd(file: IO[bytes]) -> IO[bytes]:
    from draive_pg.dataframes import pa

    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")


KINDS: Mapping[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "ZIP",
    b"PK\x05\x06": "ZIP",
    b"PAR1": "Parquet",
}
UNPACK: Mapping[str, Callable[[Any], Any]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "zstd": _zstd,
    "xz": lzma.LZMAFile,
    "bzip2": bz2.BZ2File,
}


@contextmanager
def _seekable(file: Any, peeked: IO[bytes]) -> Generator[IO[bytes]]:
    """Return a file as it is, and another stream as a temporary file, in memory if it is small."""
    if isinstance(file, _Counted) and file.is_seekable():
        yield file.rewound()
        return
    with tempfile.SpooledTemporaryFile(max_size=1 << 24) as copy:
        while data := peeked.read(1 << 20):
            copy.write(data)
            if copy.tell() > MAX_SENT:
                raise ValueError(f"an archive larger than {MAX_SENT:,} bytes in another file")
        copy.seek(0)
        yield cast("IO[bytes]", copy)


class _Text:
    """Text of a stream, decoded in chunks."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._read = 0
        self._decoder: codecs.IncrementalDecoder | None = None

    def read(self, size: int = CHUNK) -> str:
        """Return at least one character, or an empty string at the end."""
        while True:
            data = self._file.read(size)
            if self._decoder is None:
                encoding = next((name for bom, name in BOMS if data.startswith(bom)), "utf-8")
                self._decoder = codecs.getincrementaldecoder(encoding)()
            pending = len(self._decoder.getstate()[0])
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                place = self._read - pending + error.start
                encoding = error.encoding.upper()
                message = f"{self._name}: not {encoding} (at byte {place})"
                raise ChatInvalid(message) from error
            self._read += len(data)
            if text or not data:
                return text


# --- JSON


class _Scanner:
    """Decode JSON values one after the other from text that is read in chunks."""

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._decoder = json.JSONDecoder()
        self._ended = False
        self.buffer = ""
        self.position = 0
        self.line = 1
        self._line_start = 0  # position of the line in the buffer; negative if it was dropped

    def more(self, size: int = CHUNK) -> bool:
        """Read more text; return False at the end."""
        if self._ended:
            return False
        text = self._text.read(size)
        self._ended = not text
        if self.position > CHUNK:
            self._line_start -= self.position
            self.buffer, self.position = self.buffer[self.position :], 0
        self.buffer += text
        return bool(text)

    def peek(self, skipped: re.Pattern[str] = SPACE) -> str:
        """Skip white space, and return the next character; an empty string at the end."""
        while True:
            space = skipped.match(self.buffer, self.position)
            self._go(space.end() if space else self.position)
            if self.position < len(self.buffer):
                return self.buffer[self.position]
            if not self.more():
                return ""

    def take(self) -> None:
        """Go past one character."""
        self._go(self.position + 1)

    def value(self) -> Any:
        """Decode the next value.

        Raises
        ------
        json.JSONDecodeError
            If it is no JSON; the position stays.
        """
        while True:
            try:
                value, end = self._decoder.raw_decode(self.buffer, self.position)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string")
                if not cut and error.pos < len(self.buffer) - NEAR_END:
                    raise
                held = len(self.buffer) - self.position
                if held > MAX_DOCUMENT:
                    message = f"a document larger than {MAX_DOCUMENT:,} characters"
                    raise ValueError(message) from error
                if not self.more(max(CHUNK, held)):
                    raise
            else:
                self._go(end)
                return value

    def rest_of_line(self) -> str | None:
        """Go past the end of the line, and return its text; None if it is too large."""
        start: int | None = self.position
        while (end := self.buffer.find("\n", self.position)) < 0 and self.more():
            if len(self.buffer) - self.position > MAX_DOCUMENT:
                self._go(len(self.buffer))
                start = None
        end = len(self.buffer) if end < 0 else end
        text = None if start is None else self.buffer[self.position : end]
        self._go(min(end + 1, len(self.buffer)))
        return text

    def place(self, error: json.JSONDecodeError) -> str:
        """Return line and column of an error."""
        line = self.line + self.buffer.count("\n", self.position, error.pos)
        start = self.buffer.rfind("\n", self.position, error.pos) + 1 or self._line_start
        return f"line {line}, column {error.pos - start + 1}"

    def _go(self, position: int) -> None:
        lines = self.buffer.count("\n", self.position, position)
        if lines:
            self.line += lines
            self._line_start = self.buffer.rfind("\n", self.position, position) + 1
        self.position = position


def _of_text(text: _Text, name: str, stem: str) -> Iterator[Document]:
    scanner = _Scanner(text)
    match scanner.peek():
        case "":
            raise ChatInvalid(f"{name}: empty")
        case "[" | "{" | '"':
            yield from _Values(scanner, name, stem).read()
        case _:
            while "\n" not in scanner.buffer and len(scanner.buffer) < MAX_HEADER:
                if not scanner.more():
                    break
            first = scanner.buffer[scanner.position :].lstrip().partition("\n")[0]
            if first.startswith(("data:", "event:", "id:", ":")):
                yield from _events(scanner, name, stem)
            elif _is_csv(first):
                yield from _of_rows(_csv_rows(scanner, name), name, stem)
            else:
                yield from _Values(scanner, name, stem).read()


class _Values:
    """The values of a file of JSON: those of its arrays, and those outside of arrays.

    An invalid line is skipped. If no line before it is JSON and none of the next lines is, the file
    is one invalid document.
    """

    def __init__(self, scanner: _Scanner, name: str, stem: str) -> None:
        self._scanner = scanner
        self._name = name
        self._stem = stem
        self._array = 0
        self._invalid: list[Document] | None = []  # before the first value; None after it
        self._first: ChatInvalid | None = None

    def read(self) -> Iterator[Document]:
        scanner = self._scanner
        spread = self._is_spread()
        while character := scanner.peek():
            line = scanner.line
            try:
                if character == "[":
                    self._array += 1
                    yield from self._elements()
                else:
                    value = scanner.value()
                    if self._invalid and not isinstance(value, dict):
                        scanner.rest_of_line()  # a piece of an invalid document
                        continue
                    yield from self._found(value, f"line {line}", 0)
            except (ValueError, RecursionError) as error:
                # the rest of a document of several lines is no document
                if spread or (character == "[" and scanner.line > line):
                    raise self._error(error) from error
                yield from self._skipped(error, self._array if character == "[" else 0)
        if self._first is not None and self._invalid is not None:
            raise self._first

    def _is_spread(self) -> bool:
        """Return True if the first line has only a bracket: the document has several lines."""
        if self._scanner.peek() not in ("[", "{"):
            return False
        rest = self._scanner.buffer[self._scanner.position + 1 :].lstrip(" \t\r")
        return rest.startswith("\n")

    def _elements(self) -> Iterator[Document]:
        """Read the values of an array."""
        scanner = self._scanner
        where = self._name if scanner.line == 1 else f"{self._name}, line {scanner.line}"
        scanner.take()
        if scanner.peek() == "]":
            scanner.take()
            problem = "expected conversations, found an empty list"
            yield Document(ChatInvalid(f"{where}: {problem}"), self._name, "", self._stem)
            return
        # after a line of JSON, an array is a line, too
        skipped = SPACE if self._invalid is not None else SPACE_IN_LINE
        for number in itertools.count(1):
            scanner.peek(skipped)
            value = scanner.value()
            separator = scanner.peek(skipped)
            if separator not in (",", "]"):
                problem = "Expecting ',' delimiter"
                raise json.JSONDecodeError(problem, scanner.buffer, scanner.position)
            yield from self._found(value, f"conversation {number}", self._array)
            scanner.take()
            if separator == "]":
                return

    def _found(self, value: Any, place: str, array: int) -> Iterator[Document]:
        yield from self._invalid or ()
        self._invalid = None
        yield Document(value, self._name, place, self._stem, array)

    def _skipped(self, error: Exception, array: int) -> Iterator[Document]:
        """Skip the line of an error."""
        whole = self._error(error)
        start, line = self._scanner.line, self._scanner.rest_of_line()
        invalid = whole
        try:
            json.loads(line or "0")
        except json.JSONDecodeError as alone:
            place = f"line {start}, column {alone.colno}"
            invalid = ChatInvalid(f"{self._name}, {place}: not JSON: {alone.msg}")
        except (ValueError, RecursionError):
            pass
        skipped = Document(invalid, self._name, "", self._stem, array)
        if self._invalid is None:
            yield skipped
            return
        self._first = self._first or whole
        self._invalid.append(skipped)
        if len(self._invalid) >= MAX_INVALID:
            raise self._first

    def _error(self, error: Exception) -> ChatInvalid:
        if isinstance(error, json.JSONDecodeError):
            return ChatInvalid(f"{self._name}, {self._scanner.place(error)}: not JSON: {error.msg}")
        if isinstance(error, ChatInvalid):
            return error
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        line = self._scanner.line
        return ChatInvalid(f"{self._name}, line {line}: JSON that cannot be read: {reason}")


def _lines(scanner: _Scanner) -> Iterator[str]:
    """Yield the lines of the text, with their ends."""
    while True:
        start = scanner.position
        while (end := scanner.buffer.find("\n", scanner.position)) < 0:
            if not scanner.more():
                if scanner.position < len(scanner.buffer):
                    yield scanner.buffer[scanner.position :]
                return
            if len(scanner.buffer) - scanner.position > MAX_DOCUMENT:
                raise ValueError(f"a line larger than {MAX_DOCUMENT:,} characters")
        start, scanner.position = scanner.position, end + 1
        yield scanner.buffer[start : end + 1]


def _events(scanner: _Scanner, name: str, stem: str) -> Iterator[Document]:
    """Read the events of a stream of a model API."""
    for number, line in enumerate(_lines(scanner), start=1):
        data = line.partition("data:")[2].strip() if line.startswith("data:") else ""
        if not data or data == "[DONE]":
            continue
        try:
            yield Document(json.loads(data), name, f"line {number}", stem)
        except (ValueError, RecursionError) as error:
            invalid = ChatInvalid(f"{name}, line {number}: not JSON: {error}")
            yield Document(invalid, name, "", stem)


# --- Tables


def _is_csv(header: str) -> bool:
    try:
        names = next(csv.reader([header.strip()]), [])
    except csv.Error:
        return False
    return len(names) > 1 and all(name.strip() and len(name) <= MAX_NAME for name in names)


def _csv_rows(scanner: _Scanner, name: str) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_DOCUMENT))
    try:
        yield from csv.DictReader(_lines(scanner), restkey="others")
    except csv.Error as error:
        raise ChatInvalid(f"{name}: broken CSV data: {error}") from error


def _of_rows(rows: Iterable[Mapping[str, Any]], name: str, stem: str) -> Iterator[Document]:
    for number, row in enumerate(rows, start=1):
        value = {
            str(key): _cell(str(key), found)
            for key, each in row.items()
            if (found := _plain(each)) is not None
        }
        yield Document(value, name, f"row {number}", stem)


def _cell(name: str, value: Any) -> Any:
    """Decode a cell with JSON; the text of a message stays text."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return value
    if isinstance(decoded, list):
        items = cast("list[Any]", decoded)
        structured = bool(items) and all(isinstance(each, dict) for each in items)
        return decoded if structured or name not in ("content", "text", "value") else value
    return value if name in ("content", "text", "value") else decoded


def _frame_rows(frame: Any) -> Iterator[Mapping[str, Any]]:
    columns = list(frame.columns)
    for values in frame.itertuples(index=False, name=None):
        yield dict(zip(columns, values, strict=True))


def _parquet_rows(file: IO[bytes], name: str) -> Iterator[Mapping[str, Any]]:
    from draive_pg.dataframes import pa
    from draive_pg.frames.arrow import parquet

    try:
        for batch in parquet().ParquetFile(file).iter_batches(batch_size=PARQUET_ROWS):
            yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise ChatInvalid(f"{name}: broken Parquet data: {error}") from error


def _plain(value: Any) -> Any:
    """Return a value of pandas or NumPy as one of Python; missing values are None."""
    match value:
        case None | bool() | int() | str() | bytes():
            return value
        case float():
            return None if math.isnan(value) else float(value)
        case Mapping():
            return {key: _plain(each) for key, each in cast("Mapping[Any, Any]", value).items()}
        case list() | tuple():
            return [_plain(each) for each in cast("Sequence[Any]", value)]
        case date():
            return None if value != value else value  # noqa: PLR0124 - pandas' NaT
        case _ if type(value).__name__ in ("NAType", "NaTType"):
            return None
        case _ if hasattr(value, "tolist"):
            return _plain(value.tolist())
        case _:
            return value
