"""Prepared statements, on servers that keep them and behind poolers that do not."""

import asyncio
import logging
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from draive import ctx
from haiway.postgres import PostgresException

from draive_pg import Client, TableMissing
from draive_pg.adapters import PostgresConnectionPool, PostgresModelMemory
from draive_pg.database.deadline import Deadline
from draive_pg.database.driver import Exchange, TimedConnection
from draive_pg.database.endpoint import DsnEndpoint, EmbeddedEndpoint
from draive_pg.database.prepared import Prepared, preparing
from tests.conftest import Connect
from tests.elements import asked, texts
from tests.every_call import READS, WRITES, fill
from tests.pooler import pgbouncer, pooled
from tests.test_external_pool import run

WARNING = "sending no prepared statements from now on"


def prepared_in_session(db: Client, dsn: str) -> list[str]:
    """Return the SQL of the prepared statements of a client with one connection."""
    with db.transaction():
        run(db, "CREATE TABLE IF NOT EXISTS seen AS SELECT * FROM pg_prepared_statements", ())
    with psycopg.connect(dsn) as sql:
        found = sql.execute("SELECT statement FROM seen ORDER BY statement").fetchall()
        sql.execute("DROP TABLE seen")
    return [statement for (statement,) in found]


@pytest.mark.parametrize("prepare", [None, False, True])
def test_statements_are_prepared_at_second_use(
    connect: Connect,
    dsn: str,
    prepare: bool | None,  # noqa: FBT001
) -> None:
    db = connect(dsn, prepare=prepare, max_size=1, cache_limit=0)
    for number in range(4):
        db.memory("m").remember(asked(f"{number}"))
        assert texts(db.memory("m").recall().context) == [f"{n}" for n in range(number + 1)]
    found = prepared_in_session(db, dsn)
    assert sum("INSERT INTO memories_elements" in each for each in found) == bool(prepare)
    assert sum("pg_advisory_xact_lock" in each for each in found) == bool(prepare)
    assert sum("recalled" in each for each in found) == bool(prepare)


def test_every_call_works_with_prepared_statements(connect: Connect, empty_dsn: str) -> None:
    db = connect(empty_dsn, prepare=True, cache_limit=0, max_size=1)
    db.setup()
    fill(db)
    for call in (*READS.values(), *READS.values(), *READS.values()):
        call(db)
    assert len(prepared_in_session(db, empty_dsn)) > len(READS) / 2
    for call in WRITES.values():
        call(db)


def test_statements_of_embedded_server_are_prepared() -> None:
    other = DsnEndpoint({"host": "localhost"})
    assert preparing(EmbeddedEndpoint(), wanted=None).begin()[1] is False
    assert preparing(EmbeddedEndpoint(), wanted=None).enabled
    assert not preparing(EmbeddedEndpoint(), wanted=False).enabled
    assert not preparing(other, wanted=None).enabled
    assert preparing(other, wanted=True).begin()[1] is True


def test_pool_of_the_caller_prepares_nothing(dsn: str) -> None:
    with psycopg.connect(dsn) as owned, pytest.raises(ValueError, match="prepare=True"):
        Client(pool=owned, prepare=True)


@pytest.fixture(params=["ours", "pgbouncer", "pgbouncer with support"])
def through(request: pytest.FixtureRequest, dsn: str) -> Iterator[tuple[str, bool]]:
    """The DSN of a pooler with two server connections, and whether it supports them."""
    if request.param == "ours":
        with pooled(dsn, size=2) as through:
            yield through, False
        return
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("there is no pgbouncer on PATH")
    supports = "with" in request.param
    version = subprocess.check_output((program, "--version"), text=True).split()[1]
    has_setting = tuple(map(int, version.split("."))) >= (1, 21)
    if supports and not has_setting:
        pytest.skip(f"PgBouncer {version} does not support prepared statements")
    settings = f"max_prepared_statements = {100 * supports}" if has_setting else ""
    with pgbouncer(program, dsn, size=2, settings=settings) as through:
        yield through, supports


def test_pooler_without_support_is_detected(
    connect: Connect,
    through: tuple[str, bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    dsn, supports = through
    clients = [connect(dsn, prepare=True, cache_limit=0, max_size=2) for _ in range(3)]
    with caplog.at_level(logging.WARNING, "draive_pg"):
        for number in range(4):
            for db in clients:
                with db.transaction():
                    db.memory("m").remember(asked(f"{number}"))
                    db.memory("m").recall(limit=1)
                db.memory("m").remember(asked(f"{number}"))
    assert len(clients[0].memory("m").log()) == 4 * 3 * 2
    warned = [each for each in caplog.records if WARNING in each.message]
    assert len(warned) == (0 if supports else len(clients))


def test_adapters_prepare_statements_where_they_are_kept(
    through: tuple[str, bool], dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    behind, supports = through

    async def remember(to: str) -> int:
        pool = PostgresConnectionPool.of(to, prepare=True, connection_limit=2)
        async with ctx.scope("test", disposables=(pool,)):
            memory = PostgresModelMemory("m")
            for number in range(3):
                await memory.remember(asked(f"{number}"))
            async with pool.acquire_connection() as connection:
                rows = await connection.fetch("SELECT count(*) FROM pg_prepared_statements")
            return int(str(next(iter(rows[0].values()))))

    assert asyncio.run(remember(dsn)) > 0
    assert not [each for each in caplog.records if WARNING in each.message]
    assert asyncio.run(remember(behind)) >= supports
    assert len([each for each in caplog.records if WARNING in each.message]) == (not supports)
    with Client(dsn) as db:
        assert len(db.memory("m").log()) == 6


@pytest.mark.slow
def test_timeout_of_adapters_limits_each_answer_after_the_check(dsn: str) -> None:
    async def wait() -> int:
        pool = PostgresConnectionPool.of(dsn, prepare=True, connection_limit=1, timeout=1.0)
        answers = 0
        async with ctx.scope("test", disposables=(pool,)):
            for _ in range(3):
                async with pool.acquire_connection() as connection:
                    answers += len(await connection.fetch("SELECT pg_sleep(0.5)::TEXT"))
        return answers

    assert asyncio.run(wait()) == 3


def test_statement_of_service_fails_once_when_its_table_has_changed(
    dsn: str, sql: psycopg.Connection
) -> None:
    sql.execute("CREATE TABLE t AS SELECT 1 AS a")

    async def read() -> list[int | str]:
        results: list[int | str] = []
        pool = PostgresConnectionPool.of(dsn, prepare=True, connection_limit=1)
        async with ctx.scope("test", disposables=(pool,)):
            for number in range(6):
                if number == 3:
                    sql.execute("ALTER TABLE t ADD COLUMN b TEXT")
                try:
                    async with pool.acquire_connection() as connection:
                        rows = await connection.fetch("SELECT * FROM t")
                    results.append(len(dict(rows[0])))
                except PostgresException as error:
                    results.append(str(error).partition(": ")[2][:11])
        return results

    assert asyncio.run(read()) == [1, 1, 1, "cached plan", 2, 2]


@pytest.mark.parametrize("statement", ["DEALLOCATE ALL", "DISCARD PLANS; DEALLOCATE ALL"])
def test_lost_statements_are_sent_again(
    connect: Connect, dsn: str, caplog: pytest.LogCaptureFixture, statement: str
) -> None:
    db = connect(dsn, prepare=True, max_size=1, cache_limit=0)
    for _ in range(3):
        db.memory("m").remember(asked("q"))
    with db.transaction():
        for each in statement.split("; "):
            run(db, each, ())
    with caplog.at_level(logging.WARNING, "draive_pg"):
        for _ in range(3):
            db.memory("m").remember(asked("q"))
    assert len(db.memory("m").log()) == 6
    assert [WARNING in each.message for each in caplog.records] == [True]


def test_statement_with_other_result_is_prepared_anew(
    connect: Connect, dsn: str, sql: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    db = connect(dsn, prepare=True, max_size=1)
    for kind in ("TEXT", "INT"):
        sql.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT '7'::{kind} AS n".encode())
        for _ in range(3):
            assert read_all(db) == [("7" if kind == "TEXT" else 7,)]
    assert caplog.records == []


def read_all(db: Any) -> object:
    """Read the table `t` by an operation."""
    from draive_pg.operations.operation import Operation, Statement

    operation = Operation("read t", (Statement("SELECT * FROM t"),), decode=list, read_only=True)
    return (
        db._run(db._target._database.run(operation))
        if hasattr(db, "_target")
        else (db._database.run(operation))
    )


def test_name_never_runs_statement_of_another_client(dsn: str) -> None:
    """Run a prepared statement in a session where another client has prepared as many."""
    ours, theirs = Prepared(), Prepared()
    connections = [TimedConnection.open(dsn, Deadline(None)) for _ in range(2)]
    try:
        for connection, prepared, sql in zip(
            connections, (ours, theirs), (b"SELECT 1 + $1", b"SELECT 2 + $1"), strict=True
        ):
            for _ in range(2):
                connection.run(Exchange(connection, (sql, (1,)), prepared=prepared))
        exchange = Exchange(connections[1], (b"SELECT 1 + $1", (1,)), prepared=ours)
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            connections[1].run(exchange)
    finally:
        for connection in connections:
            connection.close()


def test_failed_statement_is_not_taken_for_prepared(connect: Connect, empty_dsn: str) -> None:
    db = connect(empty_dsn, prepare=True, draive="0.89", max_size=1)
    for _ in range(3):
        with pytest.raises(TableMissing):
            db.memory("m").recall()
        with pytest.raises(TableMissing):
            db.memory("m").remember(asked("q"))
    db.setup()
    for _ in range(3):
        db.memory("m").remember(asked("q"))
    assert len(db.memory("m").recall().context) == 3
