"""What the driver raises, as errors of this package: one line each, with what to do."""

import logging
import re
from types import TracebackType

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from draive_pg.errors import (
    ConnectionFailed,
    DraivePGError,
    OperationFailed,
    PermissionDenied,
    TableMissing,
)

logger = logging.getLogger("draive_pg")

__all__ = ("CONNECT", "described", "short_tracebacks", "translated")

# Connection exceptions; shutdowns and timeouts that end the connection.
LOST = ("08", "57P", "25P03", "25P04")
CONNECT = "connect"
UNREACHABLE = "check the DSN, and that the server runs and lets you in"
ADVICE = {
    "42P01": "make the tables with setup() or `draive-pg setup`",
    "3F000": "make the schema with setup() or `draive-pg setup`",
    "42501": "connect as a role that has the right, or let the owner of the tables GRANT it",
    "25006": "connect to a server that takes writes",
    "53300": "close other connections, or raise the server's max_connections",
}
# A server that does not let us in gives no code, only one of these.
FULL = re.compile(
    "too many clients already|remaining connection slots are reserved|too many connections for"
)
DRIVER = (psycopg.Error, PoolClosed, PoolTimeout)
KINDS = {"42P01": TableMissing, "3F000": TableMissing, "42501": PermissionDenied}


class translated:  # noqa: N801 - stands in a `with`, as contextlib's do
    """Raise the driver's errors of a block as this package's, naming what was being done.

    Each call has such a block: it is a class because a generator takes several times as long.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, DRIVER):
            raise described(self._name, error) from error


def described(name: str, error: Exception) -> DraivePGError:
    """Return the error of this package for one of the driver."""
    sqlstate = error.sqlstate if isinstance(error, psycopg.Error) else None
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    text = f"{name}: {primary or str(error).partition('\n')[0]}"
    if sqlstate is None or sqlstate.startswith(LOST):
        if isinstance(error, psycopg.OperationalError | PoolClosed | PoolTimeout):
            advice = "the next call connects anew"
            if name == CONNECT:
                advice = ADVICE["53300"] if FULL.search(text) else UNREACHABLE
            return ConnectionFailed(_line(text, sqlstate, advice), sqlstate=sqlstate)
        return OperationFailed(_line(text, sqlstate), sqlstate=sqlstate)
    kind = KINDS.get(sqlstate, OperationFailed)
    return kind(_line(text, sqlstate, ADVICE.get(sqlstate)), sqlstate=sqlstate)


class short_tracebacks:  # noqa: N801 - stands in a `with`, as contextlib's do
    """Raise errors of a block without the frames of this package and of the driver.

    The message is for the caller, whose line a notebook then shows at once. The cause keeps its
    message. The whole traceback is logged at level DEBUG.

    Parameters
    ----------
    *more : type[Exception]
        Errors to shorten beside `DraivePGError` and `KeyboardInterrupt`.
    """

    __slots__ = ("_kinds",)

    def __init__(self, *more: type[Exception]) -> None:
        self._kinds = (DraivePGError, KeyboardInterrupt, *more)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not isinstance(error, self._kinds):
            return
        logger.debug("%s", type(error).__name__, exc_info=error)
        cause = error.__cause__
        if cause is not None:
            cause.__traceback__ = cause.__cause__ = None
            cause.__suppress_context__ = True
        error.__traceback__ = None
        raise error from cause


def _line(text: str, sqlstate: str | None, advice: str | None = None) -> str:
    return text + (f" ({sqlstate})" if sqlstate else "") + (f"; {advice}" if advice else "")
