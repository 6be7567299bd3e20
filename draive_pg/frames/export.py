"""Export of a frame to Parquet, CSV or JSON Lines in constant memory."""

import codecs
import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, get_args

from draive_pg.atomic_file import PRIVATE, Drafts
from draive_pg.codec.validation import shown
from draive_pg.dataframes import csv, pa, pc
from draive_pg.frames.arrow import native, parquet_writer, schema
from draive_pg.frames.assemble import Tables
from draive_pg.frames.frame import Columns, ColumnType, Format, Frame
from draive_pg.frames.query import Filters, FrameQuery
from draive_pg.frames.read import with_progress
from draive_pg.operations.copy import Copy, Rows
from draive_pg.operations.operation import Request

BATCH_ROWS = 1 << 15  # rows written at once, and rows of a Parquet row group

FORMATS: tuple[Format, ...] = get_args(Format.__value__)

# Start of a cell that spreadsheets compute (https://owasp.org/www-community/attacks/CSV_Injection).
FORMULA = r"^[=+\-@\t\r]"
APOSTROPHE, EMPTY = (pa.scalar(text, pa.large_string()) for text in ("'", ""))

ISO_8601 = "%Y-%m-%dT%H:%M:%SZ"  # Arrow's %S includes microseconds


def export(
    frame: Frame,
    path: Path | str,
    filters: Filters,
    *,
    format: Format | None,  # noqa: A002 - as the public methods name it
    spreadsheet: bool = False,
    progress: bool | None,
) -> Request[int]:
    """Write the rows of a frame to a file and return their number.

    The total of the progress bar is the planner's estimate.

    Raises
    ------
    TypeError, ValueError
        For an unknown format or a wrong filter.
    """
    file = Path(path)
    chosen, compressed = _format(file, format)
    if spreadsheet and chosen != "csv":
        raise ValueError(f"spreadsheet is for CSV, not for {chosen}")
    options = {"spreadsheet": True} if spreadsheet else {}
    query = FrameQuery(frame, filters)
    writer = partial(WRITERS[chosen], columns=query.columns, **options)
    collect = partial(collecting, query, file, writer, compressed=compressed)
    copy = Copy(f"export frame {frame.name}", query.statement, collect, query.fallback)
    return with_progress(copy, frame.name, wanted=progress)


@contextmanager
def collecting(
    query: FrameQuery,
    file: Path,
    writer: "Callable[[Any], Writer]",
    *,
    compressed: bool = False,
    rows: int = BATCH_ROWS,
) -> "Generator[Export]":
    """Provide a collector that writes a file in batches of so many rows.

    ``writer`` is called with the open file. It is a draft, which replaces the file when it is
    complete.
    """
    with Drafts(file.resolve().parent, mode=PRIVATE) as drafts, ExitStack() as stack:
        draft = stack.enter_context(drafts.open(file))
        sink = stack.enter_context(pa.output_stream(draft, "gzip" if compressed else None))
        opened = stack.enter_context(closing(writer(sink)))

        def complete() -> None:
            stack.close()
            drafts.complete()

        yield Export(query, opened, complete, rows)


class Writer(Protocol):
    """Writer of Arrow tables in one format."""

    def write(self, table: Any) -> None:
        """Append the rows of a table."""
        ...

    def close(self) -> None:
        """Write the end of the file."""
        ...


class Export:
    """Collect rows in a temporary file, which replaces the target when it is complete."""

    def __init__(
        self,
        query: FrameQuery,
        writer: Writer,
        complete: Callable[[], None],
        rows: int,
    ) -> None:
        self._tables = Tables(query, rows, writer.write)
        self._complete = complete
        self._rows = 0

    def take(self, rows: Rows) -> Sequence[int]:
        self._rows += len(rows)
        self._tables.take(rows)
        return ()

    def finish(self) -> Sequence[int]:
        self._tables.finish()
        self._complete()
        return (self._rows,)


class Parquet:
    """Write tables as Parquet: several texts are lists, JSON stays text."""

    def __init__(self, sink: Any, columns: Columns) -> None:
        self._columns = columns
        self._writer = parquet_writer(sink, native(columns, schema(columns).empty_table()).schema)

    def write(self, table: Any) -> None:
        self._writer.write_table(native(self._columns, table))

    def close(self) -> None:
        self._writer.close()


class Csv:
    """Write tables as CSV: a missing text is an empty field, an empty text is ``""``.

    Parameters
    ----------
    spreadsheet : bool
        Begin with a byte order mark, and put an apostrophe before a text that spreadsheets would
        take for a formula.
    """

    def __init__(self, sink: Any, columns: Columns, *, spreadsheet: bool = False) -> None:
        self._times = [name for name, kind in columns.items() if kind == "timestamp"]
        self._guarded = [name for name, kind in columns.items() if spreadsheet and kind == "text"]
        if spreadsheet:
            sink.write(codecs.BOM_UTF8)
        self._writer = csv.CSVWriter(sink, self._readable(schema(columns).empty_table()).schema)

    def write(self, table: Any) -> None:
        self._writer.write_table(self._readable(table))

    def close(self) -> None:
        self._writer.close()

    def _readable(self, table: Any) -> Any:
        for name in self._times:
            index = table.schema.get_field_index(name)
            table = table.set_column(index, name, pc.strftime(table[name], ISO_8601))
        for name in self._guarded:
            column = table[name]
            guarded = pc.binary_join_element_wise(APOSTROPHE, column, EMPTY)
            text = pc.if_else(pc.match_substring_regex(column, FORMULA), guarded, column)
            table = table.set_column(table.schema.get_field_index(name), name, text)
        return table


class JsonLines:
    """Write tables as JSON Lines: one object per row, with the JSON columns nested."""

    def __init__(self, sink: Any, columns: Columns) -> None:
        self._sink = sink
        self._columns = columns
        self._line = "{" + ", ".join(f'"{name}": %s' for name in columns) + "}\n"

    def write(self, table: Any) -> None:
        values = [_json(kind, table[name]) for name, kind in self._columns.items()]
        self._sink.write("".join(map(self._line.__mod__, zip(*values, strict=True))).encode())

    def close(self) -> None:
        pass


WRITERS: Mapping[Format, Callable[..., Writer]] = {
    "parquet": Parquet,
    "csv": Csv,
    "jsonl": JsonLines,
}


def _json(kind: ColumnType, column: Any) -> Iterable[str]:
    """Return each value of a column as JSON."""
    match kind:
        case "text":
            encode = json.JSONEncoder(ensure_ascii=False).encode
            return ("null" if text is None else encode(text) for text in column.to_pylist())
        case "timestamp":
            texts = pc.strftime(column, f'"{ISO_8601}"')
        case "float":
            texts = pc.if_else(pc.is_finite(column), column, None).cast(pa.string())
        case _:
            texts = column.cast(pa.large_string())
    return pc.fill_null(texts, "null").to_pylist()


def _format(target: Path, wanted: Format | None) -> tuple[Format, bool]:
    """Return the format of a file, and whether it is gzipped."""
    *_, suffix, last = "", "", *(suffix.lower() for suffix in target.suffixes)
    compressed = last == ".gz"
    chosen = wanted if wanted is not None else (suffix if compressed else last).removeprefix(".")
    if chosen not in FORMATS:
        raise ValueError(
            f"the format of {target.name!r:.80} must be one of {', '.join(FORMATS)}, not "
            f"{shown(chosen)}; give it as the suffix or as format"
        )
    if compressed and chosen == "parquet":
        raise ValueError("Parquet files are already compressed; remove the suffix .gz")
    return chosen, compressed
