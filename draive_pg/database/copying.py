"""COPY out of PostgreSQL, for both colours: its text, and its rows some thousand at a time."""

import re
from typing import TYPE_CHECKING, Any, LiteralString, cast

from psycopg import AsyncConnection, AsyncCopy, Connection
from psycopg import Copy as SyncCopy
from psycopg.abc import PQGen
from psycopg.sql import Literal

from draive_pg.operations.copying import Buffer
from draive_pg.operations.operation import Statement, qualified

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("copied", "received")

# What is taken at once: enough for vectors to pay, few enough for the processor's cache.
ROWS = 1000
BYTES = 1 << 20

PLACEHOLDER = re.compile(r"\$([0-9]+)")


def copied(
    statement: Statement, schema: str | None, connection: Connection | AsyncConnection
) -> bytes:
    """Return the text of a statement's binary COPY, with its parameters as literals.

    They are put in where the text is cut at its placeholders, so none is looked for in them.
    """
    cut = PLACEHOLDER.split(statement.sql)
    cut[::2] = [qualified(cast(LiteralString, text), schema) for text in cut[::2]]
    parameters = statement.parameters or ()
    cut[1::2] = [Literal(parameters[int(number) - 1]).as_bytes(connection) for number in cut[1::2]]
    return b"COPY (%b) TO STDOUT (FORMAT BINARY)" % b"".join(cast(list[bytes], cut))


def received(copy: SyncCopy | AsyncCopy) -> PQGen[list[Buffer]]:
    """Receive some rows, a message each, and none at the end.

    psycopg would wait for each row by itself, and take half as long again.
    """
    receive: Callable[[], PQGen[Buffer]] = cast(Any, copy)._read_gen  # noqa: SLF001
    messages: list[Buffer] = []
    size = 0
    while len(messages) < ROWS and size < BYTES and (message := (yield from receive())):
        messages.append(message)
        size += len(message)
    return messages
