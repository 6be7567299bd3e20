"""Which tool calls failed: the one rule of frames, analysis and transcripts."""

import re
from typing import Any, LiteralString

# Start of a response that reports a failure. Chat logs do not mark failures otherwise.
FAILURE = r'\s*(?:\{\s*"error"|error\b)'

# The same, case-insensitive, as a literal of PostgreSQL.
FAILURE_SQL: LiteralString = r"""E'^\\s*(?:\\{\\s*"error"|error\\y)'"""


def failed(handling: Any, response: Any, failure: str = FAILURE) -> bool:
    """Return whether a tool call failed.

    Parameters
    ----------
    handling : object
        The handling of its response; ``error`` is a failure.
    response : object
        The text of its response; missing if it is not a str.
    failure : str
        Regular expression, case-insensitive: a response that starts with a match is a failure.
    """
    if handling == "error":
        return True
    return isinstance(response, str) and bool(re.match(failure, response, re.IGNORECASE))
