"""Columns and dtypes of DataFrames, as documented and as returned."""

import inspect
import re
from collections.abc import Callable, Mapping

import pandas as pd

ROW = re.compile(r"^ *\| (\w+) +\| ([\w\[\], ]+?) +\|", re.MULTILINE)


def documented(function: Callable[..., object]) -> Mapping[str, str]:
    """Return the dtypes by column of the table in a docstring."""
    header, *rows = ROW.findall(inspect.getdoc(function) or "")
    assert header == ("column", "dtype")
    return dict(rows)


def dtypes(frame: pd.DataFrame) -> Mapping[str, str]:
    """Return the dtypes of a DataFrame by column."""
    return {str(column): str(dtype) for column, dtype in frame.dtypes.items()}
