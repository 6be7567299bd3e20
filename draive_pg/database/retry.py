"""Decide whether an operation that lost its connection is repeated on a new one."""

from collections.abc import Callable

from draive_pg.database.driver import Exchange
from draive_pg.database.observe import Observation, logger
from draive_pg.errors import ConnectionFailed, TimedOut

# The session was ended by an administrator, or by idle_session_timeout.
ENDED = ("57P01", "57P05")


def may_retry(
    error: ConnectionFailed,
    observed: Observation,
    written: Exchange | None,
    in_transaction: Callable[[], bool],
) -> bool:
    """Return whether to repeat an operation that lost its connection, and log it if so.

    It is repeated once: a read if it was sent; a write if the server reported the end of the
    session instead of the result of a statement before COMMIT, which it then did not execute.
    """
    if observed.retried or not observed.round_trips or isinstance(error, TimedOut):
        return False
    if written is not None and not (written.refused and error.sqlstate in ENDED):
        return False
    if in_transaction():  # last, because it raises if the transaction has failed
        return False
    observed.retried = True
    logger.warning("retrying after a lost connection: %s", error)
    return True
