"""Transaction poolers: clients share fewer server connections, lent for a transaction each."""

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

# What a server tells of itself when it lets somebody in.
PARAMETERS = (
    *("server_version", "server_encoding", "client_encoding", "integer_datetimes"),
    *("standard_conforming_strings", "DateStyle", "TimeZone", "is_superuser"),
)

REQUESTS = (80877103, 80877104)  # for encryption, by TLS or by GSS
CANCEL = 80877102
IDLE = b"I"


class Server:
    """A connection to the server; libpq has made it, so it knows every way to log in."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True, sslmode="disable")

    async def open(self) -> None:
        own = socket.socket(fileno=os.dup(self.connection.fileno()))
        self.reader, self.writer = await asyncio.open_connection(sock=own)

    def close(self) -> None:
        self.writer.close()
        self.connection.close()


class Pooler(Proxy):
    """A pooler as PgBouncer was before 1.21: it knows nothing of prepared statements."""

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
                if await client.greeted():
                    await client.serve(self._free)
            finally:
                writer.close()
                if client.server is not None:  # left amid a transaction, which ends with it
                    client.server.close()
                    await self._add_server()


class Client:
    """A client's connection, and the server connection that it has for its transaction."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._awaited = 0  # answers by ReadyForQuery
        self.server: Server | None = None

    async def greeted(self) -> bool:
        """Let the client in; False if it only wanted to cancel, which is not for us to do."""
        while True:
            size, code = struct.unpack("!II", await self._reader.readexactly(8))
            if code not in REQUESTS:
                break
            self._writer.write(b"N")
        await self._reader.readexactly(size - 8)
        return code != CANCEL

    async def serve(self, free: asyncio.Queue[Server]) -> None:
        """Lend the client a server connection whenever it begins something."""
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
            kind, body = await received(self._reader)
            if kind == b"X":
                return
            if self.server is None:
                self.server = await free.get()
                answering = asyncio.create_task(self._answer(self.server, free))
                answering.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._awaited += kind in (b"Q", b"S")
            self.server.writer.write(message(kind, body))

    async def _answer(self, server: Server, free: asyncio.Queue[Server]) -> None:
        """Pass answers on until nothing is awaited and no transaction open."""
        try:
            while True:
                kind, body = await received(server.reader)
                self._writer.write(message(kind, body))
                self._awaited -= kind == b"Z"
                if kind == b"Z" and body == IDLE and self._awaited == 0:
                    self.server = None
                    free.put_nowait(server)
                    return
        except (OSError, asyncio.IncompleteReadError):
            self._writer.close()


async def received(reader: StreamReader) -> tuple[bytes, bytes]:
    """Return the letter and the body of the next message."""
    kind, size = struct.unpack("!cI", await reader.readexactly(5))
    return kind, await reader.readexactly(size - 4)


def message(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!cI", kind, len(body) + 4) + body


@contextmanager
def pooled(dsn: str, *, size: int) -> Generator[str]:
    """Pool connections to a database while the block runs, and give the DSN of the pooler."""
    with running(Pooler(dsn, size)) as pooler:
        yield pooler.dsn


@contextmanager
def pgbouncer(program: str, dsn: str, *, size: int) -> Generator[str]:
    """The same by PgBouncer."""
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
