"""The relations that statements about conversations read, and the locks that their writers take.

Each statement is written once, on relations of elements and variables. Elements are documents as
draive 0.89 writes them.
"""

from collections.abc import Iterable
from typing import LiteralString

from draive_pg.operations.operation import Statement, advisory_lock, advisory_locks

# `place` gives rows with the same `created` one order in every statement, which need not be the
# order of insertion. The planner merges the subqueries into a statement.
ELEMENTS: LiteralString = """(
        SELECT identifier, created, ctid AS place, content FROM {schema}.memories_elements
    )"""
SNAPSHOTS: LiteralString = """(
        SELECT identifier, created, ctid AS place, variables FROM {schema}.memories_variables
    )"""


def lock_memory(identifier: str) -> Statement:
    """Lock a memory against other writers until the transaction ends."""
    return advisory_lock(f"memories/{identifier}")


def lock_memories(identifiers: Iterable[str]) -> Statement:
    """Lock several memories against other writers until the transaction ends."""
    return advisory_locks(f"memories/{identifier}" for identifier in identifiers)
