"""Map psycopg's exceptions to those of this package: one line each, with advice."""

import asyncio
import re

import psycopg

from draive_pg.database.deadline import NoAnswer
from draive_pg.database.observe import logger
from draive_pg.errors import (
    ConnectionFailed,
    DraivePGError,
    OperationFailed,
    PermissionDenied,
    TableMissing,
    TimedOut,
)

# Connection exceptions; shutdowns and timeouts that end the session.
LOST = ("08", "57P", "25P03", "25P04")
# A server that is starting, stopping, short of resources, or does not finish a statement in time.
TRANSIENT = (*LOST, "53", "57014", "58", "55P03")
CONNECT = "connect"
UNREACHABLE = "check the DSN, and that the server is running and accepts your connection"
ADVICE = {
    "42P01": "create the tables with setup() or `draive-pg setup`",
    "42703": "upgrade the tables with setup() or `draive-pg setup`",
    "3F000": "create the schema with setup() or `draive-pg setup`",
    "42501": "connect as a role with the privilege, or ask the owner of the tables to GRANT it",
    "25006": "connect to a server that accepts writes",
    "53300": "close other connections, or raise the server's max_connections",
}
QUERY = "run a query"  # of `Client.sql`
ADVICE_OF_QUERIES = {
    **ADVICE,
    "42601": "give one SELECT, VALUES or WITH query",
    "42703": "check the names of the columns in the query",
    "42P01": "check the names of the tables in the query; setup() creates those of draive_pg",
}
# psycopg gets no SQLSTATE if the server has no free slots, only one of these messages.
FULL = re.compile(
    "too many clients already|remaining connection slots are reserved|too many connections for"
)
# Of errors whose code does not tell enough: cancellations on a replica have that of serialization
# failures, views of frames are missing as tables are, and prompts have a table for each draive.
PATTERNS = (
    (
        re.compile("conflict with recovery"),
        "set hot_standby_feedback=on on the replica, or raise max_standby_streaming_delay",
    ),
    (
        re.compile(r'relation "draive_pg\.(?!draive_pg_).*" does not exist'),
        "create the views with frames.create_views() or `draive-pg views create`",
    ),
    (
        re.compile(r'relation "([^"]+\.)?(instructions|templates)" does not exist'),
        "create the tables with setup() or `draive-pg setup`; it creates instructions for draive "
        "0.87 to 0.89, and templates for a newer one: choose with draive= or $DRAIVE_PG_DRAIVE",
    ),
)
KINDS = {"42P01": TableMissing, "3F000": TableMissing, "42501": PermissionDenied}


class map_errors:  # noqa: N801 - a context manager, named as contextlib's are
    """Convert psycopg's errors in a block to those of this package.

    A class, because every call enters it, and ``@contextmanager`` is several times slower.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and self._name == CONNECT:
            # Their frames have the password in their variables.
            error.__traceback__ = error.__context__ = error.__cause__ = None
        if isinstance(error, UnicodeError) and self._name == CONNECT:
            text = f"{CONNECT}: a label of the host name is empty or too long; {UNREACHABLE}"
            raise ConnectionFailed(text) from None
        if isinstance(error, psycopg.Error):
            raise to_package_error(self._name, error) from error


def to_package_error(name: str, error: psycopg.Error) -> DraivePGError:
    """Return the error of this package for one of psycopg."""
    sqlstate = error.sqlstate
    reason = (error.diag.message_primary or str(error)).partition("\n")[0]
    text = f"{name}: {reason.removeprefix('connection failed: ')}"
    if isinstance(error, NoAnswer):
        return TimedOut(_line(text, None, "if it may take longer, raise Client(timeout=...)"))
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return TimedOut(_line(text, None, f"{UNREACHABLE}, or raise connect_timeout in the DSN"))
    if sqlstate is None or sqlstate.startswith(LOST):
        if sqlstate is not None or isinstance(error, psycopg.OperationalError):
            advice = "the next call connects again"
            if name == CONNECT:
                advice = ADVICE["53300"] if FULL.search(text) else UNREACHABLE
            return ConnectionFailed(_line(text, sqlstate, advice), sqlstate=sqlstate)
        return OperationFailed(_line(text, sqlstate), sqlstate=sqlstate)
    kind = KINDS.get(sqlstate, OperationFailed)
    known = ADVICE_OF_QUERIES if name == QUERY else ADVICE
    advice = next((each for pattern, each in PATTERNS if pattern.search(text)), known.get(sqlstate))
    return kind(_line(text, sqlstate, advice), sqlstate=sqlstate)


def is_outage(error: BaseException) -> bool:
    """Return whether an error means that the server cannot answer now, of any driver."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionFailed | OSError):
            return True
        sqlstate = getattr(cause, "sqlstate", None)
        if isinstance(sqlstate, str):
            return sqlstate.startswith(TRANSIENT)
        if isinstance(cause, psycopg.OperationalError):  # without an answer of the server
            return True
        cause = cause.__cause__
    return False


def _line(text: str, sqlstate: str | None, advice: str | None = None) -> str:
    return text + (f" ({sqlstate})" if sqlstate else "") + (f"; {advice}" if advice else "")


class ShortTracebacks:
    """Remove the frames of this package and of psycopg from errors that leave a block.

    A notebook then shows the caller's line directly. The full traceback is logged at level DEBUG.

    Parameters
    ----------
    *kinds : type[BaseException]
        The errors to shorten.
    """

    __slots__ = ("_kinds",)

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self.shorten(error)

    def shorten(self, error: BaseException) -> None:
        """Remove the frames of an error that is raised again."""
        if not isinstance(error, self._kinds):
            return
        logger.debug("%s", type(error).__name__, exc_info=error)
        if (cause := error.__cause__) is not None:
            cause.__traceback__ = cause.__cause__ = None
            cause.__suppress_context__ = True
        if cause is None:
            error.__context__ = _of_caller(error.__context__)
        error.__traceback__ = None  # the interpreter adds the frames of the caller


def _of_caller(error: BaseException | None) -> BaseException | None:
    """Return the first error of a chain that was raised outside this package and the driver."""
    while error is not None and _is_internal(error):
        error = error.__context__
    return error


def _is_internal(error: BaseException) -> bool:
    if error.__traceback__ is None:
        return True
    module = error.__traceback__.tb_frame.f_globals.get("__name__", "")
    return module.partition(".")[0] in ("draive_pg", "psycopg")


# Errors that the caller can act on. TypeError and ValueError count only in argument checks.
EXPECTED = (
    *(DraivePGError, OSError, ModuleNotFoundError),
    *(KeyboardInterrupt, asyncio.CancelledError),
)
short_tracebacks = ShortTracebacks(*EXPECTED)
short_argument_errors = ShortTracebacks(*EXPECTED, TypeError, ValueError)
