"""Statements of docs/differences.md that no other test checks."""

import ast
import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import draive.postgres
import psycopg
import pytest
from draive import (
    ConfigurationRepository,
    Instructions,
    InstructionsDeclaration,
    InstructionsRepository,
    ctx,
)
from haiway.postgres import Postgres
from psycopg.conninfo import conninfo_to_dict

from draive_pg.adapters import (
    PostgresConfigurationRepository,
    PostgresConnectionPool,
    PostgresException,
    PostgresInstructionsRepository,
    PostgresModelMemory,
)
from draive_pg.operations.conversations import fork as forking
from draive_pg.operations.conversations import recall as recalling
from draive_pg.operations.conversations import write as memory
from draive_pg.operations.documents import define, labels, load, read
from draive_pg.operations.documents.kind import INSTRUCTIONS, KINDS
from draive_pg.operations.documents.selectors import NEWEST
from tests.draive_scope import InScope, run_in_scope
from tests.elements import answered, asked, called, responded, texts
from tests.server import wait_for_lock_waiters
from tests.statements import first_operation
from tests.statements import sent as sent_sql

if TYPE_CHECKING:
    from draive_pg.operations.operation import Request

TESTS = Path(__file__).parent
DOCUMENT = (TESTS.parent / "docs" / "differences.md").read_text(encoding="utf-8")


def test_every_difference_names_existing_tests() -> None:
    sections = re.findall(r"(?ms)^## (\d+)\. (.*?)(?=^## |\Z)", DOCUMENT)
    assert [int(number) for number, _ in sections] == list(range(1, 26))
    for number, section in sections:
        named = re.findall(r"^- `(\w+)::(\w+)`$", section, re.MULTILINE)
        assert named, number
        for module, name in named:
            tree = ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (
                f"{module}::{name}"
            )


# --- Memory, through the adapters


def test_new_memory_needs_no_maintenance(in_scope: InScope) -> None:
    async def body() -> None:
        await PostgresModelMemory("new").remember(asked("q"), answered("a"))
        assert texts((await PostgresModelMemory("new").recall()).context) == ["q", "a"]

    in_scope(body())


def test_limit_is_validated_and_none_means_recall_limit(in_scope: InScope) -> None:
    async def body() -> None:
        recalling = PostgresModelMemory("m", recall_limit=1)
        await recalling.remember(asked("q1"), answered("a1"), asked("q2"), answered("a2"))
        assert texts((await recalling.recall(limit=None)).context) == ["q2", "a2"]
        limits: list[Any] = [0, -1, 2.5, "3", True]
        for limit in limits:
            with pytest.raises(ValueError, match="limit must be a positive int or None"):
                await recalling.recall(limit=limit)
            with pytest.raises(ValueError, match="recall_limit must be a positive int"):
                PostgresModelMemory("m", recall_limit=limit)

    in_scope(body())


def test_turn_with_many_tool_calls_is_recalled_whole(in_scope: InScope) -> None:
    turn = (asked("q"), *(part for n in range(10) for part in (called(f"{n}"), responded(f"{n}"))))

    async def body() -> None:
        await PostgresModelMemory("m").remember(*turn, answered("a"))
        recalled = await PostgresModelMemory("m", recall_limit=20).recall()
        assert recalled.context == (*turn, answered("a"))

    in_scope(body())


@pytest.mark.parametrize("bad", ["a\0b", "\ud800", float("nan")])
def test_unstorable_value_is_rejected_with_its_path(in_scope: InScope, bad: Any) -> None:
    async def body() -> None:
        for call in (
            lambda: PostgresModelMemory("m").remember(asked("fine"), called("c", x=bad)),
            lambda: PostgresModelMemory("m").remember(asked("fine"), variables={"x": bad}),
            lambda: ConfigurationRepository.define("c", {"x": bad}),
        ):
            with pytest.raises(ValueError, match=r"\.x (is|contains) "):
                await call()
        assert (await PostgresModelMemory("m").recall()).context == ()

    in_scope(body(), PostgresConfigurationRepository())


# --- Caches, through the adapters


def test_concurrent_cache_misses_share_one_query(dsn: str, sql: psycopg.Connection) -> None:
    async def body() -> None:
        await InstructionsRepository.define("greeting", content="Hello")
        with sql.transaction():
            sql.execute("LOCK TABLE instructions")
            loads = [
                asyncio.create_task(InstructionsRepository.load(Instructions.of("greeting")))
                for _ in range(100)
            ]
            assert await asyncio.to_thread(wait_for_lock_waiters, dsn, at_least=1) == 1
        assert await asyncio.gather(*loads) == ["Hello"] * 100

    pool = PostgresConnectionPool.of(dsn, connection_limit=8)
    run_in_scope(pool, body(), PostgresInstructionsRepository())


def test_unrelated_write_or_mutation_does_not_change_cache(
    in_scope: InScope, sql: psycopg.Connection
) -> None:
    async def body() -> None:
        await ConfigurationRepository.define("kept", {"a": {"b": 1}})
        loaded: Any = await ConfigurationRepository.load_raw("kept")
        assert isinstance(loaded, dict)
        loaded["a"]["b"] = 999
        sql.execute("UPDATE configurations SET content = '{}'")
        await ConfigurationRepository.define("other", {})
        assert await ConfigurationRepository.load_raw("kept") == {"a": {"b": 1}}

    in_scope(body(), PostgresConfigurationRepository())


def test_extra_arguments_are_ignored(in_scope: InScope) -> None:
    async def body() -> None:
        await ConfigurationRepository.define("c", {"a": 1})
        await InstructionsRepository.define("i", content="Hello")
        assert await ConfigurationRepository.load_raw("c", extra=[{}]) == {"a": 1}
        assert await ConfigurationRepository.configurations(extra={}) == ("c",)
        assert await InstructionsRepository.load(Instructions.of("i"), extra=[]) == "Hello"
        (listed,) = await InstructionsRepository.available_instructions(extra=[])
        assert listed.name == "i"

    in_scope(body(), PostgresConfigurationRepository(), PostgresInstructionsRepository())


# --- Instructions, through the adapters


def test_description_round_trips_and_meta_is_no_selector(in_scope: InScope) -> None:
    async def body() -> None:
        for name, description in (("empty", ""), ("none", None)):
            declared = InstructionsDeclaration.of(
                name, description=description, meta={"lang": "pl"}
            )
            await InstructionsRepository.define(declared, content="Hej")
        empty, none = await InstructionsRepository.available_instructions()
        assert (empty.description, none.description) == ("", None)
        english = Instructions.of("none", meta={"lang": "en"})
        assert await InstructionsRepository.load(english) == "Hej"
        await InstructionsRepository.remove(english)  # pyright: ignore[reportArgumentType]
        assert len(await InstructionsRepository.available_instructions()) == 1

    in_scope(body(), PostgresInstructionsRepository())


# --- Statements and connections


def fill_every_table(sql: psycopg.Connection) -> None:
    rows = "generate_series(1, 300) AS n, generate_series(1, 30) AS k"
    sql.execute("INSERT INTO memories (identifier) SELECT 'm' || n FROM generate_series(1, 5000) n")
    for table, columns, value in (
        ("memories_elements", "identifier, content", "{}"),
        ("memories_variables", "identifier, variables", "{}"),
        ("configurations", "identifier, content", "{}"),
        ("instructions", "name, content", "Hello"),
        ("templates", "identifier, content", "Hello"),
    ):
        sql.execute(
            f"INSERT INTO {table} ({columns}, created) "
            f"SELECT 'm' || n, '{value}', now() + k * INTERVAL '1 s' FROM {rows}".encode()
        )
    sql.execute(
        "INSERT INTO draive_pg_annotations (identifier, id, name) "
        f"SELECT 'm' || n, k::TEXT, 'score' FROM {rows}".encode()
    )
    for table, source, key in (
        ("draive_pg_revisions", "instructions", "name"),
        ("draive_pg_configuration_revisions", "configurations", "identifier"),
        ("draive_pg_template_revisions", "templates", "identifier"),
    ):
        sql.execute(
            f"INSERT INTO {table} (name, created) SELECT {key}, created FROM {source}".encode()
        )
    for table in (
        "draive_pg_removals",
        "draive_pg_configuration_removals",
        "draive_pg_template_removals",
    ):
        sql.execute(
            f"INSERT INTO {table} (name, created) "
            f"SELECT 'm' || n, now() - k * INTERVAL '1 day' FROM {rows}".encode()
        )
    for table in (
        "draive_pg_labels",
        "draive_pg_configuration_labels",
        "draive_pg_template_labels",
    ):
        sql.execute(
            f"INSERT INTO {table} (name, label, moved) "
            f"SELECT 'm' || n, 'production', now() + k * INTERVAL '1 s' FROM {rows}".encode()
        )
    sql.execute("ANALYZE")


def test_no_statement_scans_whole_table_for_one_subject(templates_dsn: str) -> None:
    requests: list[Request[Any]] = [
        recalling.recall("m7", None),
        recalling.recall("m7", 10),
        memory.remember("m7", (asked("q"),), {"a": 1}),
        memory.maintain("m7", {"a": 1}),
        forking.fork("m7", "new", None),
        memory.remove("m7"),
        load.load_text(INSTRUCTIONS, "m7", NEWEST, required=False),
        define.append_instructions(InstructionsDeclaration.of("m7"), content=""),
        read.declarations(lenient=False),
        load.load_raw("m7", NEWEST, required=False),
        define.append_configuration("m7", {}),
        define.define_configuration("m7", {}),
        define.define_instructions("m7", content=""),
        *(
            request
            for kind in KINDS
            for request in (
                read.names(kind),
                read.list_(kind),
                read.history(kind, "m7"),
                read.selected(kind, "revision", "m7", NEWEST),
                labels.labels(kind, "m7"),
                labels.history(kind, "m7", None),
                labels.remove(kind, "m7", "production", author=None, message=None),
            )
        ),
    ]
    with psycopg.connect(templates_dsn, autocommit=True, cursor_factory=psycopg.RawCursor) as sql:
        fill_every_table(sql)
        for operation in map(first_operation, requests):
            for sent in operation.statements:
                explained = b"EXPLAIN " + sent_sql(sent).encode()
                plan = [line for (line,) in sql.execute(explained, sent.parameters).fetchall()]
                assert not [line for line in plan if "Seq Scan on" in line], operation.name


def test_held_connection_is_reused_by_operations(dsn: str) -> None:
    async def body() -> None:
        async with Postgres.acquire_connection() as connection:
            with ctx.updated(connection):
                await PostgresModelMemory("m").remember(asked("q"))
                assert len((await PostgresModelMemory("m").recall()).context) == 1
                await InstructionsRepository.define("i", content="Hello")
                assert await InstructionsRepository.load(Instructions.of("i")) == "Hello"

    pool = PostgresConnectionPool.of(dsn, connection_limit=1)
    run_in_scope(pool, body(), PostgresInstructionsRepository())


def test_pool_accepts_uri_and_keyword_dsn(dsn: str, sql: psycopg.Connection) -> None:
    role, password = 'odd@name:"/é', "p@ss/w:?#%"
    sql.execute(f'CREATE ROLE "odd@name:""/é" LOGIN SUPERUSER PASSWORD \'{password}\''.encode())
    given = conninfo_to_dict(dsn)
    uri = (
        f"postgresql://{quote(role, safe='')}:{quote(password, safe='')}@/{given['dbname']}"
        f"?host={quote(str(given['host']), safe='')}&port={given['port']}"
        "&application_name=my%20app&options=-c%20statement_timeout%3D4321"
    )
    keywords = f"{dsn} application_name='my app' options='-c statement_timeout=4321'"

    async def body() -> tuple[object, ...]:
        row = await Postgres.fetch_one(
            "SELECT current_user::TEXT AS role, current_setting('application_name') AS name, "
            "current_setting('statement_timeout') AS timeout"
        )
        assert row is not None
        return tuple(row.values())

    try:
        assert run_in_scope(PostgresConnectionPool.of(uri), body()) == (role, "my app", "4321ms")
        (_, *settings) = run_in_scope(PostgresConnectionPool.of(keywords), body())
        assert settings == ["my app", "4321ms"]
    finally:
        sql.execute('DROP ROLE "odd@name:""/é"'.encode())


def test_cause_of_adapter_error_has_sqlstate(in_scope: InScope, sql: psycopg.Connection) -> None:
    sql.execute("DROP TABLE memories CASCADE")

    async def body() -> None:
        with pytest.raises(PostgresException) as caught:
            await PostgresModelMemory("m").remember(asked("q"))
        cause: Any = caught.value.__cause__
        assert cause.sqlstate == "42P01"

    in_scope(body())


def test_failed_load_of_configuration_raises(in_scope: InScope, sql: psycopg.Connection) -> None:
    """haiway catches the errors of a repository, so the value raises when it is used."""
    sql.execute("DROP TABLE configurations CASCADE")

    async def loaded() -> None:
        configuration = await ConfigurationRepository.load_raw("limits")
        assert configuration is not None
        with pytest.raises(PostgresException):
            dict(configuration)
        with pytest.raises(PostgresException):
            await ConfigurationRepository.configurations()

    async def lost() -> None:
        assert await ConfigurationRepository.load_raw("limits") is None

    in_scope(loaded(), PostgresConfigurationRepository())
    in_scope(lost(), draive.postgres.PostgresConfigurationRepository())
