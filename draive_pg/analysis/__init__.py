"""Answers to questions about conversations, computed from DataFrames.

Each function takes DataFrames of `db.frames`, or of files exported from them (Parquet, CSV or JSON
Lines, read by pandas), and returns a DataFrame with fixed columns and dtypes. `db.analysis` reads
the DataFrames from the database and calls these functions.
"""

from draive_pg.analysis.conversations import (
    Period,
    abandoned,  # pyright: ignore[reportDeprecated] - kept for one more version
    activity,
    check_period,
    turns,
    unanswered,
)
from draive_pg.analysis.history import label_periods, live_revisions, variable_changes
from draive_pg.analysis.tools import FAILURE, check_failure, repeated_calls, tools
from draive_pg.analysis.usage import Prices, n_tokens, usage
from draive_pg.analysis.variables import by_variable

__all__ = (
    "FAILURE",
    "Period",
    "Prices",
    "abandoned",
    "activity",
    "by_variable",
    "check_failure",
    "check_period",
    "label_periods",
    "live_revisions",
    "n_tokens",
    "repeated_calls",
    "tools",
    "turns",
    "unanswered",
    "usage",
    "variable_changes",
)
