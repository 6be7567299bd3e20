"""Estimate numbers of rows, for the totals of progress bars."""

import re

from draive_pg.operations.operation import Fallback, Operation, Statement

ROWS = re.compile(r"rows=(\d+)")  # in a plan


def estimate(name: str, statement: Statement, fallback: Fallback | None = None) -> Operation[int]:
    """Return how many rows of a statement the planner expects, by its statistics."""
    return Operation(
        name=name,
        statements=(Statement(f"EXPLAIN {statement.sql}", statement.parameters),),
        decode=lambda rows: int(ROWS.findall(str(rows[0][0]))[0]),
        read_only=True,
        long=True,
        fallback=fallback,
    )
