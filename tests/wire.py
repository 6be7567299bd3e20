"""A server between client and PostgreSQL that notes what the client sends."""

import asyncio
import shutil
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.server import scratch

__all__ = ("Wire", "recorded")


class Wire:
    """The way to a database by another address; each message is noted by its letter."""

    def __init__(self, dsn: str) -> None:
        self._top = scratch()
        self._target = conninfo_to_dict(dsn)
        self._sent: list[str] = []
        self.dsn = make_conninfo(dsn, host=str(self._top), port=5432)

    def taken(self) -> str:
        """Return what was sent since the last call."""
        sent, self._sent = "".join(self._sent), []
        return sent

    async def run(self, started: threading.Event, stop: asyncio.Event) -> None:
        """Serve until stopped."""
        server = await asyncio.start_unix_server(self._serve, str(self._top / ".s.PGSQL.5432"))
        started.set()
        await stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        shutil.rmtree(self._top, ignore_errors=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        host, port = str(self._target["host"]), self._target.get("port", 5432)
        if host.startswith("/"):
            answers, server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            answers, server = await asyncio.open_connection(host, int(port))
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await asyncio.gather(self._note(reader, server), _forward(answers, writer))
        finally:
            for end in (writer, server):
                end.close()
            await asyncio.gather(writer.wait_closed(), server.wait_closed(), return_exceptions=True)

    async def _note(self, reader: StreamReader, server: StreamWriter) -> None:
        started = False
        while True:
            kind = await reader.readexactly(1) if started else b""
            size = await reader.readexactly(4)
            body = await reader.readexactly(struct.unpack("!I", size)[0] - 4)
            server.write(kind + size + body)
            if started:
                self._sent.append(kind.decode())
            else:  # a request for encryption has no version, and is answered first
                started = body[:2] == b"\0\x03"


async def _forward(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


@contextmanager
def recorded(dsn: str) -> Iterator[Wire]:
    """Record what goes to a database by the address of the wire, while the block runs."""
    wire, started, stop = Wire(dsn), threading.Event(), asyncio.Event()
    with asyncio.Runner() as runner:
        thread = threading.Thread(target=runner.run, args=(wire.run(started, stop),))
        loop = runner.get_loop()
        thread.start()
        try:
            assert started.wait(10)
            yield wire
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
