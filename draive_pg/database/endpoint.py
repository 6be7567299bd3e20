"""Which database a client is for: a DSN, or the embedded server."""

import asyncio
import os
import re
import weakref
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from psycopg import ProgrammingError
from psycopg.abc import ConnParam
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draive_pg.codec.validation import check_text

if TYPE_CHECKING:
    from draive_pg.embedded import Server

__all__ = ("Given", "Target", "conninfo_async", "parameters_of", "target_of")

# Where neither the DSN nor the environment says: a server that drops packets must not hang a
# notebook.
DEFAULTS = {"fallback_application_name": "draive_pg"}
if "PGCONNECT_TIMEOUT" not in os.environ:
    DEFAULTS["connect_timeout"] = "10"

# Over all else: the texts that we send and read are UTF-8, whatever a role or a server prefers.
ENCODING = {"client_encoding": "UTF8"}

PORTS = re.compile(r"[0-9,]*")
NOT_NAME = re.compile(r"@|://")
USER = re.compile(r":.*@")


class Target(Protocol):
    """Where connections are made to."""

    def conninfo(self) -> str:
        """Return what libpq connects by, with a server there to connect to where we run it."""
        ...

    def close(self) -> None:
        """Let go of what `conninfo` started."""
        ...


class Given:
    """A database that the user runs, by libpq's parameters."""

    def __init__(self, parameters: Mapping[str, ConnParam]) -> None:
        self._parameters = parameters

    def conninfo(self) -> str:
        return _conninfo(self._parameters)

    def close(self) -> None:
        pass

    def __repr__(self) -> str:
        parameters = self._parameters
        shown = ("host", "hostaddr", "port", "dbname", "user", "service")
        return " ".join(f"{key}={parameters[key]}" for key in shown if key in parameters)


class Embedded:
    """The PostgreSQL that we run ourselves, started when first needed."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._making = Lock()

    def conninfo(self) -> str:
        with self._making:
            if self._server is None:
                from draive_pg.embedded import Server

                self._server = Server()
                # Not of the client: a connection that is just being made may outlive it.
                weakref.finalize(self, self._server.stop)
        # Again for each connection: it is a cheap check, and brings back a server that was killed.
        # An empty hostaddr outdoes $PGHOSTADDR, which would lead elsewhere.
        return _conninfo({**conninfo_to_dict(self._server.start().uri()), "hostaddr": ""})

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()

    def __repr__(self) -> str:
        return "embedded" if self._server is None else f"embedded {self._server.data}"


async def conninfo_async(target: Target) -> str:
    """Return a target's conninfo; where a server must be started first, the event loop goes on."""
    return await asyncio.to_thread(target.conninfo)


def target_of(dsn: str | None) -> Target:
    """Return the database of a DSN, of $DRAIVE_PG_DSN for None, or the embedded one.

    Raises
    ------
    TypeError, ValueError
        If libpq cannot read the DSN.
    """
    if dsn is None:
        dsn = os.environ.get("DRAIVE_PG_DSN") or None
    return Embedded() if dsn is None else Given(parameters_of(check_text(dsn, "dsn")))


def parameters_of(dsn: str) -> Mapping[str, ConnParam]:
    """Return the parameters of a DSN, or raise ValueError if libpq cannot read it."""
    try:
        parameters = conninfo_to_dict(dsn)
    except ProgrammingError:
        # Not chained: libpq quotes the DSN, and with it the password.
        raise ValueError(
            "the DSN is neither a URI postgresql://user@host/database nor keywords "
            "'host=… dbname=…' that libpq knows"
        ) from None
    host, port, name, user = (
        str(parameters.get(key, "")) for key in ("host", "port", "dbname", "user")
    )
    if "@" in host[1:] or not PORTS.fullmatch(port) or NOT_NAME.search(name) or USER.search(user):
        # Else the end of a password would be taken, and shown, for a part of the address.
        raise ValueError(
            "the DSN cannot be taken apart: in a URI, percent-encode the @ of a password as %40, "
            "its / as %2F and its : as %3A"
        )
    return parameters


def _conninfo(parameters: Mapping[str, ConnParam]) -> str:
    return make_conninfo("", **{**DEFAULTS, **parameters, **ENCODING})
