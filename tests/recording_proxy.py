"""A proxy that records the messages of clients, and can drop or stall them."""

import asyncio
import shutil
import struct
import threading
from abc import ABC, abstractmethod
from asyncio import StreamReader, StreamWriter
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.server import scratch_directory

READY = 6  # bytes of ReadyForQuery, the last message of an answer


class Proxy(ABC):
    """A proxy with its own address, to which clients connect instead of the server."""

    def __init__(self, dsn: str) -> None:
        self._top = scratch_directory()
        self.dsn = make_conninfo(dsn, host=str(self._top), port=5432)

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

    @abstractmethod
    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one client."""


class RecordingProxy(Proxy):
    """A proxy to a database that records the type of each client message.

    Attributes
    ----------
    dsn : str
        The address of the proxy.
    connections : int
        Number of connections opened.
    lost : str
        Types of client messages that are dropped.
    stalled : bool
        Whether all messages are dropped, in both directions.
    delayed : bool
        Whether the server's answers wait until it is False again.
    unready : bool
        Whether only their last message waits, which tells that the server is ready.
    """

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._target = conninfo_to_dict(dsn)
        self._sent: list[str] = []
        self.connections = 0
        self.lost = ""
        self.stalled = False
        self.delayed = False
        self.unready = False

    def take_sent(self) -> str:
        """Return the types of the messages sent since the last call."""
        sent, self._sent = "".join(self._sent), []
        return sent

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        host, port = str(self._target["host"]), str(self._target.get("port") or 5432)
        if host.startswith("/"):
            answers, server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            answers, server = await asyncio.open_connection(host, int(port))
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await asyncio.gather(self._note(reader, server), self._answer(answers, writer))
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
            if not self.stalled and (not started or kind.decode() not in self.lost):
                server.write(kind + size + body)
            if started:
                self._sent.append(kind.decode())
            else:  # an encryption request precedes the startup message
                started = body[:2] == b"\0\x03"

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(65536):
            while self.delayed:  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.005)
            if self.unready and data[-READY:-1] == b"Z\0\0\0\5":
                writer.write(data[:-READY])
                data = data[-READY:]
            while self.unready:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            if not self.stalled:
                writer.write(data)
        writer.close()


@contextmanager
def running[B: Proxy](between: B) -> Generator[B]:
    """Run a proxy while the block runs."""
    started, stop = threading.Event(), asyncio.Event()
    with asyncio.Runner() as runner:
        thread = threading.Thread(target=runner.run, args=(between.run(started, stop),))
        loop = runner.get_loop()
        thread.start()
        try:
            assert started.wait(10)
            yield between
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)


def recording(dsn: str) -> AbstractContextManager[RecordingProxy]:
    """Run a `RecordingProxy` to a database while the block runs."""
    return running(RecordingProxy(dsn))
