"""Prepared statements: which a connection has, and whether the server of a client keeps them.

A transaction pooler may run the next statement in another session, which does not have them,
unless it supports them itself, by giving them names of its own.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from hashlib import blake2s

from psycopg import Error

from draive_pg.database.endpoint import EmbeddedEndpoint, Endpoint
from draive_pg.database.observe import logger
from draive_pg.errors import DraivePGError, OperationFailed

type Names = dict[tuple[bytes, Sequence[int] | None], bytes]
"""Names of prepared statements, by SQL text and types of the parameters."""

MAX_PREPARED = 256  # in each session; each takes some kilobytes of the server

FIRST = b"draive_pg_1"

# The first prepared statement asks whether it is in the session of the connection, by its name.
PROBE = (
    b"SELECT pg_backend_pid(), EXISTS (SELECT FROM pg_prepared_statements WHERE name = $1::TEXT)",
    (FIRST.decode(),),
)

# The server does not know a name, knows it already, or must plan the statement anew, because a
# table has other columns.
UNKNOWN = ("26000", "42P05")
OUTDATED = ("0A000",)


class Prepared:
    """The prepared statements of a connection.

    Attributes
    ----------
    names : Names
        Their names.
    """

    def __init__(self) -> None:
        self.names: Names = {}
        self._used = set[tuple[bytes, Sequence[int] | None]]()
        self._number = 0

    def name_of(self, sql: bytes, types: Sequence[int] | None) -> tuple[bytes | None, bool]:
        """Return the name of a statement, and whether it is yet to be prepared.

        A statement is prepared when it is used for the second time; None before that. A name is
        used once: after an error, it is not known whether the server has it. It contains a digest
        of the statement, so that it never runs one of another client if a pooler takes the place of
        the server later.
        """
        name = self.names.get((sql, types))
        if name is not None:
            return name, False
        if (sql, types) not in self._used and sql != PROBE[0]:
            self._used.add((sql, types))
            return None, False
        if self._number == MAX_PREPARED:
            return None, False
        self._number += 1
        if sql == PROBE[0]:
            return FIRST, True
        digest = blake2s(sql + repr(types).encode(), digest_size=8).hexdigest()
        return f"draive_pg_{self._number}_{digest}".encode(), True


class Preparing:
    """Whether the connections of a client prepare statements.

    Parameters
    ----------
    enabled : bool
        Whether they do, as long as the server keeps them.
    checked : bool
        Whether that is known, as for the embedded server.
    """

    def __init__(self, *, enabled: bool, checked: bool) -> None:
        self.enabled = enabled
        self._checked = checked

    def begin(self) -> tuple[Prepared | None, bool]:
        """Return what a new connection has prepared, and whether it must run `PROBE` first."""
        return (Prepared() if self.enabled else None), self.enabled and not self._checked

    def check(self, answer: Sequence[object], pid: int) -> None:
        """Check the answer of a new connection to `PROBE`, with the session's process ID."""
        session, visible = answer
        if session != pid and visible:
            self.disable("a pooler runs them in sessions that do not share them")

    @contextmanager
    def refusal(self) -> Generator[None]:
        """Prepare nothing from now on if a pooler refuses `PROBE`."""
        try:
            yield
        except Error as error:
            if error.sqlstate not in UNKNOWN:
                raise
            self.disable(str(error))

    def disable(self, reason: str) -> None:
        """Prepare nothing from now on, and warn once."""
        if self.enabled:
            self.enabled = False
            logger.warning("sending no prepared statements from now on: %s", reason)

    def may_resend(self, error: DraivePGError, prepared: Prepared | None) -> bool:
        """Return whether an operation failed because of its prepared statements alone."""
        if prepared is None or not isinstance(error, OperationFailed):
            return False
        if error.sqlstate in UNKNOWN:
            self.disable(str(error))
            return True
        if error.sqlstate in OUTDATED and prepared.names:
            prepared.names.clear()
            return True
        return False


NOT_PREPARING = Preparing(enabled=False, checked=True)


def preparing(endpoint: Endpoint, *, wanted: bool | None) -> Preparing:
    """Return whether the connections of an endpoint prepare statements; None: the embedded do."""
    embedded = isinstance(endpoint, EmbeddedEndpoint)
    return Preparing(enabled=embedded if wanted is None else wanted, checked=embedded)
