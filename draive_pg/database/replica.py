"""The replica of a client: which long reads it answers, and when the primary does instead."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any

from draive_pg.database.endpoint import DsnEndpoint, Endpoint, parameters_of
from draive_pg.database.observe import logger
from draive_pg.display.text import format_size
from draive_pg.errors import ConnectionFailed, DraivePGError, TimedOut
from draive_pg.operations.identity import IDENTITY
from draive_pg.operations.operation import (
    Call,
    OnReplica,
    Operation,
    Query,
    Row,
    Statement,
    Steps,
    read_rows,
    workflow,
)

# Seconds to wait until the replica answers and has what this client wrote.
LAG_SECONDS = 2.0
POLL_SECONDS = 0.01

# Seconds for which the primary answers after the replica could not.
RETRY_SECONDS = 10.0

# For `diagnose`: a segment of the WAL. Less is usual while the primary is written to.
MAX_BEHIND = 1 << 24

# A conflict with recovery, and the deadlock of one.
CONFLICTS = ("40001", "40P01")

# The end of what has been committed. Without waiting for the disk, it may not be flushed yet; what
# is written after it may stay so, and not be sent, as long as a transaction is open. At the end of
# a page or of a segment, it is after the header of the next one, and that of a standby before it.
POSITION = Query(
    "replica.position",
    f"""
SELECT
    (position - CASE
        WHEN mod(bytes, pg_size_bytes(current_setting('wal_segment_size'))) = 40 THEN 40
        WHEN mod(bytes, 8192) = 24 THEN 24
        ELSE 0
    END)::TEXT,
    {IDENTITY}
FROM (
    SELECT
        position,
        position - '0/0'::PG_LSN AS bytes
    FROM (
        SELECT CASE
            WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            WHEN current_setting('synchronous_commit') <> 'off' THEN pg_current_wal_flush_lsn()
            ELSE pg_current_wal_insert_lsn()
        END AS position
    ) AS server
) AS server
""",
)

STATE = Query(
    "replica.state",
    f"""
SELECT
    pg_is_in_recovery(),
    pg_wal_lsn_diff(:position::PG_LSN, pg_last_wal_replay_lsn())::INT8,
    {IDENTITY}
""",
)


class Replica:
    """What a client knows of its replica.

    Parameters
    ----------
    endpoint : Endpoint
        The replica.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._last_write = object()  # another one after each write, so that threads can compare
        self._position: tuple[object, str, Sequence[int]] | None = None
        self._retry_at = 0.0

    def note_write(self) -> None:
        """Let later reads wait for what the primary has now."""
        self._last_write = object()

    @workflow
    def is_usable(self, is_busy: Callable[[], bool]) -> Steps[bool]:
        """Return whether the replica can answer now, with all that this client has seen.

        Parameters
        ----------
        is_busy : callable
            Return whether all connections to the replica are in use, for example by streams.
        """
        if is_busy() or monotonic() < self._retry_at:
            self.note_write()  # what the primary answers is seen by the client, too
            return False
        last_write, known = self._last_write, self._position
        if known is None or known[0] is not last_write:
            ((position, *identity),) = yield _read(POSITION())
            known = self._position = last_write, position, identity
        _, position, identity = known
        until = monotonic() + LAG_SECONDS
        while True:
            state = yield OnReplica(_read(STATE(position=position)), LAG_SECONDS)
            problem, behind = _problem(state, identity)
            if problem is None and behind > 0 and monotonic() > until:
                problem = f"it is more than {LAG_SECONDS:g} s behind"
            if problem is not None:
                self.give_way(problem)
                return False
            if behind <= 0:
                if is_busy():
                    self.note_write()
                    return False
                return True
            yield Call(partial(time.sleep, POLL_SECONDS))

    def give_way(self, reason: object) -> None:
        """Let the primary answer for a while, and warn of it."""
        logger.warning(
            "reading from the primary for %g s instead of the replica (%r): %s",
            RETRY_SECONDS,
            self._endpoint,
            reason,
        )
        self._retry_at = monotonic() + RETRY_SECONDS
        self.note_write()

    def is_replaceable(self, error: DraivePGError) -> bool:
        """Return whether the primary can answer a read that failed on the replica."""
        if isinstance(error, ConnectionFailed) and not isinstance(error, TimedOut):
            return True
        return error.sqlstate in CONFLICTS


@workflow
def diagnose_replica() -> Steps[tuple[str, ...]]:
    """Return the problems of the replica; none if there is no replica."""
    state = yield OnReplica(_read(STATE(position="0/0")), LAG_SECONDS)
    if state is None:
        return ()
    ((position, *identity),) = yield _read(POSITION())
    state = yield OnReplica(_read(STATE(position=position)), LAG_SECONDS)
    problem, behind = _problem(state, identity)
    if problem is None and behind > MAX_BEHIND:
        problem = f"it is {format_size(behind)} of WAL behind the primary"
    return () if problem is None else (f"the replica: {problem}",)


def replica_of(dsn: str) -> DsnEndpoint:
    """Return the endpoint of a replica.

    Raises
    ------
    TypeError, ValueError
        If the DSN is not of one server.
    """
    parameters = parameters_of(dsn)
    if "," in f"{parameters.get('host', '')}{parameters.get('hostaddr', '')}":
        raise ValueError("replica must be one server: of several, one may be behind another")
    return DsnEndpoint(parameters)


def _problem(state: Any, identity: Sequence[int]) -> tuple[str | None, int]:
    """Return why a replica cannot be used, and by how many bytes it is behind."""
    if isinstance(state, DraivePGError):
        return str(state), 0
    ((in_recovery, behind, *own),) = state
    system, timeline, database = identity
    if own[0] != system:
        return "it is not a replica of this primary", 0
    if not in_recovery:
        return "it was promoted, so it is not a replica any more", 0
    if own[1] != timeline:
        return f"it is on timeline {own[1]}, and the primary is on timeline {timeline}", 0
    if own[2] != database:
        return "its DSN names another database", 0
    return None, behind or 0


def _read(statement: Statement) -> Operation[Sequence[Row]]:
    return read_rows("compare with the replica", statement, list)
