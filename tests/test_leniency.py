"""Lenient reads: unreadable rows are skipped with a warning."""

import asyncio
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from draive import InstructionsRepository, ctx
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import Client, StoredDataInvalid, StoredDataSkipped
from draive_pg.adapters import (
    PostgresConnectionPool,
    PostgresInstructionsRepository,
    PostgresModelMemory,
)
from draive_pg.errors import PACKAGE
from tests.elements import answered, asked, called, responded, texts

# Values that a later draive, plain SQL or a fault may have stored.
UNREADABLE = [
    '{"type": "model_poem", "blocks": []}',
    '{"type": "model_input", "blocks": 7}',
    '{"type": "model_output", "blocks": [{"type": "hologram"}], "meta": {}}',
    '{"type": "model_output", "blocks": [], "meta": {"n": ' + "9" * 5000 + "}}",
    "[" * 3000 + "]" * 3000,
    '"text"',
    "{}",
    "null",
]


def insert_raw_elements(
    sql: psycopg.Connection, *contents: str, created: str = "clock_timestamp()"
) -> None:
    """Insert raw elements into memory 'm'."""
    for content in contents:
        sql.execute(
            f"INSERT INTO memories_elements VALUES ('m', $1, {created})".encode(), (content,)
        )


@contextmanager
def expect_skipped(*reasons: str) -> Generator[None]:
    """Expect one warning for each row skipped in the block, attributed to the caller."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert len(caught) == len(reasons)
    for warning, reason in zip(caught, reasons, strict=True):
        assert warning.category is StoredDataSkipped
        assert str(warning.message).startswith("skipped: ")
        assert reason in str(warning.message)
        assert not warning.filename.startswith(PACKAGE)


@pytest.mark.parametrize("content", UNREADABLE)
def test_unreadable_element_raises_or_is_skipped(
    db: Client, sql: psycopg.Connection, content: str
) -> None:
    db.memory("m").remember(asked("q1"), answered("a1"), variables={"n": 1})
    insert_raw_elements(sql, content, created="'2030-02-03 04:05:06Z'")
    db.memory("m").remember(asked("q2"), answered("a2"))
    for limit in (None, 3):
        with pytest.raises(StoredDataInvalid, match="memory 'm', element of 2030-02-03 "):
            db.memory("m").recall(limit=limit)
    for limit, recalled in {None: 4, 5: 4, 4: 4, 3: 2, 2: 2, 1: 2}.items():
        named = ["memory 'm', element of 2030-02-03 "] if limit is None or limit > 2 else []
        with expect_skipped(*named):
            found = db.memory("m").recall(limit=limit, lenient=True)
        assert texts(found.context) == ["q1", "a1", "q2", "a2"][-recalled:]
        assert found.variables == {"n": 1}
    assert len(db.memory("m").log()) == 5


def test_limit_counts_only_readable_elements(db: Client, sql: psycopg.Connection) -> None:
    db.memory("m").remember(asked("q1"), answered("a1"), asked("q2"), answered("a2"))
    insert_raw_elements(sql, *UNREADABLE)
    memory = db.memory("m", recall_limit=2)
    for limit in (1, None, 2):
        with expect_skipped(*["memory 'm', element of 20"] * len(UNREADABLE)):
            assert texts(memory.recall(limit=limit, lenient=True).context) == ["q2", "a2"]


@pytest.mark.parametrize("stored", ["5", "null", '"x"', "[1]", '{"n": ' + "9" * 5000 + "}"])
def test_unreadable_variables_raise_or_older_ones_are_read(
    db: Client, sql: psycopg.Connection, stored: str
) -> None:
    def write(variables: str) -> None:
        sql.execute(
            "INSERT INTO memories_variables (identifier, variables) VALUES ('m', $1)", (variables,)
        )

    db.memory("m").maintenance()
    write(stored)
    with pytest.raises(StoredDataInvalid, match="the newest variables of memory 'm'"):
        db.memory("m").recall()
    with expect_skipped("the newest variables of memory 'm'"):
        assert db.memory("m").recall(lenient=True).variables == {}
    sql.execute("DELETE FROM memories_variables")
    db.memory("m").remember(asked("q"), variables={"n": 1})
    write(stored)
    with expect_skipped("the newest variables of memory 'm'"):
        recalled = db.memory("m").recall(limit=1, lenient=True)
    assert texts(recalled.context) == ["q"]
    assert recalled.variables == ({"n": 1} if stored[0] != "{" else {})


STEPS = [asked("q"), answered("a"), called("c"), responded("c")]


@given(chosen=st.lists(st.sampled_from(range(4)), max_size=9), limit=st.integers(1, 10))
def test_lenient_recall_of_readable_elements_equals_strict_recall(
    dsn: str, chosen: list[int], limit: int
) -> None:
    with Client(dsn) as db:
        db.memory("m").remove()
        db.memory("m").remember(*(STEPS[step] for step in chosen))
        strict = db.memory("m").recall(limit=limit)
        assert db.memory("m").recall(limit=limit, lenient=True) == strict
        # An unreadable element before all others makes the client count the readable ones.
        db.memory("m").maintenance()
        with psycopg.connect(dsn) as connection:
            connection.execute("INSERT INTO memories_elements VALUES ('m', '7', '2001-01-01Z')")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StoredDataSkipped)
            assert db.memory("m").recall(limit=limit, lenient=True) == strict
            assert (
                db.memory("m").recall(limit=len(chosen) + 1, lenient=True).context
                == db.memory("m").recall(lenient=True).context
            )


ARGUMENTS = ["[7]", '{"a": 1}', '[{"name": 7}]', "null"]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_unreadable_declaration_raises_or_is_skipped(
    db: Client, sql: psycopg.Connection, arguments: str
) -> None:
    db.instructions.define("even", content="e")
    db.instructions.define("other", content="o")
    sql.execute(
        "INSERT INTO instructions (name, content, arguments) VALUES ('odd', 'x', $1)", (arguments,)
    )
    for _ in range(2):
        with pytest.raises(StoredDataInvalid, match="instructions 'odd'"):
            db.instructions.available_instructions()
    for _ in range(2):  # the second time from the cache
        with expect_skipped("instructions 'odd'"):
            listed = db.instructions.available_instructions(lenient=True)
        assert [each.name for each in listed] == ["even", "other"]
    assert db.instructions.load("odd") == "x"
    db.instructions.define("odd", content="good")
    for lenient in (False, True):
        listed = db.instructions.available_instructions(lenient=lenient)
        assert [each.name for each in listed] == ["even", "odd", "other"]


def test_lenient_recall_in_transaction(db: Client, sql: psycopg.Connection) -> None:
    db.memory("m").remember(asked("q"))
    insert_raw_elements(sql, *UNREADABLE[:1])
    with db.transaction():
        with expect_skipped("memory 'm'"):
            assert texts(db.memory("m").recall(limit=1, lenient=True).context) == ["q"]
        db.memory("m").remember(answered("a"))
    with expect_skipped("memory 'm'"):
        assert texts(db.memory("m").recall(lenient=True).context) == ["q", "a"]


def service(dsn: str, body: Callable[[], Any]) -> None:
    async def run() -> None:
        pool = PostgresConnectionPool.of(dsn)
        async with ctx.scope("service", PostgresInstructionsRepository(), disposables=(pool,)):
            await body()

    asyncio.run(run())


def test_adapters_support_lenient_reads(dsn: str, sql: psycopg.Connection) -> None:
    with Client(dsn) as db:
        db.memory("m").remember(asked("q"), variables={"n": 1})
        db.instructions.define("even", content="e")
    insert_raw_elements(sql, *UNREADABLE[:1])
    sql.execute("INSERT INTO instructions (name, content, arguments) VALUES ('odd', '', '[7]')")

    async def body() -> None:
        memory = PostgresModelMemory("m", recall_limit=1)
        with pytest.raises(StoredDataInvalid):
            await memory.recall()
        with expect_skipped("memory 'm', element of"):
            recalled = await memory.recall(lenient=True)
        assert texts(recalled.context) == ["q"]
        assert recalled.variables == {"n": 1}
        with pytest.raises(StoredDataInvalid):
            await InstructionsRepository.available_instructions()
        with expect_skipped("instructions 'odd'"):
            listed = await InstructionsRepository.available_instructions(lenient=True)
        assert [each.name for each in listed] == ["even"]

    service(dsn, body)
