"""A proxy that simulates network latency."""

import asyncio
import tempfile
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Generator
from contextlib import contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo


@contextmanager
def delayed(dsn: str, round_trip: float) -> Generator[str]:
    """Yield the DSN of a proxy to the database with a round-trip time in seconds."""
    with tempfile.TemporaryDirectory(prefix="draive-pg-") as top:
        network = _Network(dsn, round_trip / 2)
        thread = threading.Thread(target=asyncio.run, args=(network.run(f"{top}/.s.PGSQL.5432"),))
        thread.start()
        try:
            network.started.wait()
            yield make_conninfo(dsn, host=top, port=5432)
        finally:
            network.stop()
            thread.join()


class _Network:
    def __init__(self, dsn: str, delay: float) -> None:
        self._target = conninfo_to_dict(dsn)
        self._delay = delay
        self.started = threading.Event()

    async def run(self, address: str) -> None:
        """Serve at an address until stopped."""
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_unix_server(self._serve, address)
        self.started.set()
        await self._stopped.wait()
        server.close()  # open connections are cancelled at the end of the loop

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        host, port = str(self._target["host"]), str(self._target.get("port") or 5432)
        if host.startswith("/"):
            answers, server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            answers, server = await asyncio.open_connection(host, int(port))
        try:
            with suppress(OSError):
                await asyncio.gather(self._carry(reader, server), self._carry(answers, writer))
        finally:
            for end in (writer, server):
                end.close()
            await asyncio.gather(writer.wait_closed(), server.wait_closed(), return_exceptions=True)

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Forward all data in order, each part after the delay."""
        arrivals = asyncio.Queue[tuple[float, bytes]]()
        loop = asyncio.get_running_loop()

        async def deliver() -> None:
            while True:
                arrival, data = await arrivals.get()
                await asyncio.sleep(arrival - loop.time())
                if not data:
                    writer.close()
                    return
                writer.write(data)

        async with asyncio.TaskGroup() as group:
            group.create_task(deliver())
            while data := await reader.read(65536):
                arrivals.put_nowait((loop.time() + self._delay, data))
            arrivals.put_nowait((loop.time() + self._delay, b""))
