"""Estimate numbers of rows, for the totals of progress bars."""

import re

from draive_pg.operations.operation import Fallback, Operation, Statement, read_rows

ROWS = re.compile(r"rows=(\d+)")  # in a plan


def estimate(name: str, statement: Statement, fallback: Fallback | None = None) -> Operation[int]:
    """Return how many rows of a statement the planner expects, by its statistics."""
    return read_rows(
        name,
        Statement(f"EXPLAIN {statement.sql}", statement.parameters),
        lambda rows: int(ROWS.findall(str(rows[0][0]))[0]),
        fallback=fallback,
        long=True,
    )
