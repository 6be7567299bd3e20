"""Chat logs of other tools, read as messages."""
