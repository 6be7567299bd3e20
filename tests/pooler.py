"""Transaction poolers: clients share server connections, one transaction at a time."""

import asyncio
import os
import shutil
import socket
import struct
import subprocess
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Generator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draive_pg.embedded.ownership import Owner
from tests.recording_proxy import Proxy, running
from tests.server import accepts_connections, scratch_directory, wait_until

# Parameters that a server reports after authentication.
PARAMETERS = (
    *("server_version", "server_encoding", "client_encoding", "integer_datetimes"),
    *("standard_conforming_strings", "DateStyle", "TimeZone", "is_superuser"),
)

REQUESTS = (80877103, 80877104)  # TLS and GSS encryption requests
CANCEL = 80877102
IDLE = b"I"


class Server:
    """A server connection, opened by libpq to support every authentication method."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True, sslmode="disable")

    async def open(self) -> None:
        own = socket.socket(fileno=os.dup(self.connection.fileno()))
        self.reader, self.writer = await asyncio.open_connection(sock=own)

    def close(self) -> None:
        self.writer.close()
        self.connection.close()


class Pooler(Proxy):
    """A pooler like PgBouncer before 1.21, without support for prepared statements."""

    def __init__(self, dsn: str, size: int) -> None:
        super().__init__(dsn)
        self._target = dsn
        self._size = size
        self._free = asyncio.Queue[Server]()

    async def run(self, started: threading.Event, stop: asyncio.Event) -> None:
        for _ in range(self._size):
            await self._add_server()
        await super().run(started, stop)
        while not self._free.empty():
            self._free.get_nowait().close()

    async def _add_server(self) -> None:
        server = await asyncio.to_thread(Server, self._target)
        await server.open()
        self._free.put_nowait(server)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        client = Client(reader, writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            try:
                if await client.accept_startup():
                    await client.serve(self._free)
            finally:
                writer.close()
                if client.server is not None:  # closed during a transaction
                    client.server.close()
                    await self._add_server()


class Client:
    """A client connection, and the server connection assigned to its transaction."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._awaited = 0  # expected ReadyForQuery messages
        self.server: Server | None = None

    async def accept_startup(self) -> bool:
        """Read the startup message; return False for a cancel request, which is ignored."""
        while True:
            size, code = struct.unpack("!II", await self._reader.readexactly(8))
            if code not in REQUESTS:
                break
            self._writer.write(b"N")
        await self._reader.readexactly(size - 8)
        return code != CANCEL

    async def serve(self, free: asyncio.Queue[Server]) -> None:
        """Forward messages, with a server connection for each transaction."""
        server = await free.get()
        told = {name: server.connection.info.parameter_status(name) for name in PARAMETERS}
        free.put_nowait(server)
        texts = [f"{name}\0{value}\0".encode() for name, value in told.items() if value]
        self._writer.write(
            b"".join(
                (
                    message(b"R", struct.pack("!I", 0)),
                    *(message(b"S", text) for text in texts),
                    message(b"K", bytes(8)),
                    message(b"Z", IDLE),
                )
            )
        )
        while True:
            kind, body = await read_message(self._reader)
            if kind == b"X":
                return
            if self.server is None:
                self.server = await free.get()
                answering = asyncio.create_task(self._answer(self.server, free))
                answering.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._awaited += kind in (b"Q", b"S")
            self.server.writer.write(message(kind, body))

    async def _answer(self, server: Server, free: asyncio.Queue[Server]) -> None:
        """Forward responses until the transaction ends."""
        try:
            while True:
                kind, body = await read_message(server.reader)
                self._writer.write(message(kind, body))
                self._awaited -= kind == b"Z"
                if kind == b"Z" and body == IDLE and self._awaited == 0:
                    self.server = None
                    free.put_nowait(server)
                    return
        except (OSError, asyncio.IncompleteReadError):
            self._writer.close()


async def read_message(reader: StreamReader) -> tuple[bytes, bytes]:
    """Return the type and the body of the next message."""
    kind, size = struct.unpack("!cI", await reader.readexactly(5))
    return kind, await reader.readexactly(size - 4)


def message(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!cI", kind, len(body) + 4) + body


@contextmanager
def pooled(dsn: str, *, size: int) -> Generator[str]:
    """Run a pooler for a database while the block runs, and yield its DSN."""
    with running(Pooler(dsn, size)) as pooler:
        yield pooler.dsn


@contextmanager
def pgbouncer(program: str, dsn: str, *, size: int, settings: str = "") -> Generator[str]:
    """Run PgBouncer for a database while the block runs, and yield its DSN."""
    target = conninfo_to_dict(dsn)
    top = scratch_directory()
    owner = Owner.of(top)
    sockets = top / "sockets"
    sockets.mkdir()
    owner.give(sockets)
    log, configuration = top / "log", top / "ini"
    address = " ".join(
        f"{key}={target[key]}"
        for key in ("host", "port", "user", "password", "dbname")
        if target.get(key)
    )
    configuration.write_text(
        f"""
[databases]
* = {address}
[pgbouncer]
listen_port = 5432
unix_socket_dir = {sockets}
auth_type = any
pool_mode = transaction
default_pool_size = {size}
{settings}
"""
    )
    output = owner.open(log)
    try:
        process = subprocess.Popen(
            (program, configuration), stdout=output, stderr=output, **owner.credentials()
        )
    finally:
        os.close(output)
    through = make_conninfo(dsn, host=str(sockets), port=5432)
    try:
        wait_until(lambda: accepts_connections(through) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield through
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(top, ignore_errors=True)
