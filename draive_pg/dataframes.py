"""numpy, pandas and pyarrow; the latter as `Any`, because it ships no type hints."""

# ruff: noqa: E402

from typing import Any

from draive_pg.uninterrupted_import import import_uninterrupted

import_uninterrupted("pandas", "pyarrow.compute", "pyarrow.csv")

import numpy as np
import pandas as pd
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.csv  # pyright: ignore[reportMissingTypeStubs]

__all__ = ("csv", "np", "pa", "parquet", "pc", "pd")

pa: Any = pyarrow
pc: Any = pyarrow.compute
csv: Any = pyarrow.csv


def parquet() -> Any:
    """Return the module ``pyarrow.parquet``; importing it takes 50 ms."""
    import_uninterrupted("pyarrow.parquet")
    import pyarrow.parquet  # pyright: ignore[reportMissingTypeStubs]

    return pyarrow.parquet
