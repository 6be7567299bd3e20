"""Read the rows of tables: CSV, Parquet and DataFrames."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import ast
import csv
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import IO, Any, cast
from uuid import UUID

from draive_pg.chat.files.document import MAX_DOCUMENT, Document, File
from draive_pg.chat.files.scanner import Scanner
from draive_pg.codec.validation import shown
from draive_pg.errors import ChatInvalid

PARQUET_ROWS = 256
DELIMITERS = (",", ";", "\t")
MAX_NAME = 100  # characters of the name of a column of CSV

# Columns with the text of a message, which may be JSON that a model or a user wrote, unless it is a
# list of parts or messages.
TEXTS = (
    "content",
    "text",
    "value",
    "prompt",
    "question",
    "query",
    "response",
    "completion",
    "answer",
    "chosen",
    "rejected",
)
MARKS = frozenset({"type", "role", "from", "text", "parts"})


def delimiter_of(header: str) -> str | None:
    """Return the first delimiter that separates names in the header of a CSV file, or None."""
    return next((each for each in DELIMITERS if _is_header(header, each)), None)


def _is_header(line: str, delimiter: str) -> bool:
    try:
        names = next(csv.reader([line.strip()], delimiter=delimiter), [])
    except csv.Error:
        return False
    return len(names) > 1 and all(name.strip() and len(name) <= MAX_NAME for name in names)


def check_columns(names: Iterable[Any], name: str) -> None:
    """Raise ChatInvalid if two columns have the same name, because a row has one value for it."""
    (column, count), *_ = Counter(names).most_common(1) or [("", 0)]
    if count > 1:
        raise ChatInvalid(f"{name}: two columns are named {shown(column)}")


def csv_rows(scanner: Scanner, name: str, delimiter: str) -> Iterator[Mapping[str, Any]]:
    """Read the rows of a CSV file."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_DOCUMENT))
    try:
        rows = csv.DictReader(scanner.lines(), restkey="others", strict=True, delimiter=delimiter)
        check_columns(rows.fieldnames or (), name)
        yield from rows
    except csv.Error as error:  # without `strict`, an open quote would take all further rows
        raise ChatInvalid(f"{name}: broken CSV data: {error}") from error


def documents_of(rows: Iterable[Mapping[str, Any]], file: File) -> Iterator[Document]:
    """Yield each row as a document, without missing values."""
    for number, row in enumerate(rows, start=1):
        texts = (*TEXTS, "input", "output") if "instruction" in row else TEXTS
        value = {
            str(key): _cell(found, is_text=str(key) in texts)
            for key, each in row.items()
            if (found := plain(each)) is not None
        }
        yield Document(value, file, f"row {number}")


def _cell(value: Any, *, is_text: bool) -> Any:
    """Decode a cell with JSON; the text of a message stays text."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    decoded = _decoded(value)
    if not is_text:
        return decoded
    items = cast("list[Any]", decoded if isinstance(decoded, list) else [])
    listed = bool(items) and all(
        isinstance(each, dict) and not MARKS.isdisjoint(each) for each in items
    )
    return decoded if listed else value


def _decoded(text: str) -> Any:
    """Decode JSON, or a list or dictionary as Python and pandas write it; other text is itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(json.dumps(ast.literal_eval(text)))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return text


def frame_rows(frame: Any) -> Iterator[Mapping[str, Any]]:
    """Return the rows of a DataFrame of pandas, with its named indexes, or of Polars."""
    index = getattr(getattr(frame, "index", None), "names", ())
    if named := [each for each in index if each is not None and each not in frame.columns]:
        frame = frame.reset_index(level=named)
    columns = list(frame.columns)
    check_columns(columns, "data")
    is_polars = hasattr(frame, "iter_rows")
    for values in frame.iter_rows() if is_polars else frame.itertuples(index=False, name=None):
        yield dict(zip(columns, values, strict=True))


def parquet_rows(file: IO[bytes], name: str) -> Iterator[Mapping[str, Any]]:
    """Read the rows of a Parquet file in batches."""
    from draive_pg.dataframes import pa, parquet

    try:
        table = parquet().ParquetFile(file)
        check_columns(table.schema_arrow.names, name)
        for batch in table.iter_batches(batch_size=PARQUET_ROWS):
            yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise ChatInvalid(f"{name}: broken Parquet data: {error}") from error


def plain(value: Any) -> Any:  # noqa: PLR0911 - one return per type
    """Return a value of pandas or NumPy as one of Python; missing values are None."""
    match value:
        case None | bool() | int() | str() | bytes():
            return value
        case float():
            return None if math.isnan(value) else float(value)
        case UUID():
            return str(value)
        case Decimal():
            whole = value.is_finite() and value == value.to_integral_value()
            return plain(int(value) if whole else float(value))
        case Mapping():
            return {key: plain(each) for key, each in cast("Mapping[Any, Any]", value).items()}
        case list() | tuple():
            return [plain(each) for each in cast("Sequence[Any]", value)]
        case date():
            return None if value != value else value  # noqa: PLR0124 - pandas' NaT
        case _ if type(value).__name__ in ("NAType", "NaTType"):
            return None
        case _ if hasattr(value, "tolist"):
            return plain(value.tolist())
        case _:
            return value
