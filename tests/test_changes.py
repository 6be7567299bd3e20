"""Changes of documents as events: `changes`."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import psycopg
import pytest

from draive_pg import AsyncClient, Change, Client, ConnectionFailed
from tests.notifications import count_listeners
from tests.server import wait_until


class Received:
    """The changes that a client of either colour receives in a thread, and None at the end."""

    def __init__(self, dsn: str, colour: str) -> None:
        self._dsn = dsn
        self._changes = Queue[Change | None]()
        self.close: Callable[[], object] = lambda: None
        target = self._iterate if colour == "sync" else lambda: asyncio.run(self._iterate_async())
        self._thread = threading.Thread(target=target)
        self._thread.start()

    def next(self) -> Change | None:
        return self._changes.get(timeout=30)

    def _iterate(self) -> None:
        db = Client(self._dsn)
        self.close = db.close
        for change in db.changes():
            self._changes.put(change)
        self._changes.put(None)

    async def _iterate_async(self) -> None:
        db, loop = AsyncClient(self._dsn), asyncio.get_running_loop()
        ending = asyncio.Event()
        self.close = lambda: loop.call_soon_threadsafe(ending.set)

        async def close() -> None:
            await ending.wait()
            await db.close()

        closing = asyncio.create_task(close())
        async for change in db.changes():
            self._changes.put(change)
        self._changes.put(None)
        await closing

    def end(self) -> None:
        """Close the client, which ends the iteration."""
        self.close()
        assert self.next() is None
        self._thread.join(10)


@pytest.fixture(params=["sync", "async"])
def received(
    request: pytest.FixtureRequest, dsn: str, sql: psycopg.Connection
) -> Iterator[Received]:
    """The changes that a listening client receives; closing it ends the iteration."""
    received = Received(dsn, request.param)
    wait_until(lambda: count_listeners(sql) == 1)
    yield received
    received.end()
    wait_until(lambda: count_listeners(sql) == 0)


def test_changes_of_all_processes_are_received(
    received: Received, dsn: str, sql: psycopg.Connection
) -> None:
    greeting = Change(schema="public", kind="instructions", name="greeting", missed=False)
    limits = Change(schema="public", kind="configurations", name="limits", missed=False)
    with Client(dsn) as other:
        other.instructions.define("greeting", content="Hello")
        assert received.next() == greeting
        other.instructions.label("greeting", "production")
        assert received.next() == greeting
        other.instructions.remove("greeting", labelled=True)
        assert received.next() == greeting
        with other.transaction():
            other.configurations.define("limits", {})
            other.configurations.define("limits", {"a": 1})
            other.instructions.define("greeting", content="Hello")
        assert [received.next(), received.next()] == [limits, greeting]  # once per transaction
    sql.execute("INSERT INTO instructions (name, content) VALUES (repeat('x', 2001), '')")
    assert received.next() == Change("public", "instructions", None, missed=False)
    sql.execute("TRUNCATE configurations CASCADE")
    assert received.next() == Change("public", "configurations", None, missed=False)


def test_changes_in_another_schema_and_foreign_notifications(
    received: Received, dsn: str, sql: psycopg.Connection
) -> None:
    with Client(dsn, schema="team") as other:
        other.setup()
        other.instructions.define("greeting", content="Hello")
    sql.execute("NOTIFY draive_pg, 'not ours'")
    change = received.next()
    assert change is not None
    assert change.missed


def test_reconnecting_listener_says_that_changes_may_have_been_missed(
    received: Received, sql: psycopg.Connection
) -> None:
    sql.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE query = 'LISTEN draive_pg' AND datname = current_database()"
    )
    assert received.next() == Change(schema=None, kind=None, name=None, missed=True)
    sql.execute("INSERT INTO configurations VALUES ('limits', '{}')")
    assert received.next() == Change("public", "configurations", "limits", missed=False)


def test_missing_triggers_are_warned_of(dsn: str, sql: psycopg.Connection) -> None:
    sql.execute("DROP FUNCTION draive_pg_notify CASCADE")
    with Client(dsn) as db:
        closing = threading.Timer(0.2, db.close)
        closing.start()
        with pytest.warns(RuntimeWarning, match="triggers that notify of changes are missing"):
            assert next(db.changes(), None) is None
        closing.join()


def test_changes_of_an_unreachable_server_fail() -> None:
    with Client("postgresql://x@127.0.0.1:1/x") as db, pytest.raises(ConnectionFailed):
        next(db.changes())


def test_end_of_the_iteration_closes_its_connection(dsn: str, sql: psycopg.Connection) -> None:
    async def iterate() -> None:
        async with AsyncClient(dsn) as db:
            changes = db.changes()
            waiting = asyncio.create_task(anext(changes))
            await asyncio.to_thread(wait_until, lambda: count_listeners(sql) == 1)
            await db.configurations.define("limits", {})
            assert (await waiting).name == "limits"
            await changes.aclose()
            await asyncio.to_thread(wait_until, lambda: count_listeners(sql) == 0)
            task = asyncio.create_task(anext(db.changes()))
            await asyncio.to_thread(wait_until, lambda: count_listeners(sql) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(wait_until, lambda: count_listeners(sql) == 0)

    asyncio.run(iterate())
    with Client(dsn) as db:
        for number, _ in enumerate(_defining(db, dsn, sql)):
            if number == 1:
                break
        wait_until(lambda: count_listeners(sql) == 0)


def _defining(db: Client, dsn: str, sql: psycopg.Connection) -> Iterator[Change]:
    """Yield the changes of a client, while another one defines configurations."""

    def define() -> None:
        wait_until(lambda: count_listeners(sql) == 1)
        with Client(dsn) as other:
            for number in range(2):
                other.configurations.define("limits", {"n": number})

    with ThreadPoolExecutor(1) as pool:
        defined = pool.submit(define)
        yield from db.changes()
        defined.result(30)


CODE = {
    "sync": """
import sys
from draive_pg import Client
with Client(sys.argv[1]) as db:
    for change in db.changes():
        print(change.name, flush=True)
""",
    "async": """
import asyncio, sys
from draive_pg import AsyncClient
async def main():
    async with AsyncClient(sys.argv[1]) as db:
        async for change in db.changes():
            print(change.name, flush=True)
asyncio.run(main())
""",
}


@pytest.mark.parametrize("code", CODE.values(), ids=CODE)
def test_ctrl_c_ends_the_iteration(dsn: str, sql: psycopg.Connection, code: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, dsn],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDEVMODE": "1"},
    )
    wait_until(lambda: count_listeners(sql) == 1)
    sql.execute("INSERT INTO configurations VALUES ('limits', '{}')")
    assert process.stdout is not None
    assert process.stdout.readline() == "limits\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert err.strip().splitlines()[-1] == "KeyboardInterrupt"
    wait_until(lambda: count_listeners(sql) == 0)
