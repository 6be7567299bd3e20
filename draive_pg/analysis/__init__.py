"""What analysts ask of conversations, answered from DataFrames alone.

Each function takes frames as `db.frames` makes them, or as they come back from a file that they
were exported to, and returns a frame with fixed columns. `db.analysis` reads the frames and asks.
"""

from draive_pg.analysis.conversations import Period, abandoned, activity, check_period, turns
from draive_pg.analysis.states import live_revisions, variable_changes
from draive_pg.analysis.tools import FAILURE, check_failure, repeated_calls, tools

__all__ = (
    "FAILURE",
    "Period",
    "abandoned",
    "activity",
    "check_failure",
    "check_period",
    "live_revisions",
    "repeated_calls",
    "tools",
    "turns",
    "variable_changes",
)
