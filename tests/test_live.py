"""Changes by others, visible immediately with ``live=True``."""

import asyncio
import subprocess
import sys
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager

import draive.postgres
import psycopg
import pytest
from draive import Configuration, Instructions, InstructionsRepository, ctx
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from draive_pg import Client, ConnectionFailed
from draive_pg.adapters import PostgresConnectionPool, PostgresInstructionsRepository
from draive_pg.database.notifications import Listener
from tests.conftest import Connect
from tests.notifications import count_listeners, wait_for_listener, wait_for_value
from tests.server import wait_until


class Limits(Configuration):
    tokens: int = 1


@contextmanager
def outage(dsn: str, sql: psycopg.Connection) -> Generator[None]:
    """Refuse connections to a database, and end those of clients, until the block ends."""
    name = Identifier(sql.info.dbname)
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as admin:
        admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            terminate_others(sql)
            yield
        finally:
            admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def terminate_others(sql: psycopg.Connection) -> None:
    sql.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'draive_pg'"
    )


@pytest.fixture
def live(connect: Connect, dsn: str, sql: psycopg.Connection) -> Client:
    """A sync or async client that is already listening."""
    db = connect(dsn, live=True)
    db.configurations.configurations()
    wait_for_listener(db, sql)
    return db


def test_changes_by_plain_sql_are_seen(live: Client, sql: psycopg.Connection) -> None:
    read = lambda: live.configurations.load_raw("Limits")  # noqa: E731
    typed = lambda: live.configurations.load(Limits)  # noqa: E731
    assert (read(), typed(), live.configurations.configurations()) == (None, None, ())
    sql.execute("INSERT INTO configurations VALUES ('Limits', '{\"tokens\": 2}')")
    wait_for_value(read, {"tokens": 2})
    wait_for_value(typed, Limits(tokens=2))
    wait_for_value(live.configurations.configurations, ("Limits",))
    sql.execute("UPDATE configurations SET content = '{\"tokens\": 3}'")
    wait_for_value(read, {"tokens": 3})
    sql.execute("UPDATE configurations SET identifier = 'Renamed'")
    wait_for_value(read, None)
    wait_for_value(live.configurations.configurations, ("Renamed",))
    sql.execute("TRUNCATE configurations CASCADE")
    wait_for_value(live.configurations.configurations, ())


def test_changes_by_another_client_are_seen(live: Client, dsn: str) -> None:
    with Client(dsn) as other:
        for content in ("first", "second"):
            other.instructions.define("greeting", content=content)
            wait_for_value(lambda: live.instructions.resolve("greeting", default=""), content)


def test_a_change_is_seen_only_after_its_commit(live: Client, dsn: str) -> None:
    with Client(dsn) as other:
        other.instructions.define("greeting", content="old")
        wait_for_value(lambda: live.instructions.resolve("greeting", default=""), "old")
        with other.transaction():
            other.instructions.define("greeting", content="new")
            other.configurations.define("unrelated", {})
            assert live.instructions.load("greeting") == "old"
        wait_for_value(lambda: live.instructions.load("greeting"), "new")


def test_notification_invalidates_only_its_subject(live: Client, sql: psycopg.Connection) -> None:
    for name in ("chat", "chat-v2"):
        live.instructions.define(name, content="1")
    wait_for_listener(live, sql)
    assert live.instructions.load("chat-v2") == "1"
    sql.execute("ALTER TABLE instructions DISABLE TRIGGER USER")
    sql.execute("UPDATE instructions SET content = 'unheard of'")
    sql.execute("ALTER TABLE instructions ENABLE TRIGGER USER")
    sql.execute("UPDATE instructions SET content = '2' WHERE name = 'chat'")
    wait_for_value(lambda: live.instructions.load("chat"), "2")
    assert live.instructions.load("chat-v2") == "1"


def test_a_change_of_a_name_too_long_for_a_notification_is_seen(
    live: Client, sql: psycopg.Connection
) -> None:
    name = "x" * 2500
    wait_for_value(lambda: live.configurations.load_raw(name), None)
    sql.execute("INSERT INTO configurations VALUES ($1, '{}')", (name,))
    wait_for_value(lambda: live.configurations.load_raw(name), {})


def test_values_are_read_again_after_the_listener_reconnects(
    live: Client, sql: psycopg.Connection
) -> None:
    assert live.configurations.load_raw("limits") is None
    sql.execute("ALTER TABLE configurations DISABLE TRIGGER USER")
    sql.execute("INSERT INTO configurations VALUES ('limits', '{}')")
    sql.execute("ALTER TABLE configurations ENABLE TRIGGER USER")
    assert live.configurations.load_raw("limits") is None
    sql.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE query = 'LISTEN draive_pg' AND datname = current_database()"
    )
    wait_for_value(lambda: live.configurations.load_raw("limits"), {})
    wait_for_listener(live, sql)
    sql.execute("UPDATE configurations SET content = '{\"a\": 1}'")
    wait_for_value(lambda: live.configurations.load_raw("limits"), {"a": 1})


def test_cached_values_stay_in_use_during_an_outage(
    live: Client, dsn: str, sql: psycopg.Connection
) -> None:
    live.instructions.define("greeting", content="old")
    live.configurations.define("limits", {"a": 1})
    wait_for_listener(live, sql)
    load = lambda: (live.instructions.load("greeting"), live.configurations.load_raw("limits"))  # noqa: E731
    assert load() == ("old", {"a": 1})
    with outage(dsn, sql):
        sql.execute("UPDATE instructions SET content = 'new'")
        assert load() == ("old", {"a": 1})
        live._database._cache.outdate()  # as if the server was there for a moment
        assert load() == load() == ("old", {"a": 1})
        with pytest.raises(ConnectionFailed):
            live.instructions.load("other")
    wait_for_value(load, ("new", {"a": 1}))


def test_values_of_a_service_stay_in_use_during_an_outage(
    dsn: str, sql: psycopg.Connection
) -> None:
    async def serve() -> None:
        pool = PostgresConnectionPool.of(dsn, live=True)
        async with ctx.scope("service", PostgresInstructionsRepository(), disposables=(pool,)):
            await asyncio.to_thread(wait_until, lambda: count_listeners(sql) == 1)
            await InstructionsRepository.define("greeting", content="old")
            load = lambda: InstructionsRepository.load(Instructions.of("greeting"))  # noqa: E731
            assert await load() == "old"
            with outage(dsn, sql):
                sql.execute("UPDATE instructions SET content = 'new'")
                assert await load() == "old"
                pool.caches.outdate()
                assert await load() == "old"
            for _ in range(1000):
                await asyncio.sleep(0.01)
                if await load() != "old":
                    break
            assert await load() == "new"

    asyncio.run(serve())


def test_close_stops_listener(live: Client, sql: psycopg.Connection) -> None:
    live.close()
    wait_until(lambda: count_listeners(sql) == 0)
    live.configurations.configurations()
    wait_for_listener(live, sql)


def test_listener_that_ends_while_it_is_stopped_is_stopped_without_an_error() -> None:
    listener = Listener(lambda: "port=0")
    ended = threading.Event()

    class Stopped(threading.Event):
        def set(self) -> None:
            super().set()
            ended.wait(0.2)

    listener._stopped = Stopped()
    thread = threading.Thread(target=lambda: (list(listener.changes()), ended.set()))
    thread.start()
    listener.stop()
    thread.join(30)
    listener.stop()
    assert ended.is_set()


def test_missing_triggers_cause_one_warning(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    sql.execute("DROP FUNCTION draive_pg_notify CASCADE")
    db = connect(dsn, live=True)
    with pytest.warns(RuntimeWarning, match=r"triggers that notify of changes are missing.*setup"):
        assert db.configurations.load_raw("limits") is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert db.configurations.configurations() == ()


def test_triggers_of_another_schema_are_used(connect: Connect, dsn: str) -> None:
    db, other = connect(dsn, schema="team", live=True), connect(dsn, schema="team")
    other.setup()
    assert db.configurations.load_raw("limits") is None
    other.configurations.define("limits", {"a": 1})
    wait_for_value(lambda: db.configurations.load_raw("limits"), {"a": 1})


def test_moved_labels_of_configurations_are_seen(live: Client, dsn: str) -> None:
    read = lambda: live.configurations.load_raw("limits", label="production")  # noqa: E731
    typed = lambda: live.configurations.load(  # noqa: E731
        Limits, identifier="limits", label="production", default=Limits()
    )
    with Client(dsn) as other:
        for tokens in (5, 6):
            other.configurations.define("limits", {"tokens": tokens})
        other.configurations.label("limits", "production", 1)
        wait_for_value(read, {"tokens": 5})
        wait_for_value(typed, Limits(tokens=5))
        other.configurations.label("limits", "production", 2)
        wait_for_value(read, {"tokens": 6})
        wait_for_value(typed, Limits(tokens=6))
        other.configurations.unlabel("limits", "production")
        wait_for_value(typed, Limits())


def test_draive_service_sees_published_prompt(dsn: str, sql: psycopg.Connection) -> None:
    greeting = Instructions.of("greeting")

    async def serve() -> None:
        pool = PostgresConnectionPool.of(dsn, connection_limit=2, live=True)
        async with ctx.scope("service", PostgresInstructionsRepository(), disposables=(pool,)):
            await asyncio.to_thread(wait_until, lambda: count_listeners(sql) == 1)
            assert await InstructionsRepository.resolve(greeting, default="none") == "none"
            await asyncio.to_thread(publish, "published")
            for _ in range(1000):
                await asyncio.sleep(0.01)
                if await InstructionsRepository.resolve(greeting, default="none") != "none":
                    break
            assert await InstructionsRepository.load(greeting) == "published"

    def publish(content: str) -> None:
        with Client(dsn) as db:
            db.instructions.define("greeting", content=content)

    asyncio.run(serve())
    wait_until(lambda: count_listeners(sql) == 0)


def test_writes_by_the_adapters_of_draive_are_seen(live: Client, dsn: str) -> None:
    async def write() -> None:
        repository = draive.postgres.PostgresInstructionsRepository()
        pool = PostgresConnectionPool.of(dsn)
        async with ctx.scope("service", repository, disposables=(pool,)):
            await InstructionsRepository.define("greeting", content="of draive")

    assert live.instructions.resolve("greeting", default="none") == "none"
    asyncio.run(write())
    wait_for_value(lambda: live.instructions.resolve("greeting", default="none"), "of draive")


def test_event_loop_that_is_closed_before_the_client_prints_nothing(dsn: str) -> None:
    code = """
import asyncio, gc, sys
from draive_pg import AsyncClient
db = AsyncClient(sys.argv[1], live=True)
for _ in range(2):
    loop = asyncio.new_event_loop()
    print(loop.run_until_complete(db.configurations.configurations()))
    loop.close()
del db
gc.collect()
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, dsn],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("()\n()\n", "")
