"""The result of a query as a DataFrame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from draive_pg.dataframes import pd
from draive_pg.display.frame import with_display
from draive_pg.operations.sql import Column

if TYPE_CHECKING:
    from pandas import DataFrame

# By OID of pg_type: dtypes without and with missing values.
INTEGERS = (20, 21, 23, 26)
FLOATS = (700, 701)
TEXTS = (18, 19, 25, 1042, 1043)
BOOLEAN, TIMESTAMP, TIMESTAMPTZ = 16, 1114, 1184
DTYPES: dict[int, tuple[Any, Any]] = {
    **dict.fromkeys(INTEGERS, ("int64", "Int64")),
    **dict.fromkeys(FLOATS, ("float64", "float64")),
    **dict.fromkeys(TEXTS, ("str", "str")),
    BOOLEAN: ("bool", "boolean"),
    TIMESTAMP: ("datetime64[us]", "datetime64[us]"),
    TIMESTAMPTZ: ("datetime64[us, UTC]", "datetime64[us, UTC]"),
}


def data_frame(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> "DataFrame":
    """Return rows as a DataFrame; columns of other types hold Python objects."""
    series: dict[int, Any] = {}
    for number, column in enumerate(columns):
        values = [row[number] for row in rows]
        complete, with_missing = DTYPES.get(column.type, ("object", "object"))
        dtype = with_missing if None in values else complete
        series[number] = pd.Series(values, dtype="object").astype(dtype)
    frame = pd.DataFrame(series, index=pd.RangeIndex(len(rows)))
    frame.columns = [column.name for column in columns]  # which may repeat
    return with_display(frame)
