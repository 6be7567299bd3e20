"""COPY out of PostgreSQL, for both colours: its text, and its rows some thousand at a time."""

import re
from array import array
from typing import LiteralString, cast

from psycopg import AsyncConnection, AsyncCopy, Connection
from psycopg import Copy as SyncCopy
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.sql import Literal
from psycopg.waiting import Wait

from draive_pg.operations.copy import Rows
from draive_pg.operations.operation import Statement, qualified

__all__ = ("copied", "received")

# What is taken at once: enough for vectors to pay, few enough for the processor's cache.
ROWS = 1000
BYTES = 1 << 20

# What precedes the first row, in its message, and what follows the last, in one of its own.
SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER = 19
TRAILER = b"\xff\xff"

PLACEHOLDER = re.compile(r"\$([0-9]+)")


def copied(
    statement: Statement, schema: str | None, connection: Connection | AsyncConnection
) -> bytes:
    """Return the text of a statement's binary COPY, with its parameters as literals.

    They are put in where the text is cut at its placeholders, so none is looked for in them.
    """
    cut = PLACEHOLDER.split(statement.sql)
    cut[::2] = [qualified(cast("LiteralString", text), schema) for text in cut[::2]]
    parameters = statement.parameters or ()
    cut[1::2] = [Literal(parameters[int(number) - 1]).as_bytes(connection) for number in cut[1::2]]
    return b"COPY (%b) TO STDOUT (FORMAT BINARY)" % b"".join(cast("list[bytes]", cut))


def received(copy: SyncCopy | AsyncCopy) -> PQGen[Rows | None]:
    """Receive some rows, and None when there are no more.

    psycopg would wait for each row by itself and keep it as an object, which takes twice as long.
    """
    pgconn = copy.connection.pgconn
    if pgconn.transaction_status in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
        return None  # for the end was told with the rows before
    data, sizes = bytearray(), array("q")
    while len(sizes) < ROWS and len(data) < BYTES:
        size, row = pgconn.get_copy_data(1)
        if size > 0:
            data += row
            sizes.append(size)
        elif size == 0:
            while not (yield Wait.R):
                pass
            pgconn.consume_input()
        else:
            result, *_ = yield from fetch_many(pgconn)
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result, encoding=copy.connection.info.encoding)
            break
    if data.startswith(SIGNATURE):
        del data[:HEADER]
        sizes[0] -= HEADER
    if data.endswith(TRAILER) and sizes[-1] == len(TRAILER):
        del data[-sizes.pop() :]
    return Rows(data, sizes) if sizes else None
