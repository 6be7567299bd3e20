"""The server that a client connects to: given by a DSN, or embedded."""

import asyncio
import os
import re
from collections.abc import Mapping
from typing import Protocol

from psycopg import ProgrammingError
from psycopg.abc import ConnParam
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draive_pg.codec.validation import check_schema, check_text

# If the server or the network drops packets, connecting fails after 10 seconds, and keepalives
# close an idle connection within two minutes. There is no tcp_user_timeout: it would also end a
# connection whose server waits for a lock while a large write is sent; `timeout` limits that.
DEFAULTS = {
    "fallback_application_name": "draive_pg",
    "keepalives_idle": "60",
    "keepalives_interval": "15",
    "keepalives_count": "4",
}
if "PGCONNECT_TIMEOUT" not in os.environ:
    DEFAULTS["connect_timeout"] = "10"

# Overrides the DSN and the defaults of the role and the server.
ENCODING = {"client_encoding": "UTF8"}

# Parameters that other drivers know, and what to write instead.
OTHER_PARAMETERS = {
    "ssl": "write sslmode=require, or another sslmode",
    "schema": "leave it out, and give the schema to the client: schema=...",
    "connection_limit": "leave it out, and give the limit to the client: max_size=...",
    "pool_timeout": "leave it out",
    "pgbouncer": "leave it out; a pooler needs no parameter",
}

PORTS = re.compile(r"[0-9,]*")
NOT_NAME = re.compile(r"@|://")
USER = re.compile(r":.*@")
SECONDS = re.compile(r"\s*-?[0-9]+\s*")


class Endpoint(Protocol):
    """The server to connect to."""

    def conninfo(self) -> str:
        """Return a connection string for libpq; start the server if it is the embedded one."""
        ...

    def close(self) -> None:
        """Stop the server that `conninfo` started, unless others use it."""
        ...


class DsnEndpoint:
    """A server given by libpq's parameters."""

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


class EmbeddedEndpoint:
    """The embedded server, started when it is first needed."""

    def __init__(self) -> None:
        # Not when it is first needed: a process may fork while another thread holds an import lock.
        from draive_pg.embedded import Server

        self._server = Server()
        self._used = False

    def conninfo(self) -> str:
        self._used = True
        # Called for each connection: `start` is cheap, and restarts a server that was killed.
        return _conninfo(conninfo_to_dict(self._server.start().conninfo()))

    def close(self) -> None:
        self._server.stop()

    def __repr__(self) -> str:
        return f"embedded {self._server.data}" if self._used else "embedded"


async def conninfo_async(endpoint: Endpoint) -> str:
    """Return an endpoint's conninfo without blocking the event loop while a server starts."""
    return await asyncio.to_thread(endpoint.conninfo)


def endpoint_of(dsn: str | None) -> Endpoint:
    """Return the endpoint of a DSN; None: that of $DRAIVE_PG_DSN, else the embedded server.

    Raises
    ------
    TypeError, ValueError
        If the DSN is empty, or libpq cannot read it.
    """
    if dsn is None:
        dsn = os.environ.get("DRAIVE_PG_DSN")
    return EmbeddedEndpoint() if dsn is None else DsnEndpoint(parameters_of(check_text(dsn, "dsn")))


def schema_of(schema: str | None) -> str | None:
    """Return the schema of the tables; None: that of $DRAIVE_PG_SCHEMA, else the search path.

    Raises
    ------
    TypeError, ValueError
        If it is not a name of a schema.
    """
    return check_schema(os.environ.get("DRAIVE_PG_SCHEMA") if schema is None else schema)


def parameters_of(dsn: str) -> Mapping[str, ConnParam]:
    """Return the parameters of a DSN, or raise ValueError if libpq cannot read it."""
    if not dsn.strip():
        # An environment variable for an address is often empty by mistake.
        raise ValueError(
            "the DSN is empty: set DRAIVE_PG_DSN or the argument to an address, or leave both out "
            "for the embedded server"
        )
    try:
        parameters = conninfo_to_dict(dsn)
    except ProgrammingError as error:
        # Not chained or quoted: libpq's message contains parts of the DSN, and so of the password.
        for name, advice in OTHER_PARAMETERS.items():
            if f'"{name}"' in str(error):
                raise ValueError(
                    f"the DSN has the parameter {name!r}, which libpq does not know: {advice}"
                ) from None
        raise ValueError(
            "the DSN is neither a URI postgresql://user@host/database nor keywords "
            "'host=… dbname=…' that libpq knows"
        ) from None
    host, port, name, user = (
        str(parameters.get(key, "")) for key in ("host", "port", "dbname", "user")
    )
    if "@" in host[1:] or not PORTS.fullmatch(port) or NOT_NAME.search(name) or USER.search(user):
        # Otherwise the repr would show part of the password as part of the address.
        raise ValueError(
            "the DSN is ambiguous: in a URI, percent-encode the @ of a password as %40, "
            "its / as %2F and its : as %3A"
        )
    if not SECONDS.fullmatch(str(parameters.get("connect_timeout", "0"))):
        raise ValueError("connect_timeout in the DSN must be a whole number of seconds")
    return parameters


def _conninfo(parameters: Mapping[str, ConnParam]) -> str:
    return make_conninfo("", **{**DEFAULTS, **parameters, **ENCODING})
