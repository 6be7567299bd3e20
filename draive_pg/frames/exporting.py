"""A frame written to a file, some rows at a time: Parquet, CSV or JSON Lines."""

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, Protocol, get_args

from draive_pg.atomic_file import Replacement
from draive_pg.codec.validation import shown
from draive_pg.display.progress import progress as bar_of
from draive_pg.frames.arrow import pa, pc
from draive_pg.frames.assembling import Tables, schema
from draive_pg.frames.frame import Format, Frame, Kind
from draive_pg.frames.query import Filters, Query, query
from draive_pg.operations.copy import Copy, Rows

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ("export",)

CSVWriter: Any = import_module("pyarrow.csv").CSVWriter
ParquetWriter: Any = import_module("pyarrow.parquet").ParquetWriter

# Rows that are written at once; Parquet has as many in a row group.
ROWS = 1 << 15

FORMATS: tuple[Format, ...] = get_args(Format.__value__)

ISO_8601 = "%Y-%m-%dT%H:%M:%SZ"  # Arrow writes seconds with their microseconds


def export(
    frame: Frame,
    path: Path | str,
    filters: Filters,
    *,
    format: Format | None,  # noqa: A002 - as the public methods name it
    progress: bool | None,
) -> Copy[int]:
    """Write the rows of a frame to a file; how many they are.

    Raises
    ------
    ValueError
        If the format cannot be told, or a filter is wrong.
    """
    chosen, packed = _format(Path(path), format)
    asked = query(frame, **filters)
    replacement = Replacement(Path(path))

    @contextmanager
    def collect() -> Generator[Export]:
        with ExitStack() as stack:
            stack.enter_context(replacement)
            file = stack.enter_context(replacement.open())
            sink = stack.enter_context(pa.output_stream(file, "gzip" if packed else None))
            writer = stack.enter_context(closing(WRITERS[chosen](sink, asked.columns)))
            bar = stack.enter_context(bar_of(None, frame.name, " rows", wanted=progress))

            def complete() -> None:
                writer.close()
                sink.close()
                replacement.complete()

            yield Export(asked, writer, bar, complete)

    return Copy(f"export frame {frame.name}", asked.statement, collect)


class Writer(Protocol):
    """Writes tables to a file in one format."""

    def write(self, table: Any) -> None:
        """Write the rows of a table after those before."""
        ...

    def close(self) -> None:
        """Write what the format has at its end."""
        ...


class Export:
    """Collects rows in a file, which gets its name when it has them all."""

    def __init__(
        self, query: Query, writer: Writer, bar: "tqdm[Any]", complete: Callable[[], None]
    ) -> None:
        self._tables = Tables(query, ROWS)
        self._writer = writer
        self._bar = bar
        self._complete = complete
        self._rows = 0

    def take(self, rows: Rows) -> Sequence[int]:
        self._write(self._tables.take(rows))
        return ()

    def finish(self) -> Sequence[int]:
        self._write(self._tables.finish())
        self._complete()
        return (self._rows,)

    def _write(self, tables: Iterable[Any]) -> None:
        for table in tables:
            self._writer.write(table)
            self._rows += table.num_rows
            self._bar.update(table.num_rows)


class Parquet:
    """Writes tables as Parquet; JSON stays text."""

    def __init__(self, sink: Any, columns: Mapping[LiteralString, Kind]) -> None:
        self._writer = ParquetWriter(sink, schema(columns))

    def write(self, table: Any) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


class Csv:
    """Writes tables as CSV: a text that is missing is empty, one without characters is quoted."""

    def __init__(self, sink: Any, columns: Mapping[LiteralString, Kind]) -> None:
        self._times = [name for name, kind in columns.items() if kind == "time"]
        self._writer = CSVWriter(sink, self._readable(schema(columns).empty_table()).schema)

    def write(self, table: Any) -> None:
        self._writer.write_table(self._readable(table))

    def close(self) -> None:
        self._writer.close()

    def _readable(self, table: Any) -> Any:
        for name in self._times:
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, pc.strftime(table[name], ISO_8601))
        return table


class JsonLines:
    """Writes tables as JSON Lines: a document a row, with the JSON columns in it."""

    def __init__(self, sink: Any, columns: Mapping[LiteralString, Kind]) -> None:
        self._sink = sink
        self._columns = columns
        self._line = "{" + ", ".join(f'"{name}": %s' for name in columns) + "}\n"

    def write(self, table: Any) -> None:
        values = [_json(kind, table[name]) for name, kind in self._columns.items()]
        self._sink.write("".join(map(self._line.__mod__, zip(*values, strict=True))).encode())

    def close(self) -> None:
        pass


WRITERS: Mapping[Format, Callable[[Any, Mapping[LiteralString, Kind]], Writer]] = {
    "parquet": Parquet,
    "csv": Csv,
    "jsonl": JsonLines,
}


def _json(kind: Kind, column: Any) -> Iterable[str]:
    """Return the JSON texts of the values of a column."""
    match kind:
        case "text":
            encode = json.JSONEncoder(ensure_ascii=False).encode
            return ("null" if text is None else encode(text) for text in column.to_pylist())
        case "time":
            texts = pc.strftime(column, f'"{ISO_8601}"')
        case "number":
            texts = pc.if_else(pc.is_finite(column), column, None).cast(pa.string())
        case _:
            texts = column.cast(pa.large_string())
    return pc.fill_null(texts, "null").to_pylist()


def _format(target: Path, wanted: Format | None) -> tuple[Format, bool]:
    """Return in which format a file is written, and whether that is compressed as a whole."""
    *_, suffix, last = "", "", *(suffix.lower() for suffix in target.suffixes)
    packed = last == ".gz"
    chosen = wanted if wanted is not None else (suffix if packed else last).removeprefix(".")
    if chosen not in FORMATS:
        raise ValueError(
            f"the format of {target.name!r:.80} must be one of {', '.join(FORMATS)}, not "
            f"{shown(chosen)}; give it as the suffix or as format"
        )
    if packed and chosen == "parquet":
        raise ValueError("Parquet is compressed by itself; leave the suffix .gz out")
    return chosen, packed
