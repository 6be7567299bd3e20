"""Ordering of the rows of a complete log by the client."""

import subprocess
import sys
from typing import Any

import pandas as pd
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from draive_pg import Client, OperationFailed
from draive_pg.database.driver import ROWS, receive_rows
from draive_pg.operations.copy import Rows
from tests.conftest import Connect
from tests.elements import insert_elements
from tests.fault_server import assert_fails, session_pids

# With a limit, PostgreSQL orders the rows.
ORDERED = 1 << 62

SHUFFLED = """
INSERT INTO memories_elements (identifier, content, created)
SELECT
    identifier,
    jsonb_build_object('type', 'model_input', 'meta', jsonb_build_object('n', n)),
    CASE
        WHEN n % 7 = 0 THEN '-infinity'
        WHEN n % 7 = 1 THEN 'infinity'
        ELSE TIMESTAMPTZ '2026-01-01Z' + n % 3 * INTERVAL '1 second'
    END
FROM memories, generate_series(1, 12) AS n
ORDER BY md5(identifier || n)
"""


def test_rows_have_the_order_of_postgresql(db: Client, sql: psycopg.Connection) -> None:
    names = [f"{mark}{number}" for number in range(100) for mark in ("a-", "A ", "ż", "漢", "-")]
    for name in names:
        sql.execute("INSERT INTO memories (identifier) VALUES ($1)", (name,))
    sql.execute(SHUFFLED)
    sql.execute("DELETE FROM memories_elements WHERE content -> 'meta' -> 'n' IN ('2', '5')")
    sql.execute("VACUUM memories_elements")
    sql.execute(SHUFFLED)  # reuses the space of deleted rows
    log = db.frames.conversation_log()
    assert len(log) == 500 * 22
    pd.testing.assert_frame_equal(log, db.frames.conversation_log(limit=ORDERED))
    some = names[7:200:3]
    pd.testing.assert_frame_equal(
        db.frames.conversation_log(some), db.frames.conversation_log(some, limit=ORDERED)
    )


@pytest.mark.parametrize("rows", [0, 1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS])
def test_all_rows_are_received_at_batch_boundaries(sql: psycopg.Connection, rows: int) -> None:
    with psycopg.connect(sql.info.dsn, autocommit=True) as connection:
        text = f"COPY (SELECT n FROM generate_series(1, {rows}) AS n) TO STDOUT (FORMAT BINARY)"
        with connection.cursor().copy(text.encode()) as copy:
            found: list[Any] = list(iter(lambda: connection.wait(receive_rows(copy)), None))
        assert [size for some in found for size in some.sizes] == [10] * rows
        assert all(len(some.data) == sum(some.sizes) for some in found)
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.usefixtures("one_server")  # the foreign keys of shards
def test_elements_without_memory_row_are_included(db: Client, sql: psycopg.Connection) -> None:
    insert_elements(db, sql, 2)
    sql.execute("SET session_replication_role = replica")
    for identifier in ("b", "a", "b"):
        content = Jsonb({"type": "poem"})
        sql.execute("INSERT INTO memories_elements VALUES ($1, $2)", (identifier, content))
    log = db.frames.conversation_log()
    assert sorted(zip(log.identifier, log.position, strict=True)) == [
        ("a", 0),
        ("b", 0),
        ("b", 1),
        ("m", 0),
        ("m", 1),
    ]
    assert list(log.identifier[:2]) == ["m", "m"]


AT_EXIT = """
import atexit, sys
from draive_pg import Client
db = Client(sys.argv[1])
db.frames.sessions()  # pandas cannot be imported at exit
atexit.register(lambda: print(len(db.frames.conversation_log())))
"""


def test_log_can_be_read_at_exit(db: Client, dsn: str, sql: psycopg.Connection) -> None:
    insert_elements(db, sql, 2)
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT, dsn], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_result_is_independent_of_arrival_order(
    db: Client, sql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from draive_pg.frames.order import Ordered

    sql.execute("INSERT INTO memories (identifier) SELECT 'm' || n FROM generate_series(1, 300) n")
    sql.execute(SHUFFLED)
    sql.execute("UPDATE memories_elements SET created = '2026-01-01Z'")
    log = db.frames.conversation_log()
    original_take, finished = Ordered.take, Ordered.finish
    arrived: list[Rows] = []

    def take(self: Ordered, rows: Rows) -> object:
        arrived.append(rows)
        return ()

    def finish(self: Ordered) -> object:
        for rows in reversed(arrived):
            original_take(self, rows)
        return finished(self)

    monkeypatch.setattr(Ordered, "take", take)
    monkeypatch.setattr(Ordered, "finish", finish)
    pd.testing.assert_frame_equal(db.frames.conversation_log(), log)
    assert len(arrived) > 1


@pytest.mark.slow
def test_memories_of_any_size_are_ordered(db: Client, sql: psycopg.Connection) -> None:
    insert_elements(db, sql, 70_000, "long")
    insert_elements(db, sql, 1, "short")
    for number in range(3):
        db.memory("wide").maintenance()
        content = {"type": "poem", "blocks": [{"parts": [{"text": "ż" * 1_500_000}]}]}
        sql.execute(
            "INSERT INTO memories_elements (identifier, content) VALUES ('wide', $1)",
            (Jsonb(content | {"meta": {"number": number}}),),
        )
    log = db.frames.conversation_log()
    assert log.identifier.value_counts().to_dict() == {"long": 70_000, "wide": 3, "short": 1}
    pd.testing.assert_frame_equal(log, db.frames.conversation_log(limit=ORDERED))


@pytest.mark.usefixtures("one_server")  # the coordinator sends it at once
def test_error_during_copy_leaves_client_usable(
    connect: Connect, dsn: str, sql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from draive_pg.frames.order import Ordered

    db = connect(dsn)
    insert_elements(db, sql, 10_000)
    original_take = Ordered.take

    def take(self: Ordered, rows: Rows) -> object:
        for backend in session_pids(dsn):
            sql.execute("SELECT pg_cancel_backend($1::INT)", (backend,))
        return original_take(self, rows)

    monkeypatch.setattr(Ordered, "take", take)
    assert_fails(
        OperationFailed,
        db.frames.conversation_log,
        operation="read frame conversation_log",
        sqlstate="57014",
    )
    monkeypatch.undo()
    assert len(db.frames.conversation_log()) == 10_000


# --- Arbitrary blocks

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5)
PARTS = st.lists(st.one_of(st.fixed_dictionaries({"text": TEXTS}), st.just({"uri": "x"})))
KINDS = st.sampled_from(["content", "reasoning", "tool_request", "tool_response", "poem"])
BLOCKS = st.fixed_dictionaries(
    {},
    optional={
        "type": KINDS,
        "parts": PARTS,
        "content": st.fixed_dictionaries({}, optional={"parts": PARTS}),
        "tool": TEXTS,
    },
)
CONTENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["model_input", "model_output", "poem"]),
        "blocks": st.lists(BLOCKS, max_size=3),
        "meta": st.dictionaries(TEXTS, st.one_of(st.integers(), st.lists(TEXTS))),
    },
)


def row(content: dict[str, Any]) -> dict[str, Any]:
    """Return the expected row of an element."""
    blocks = content.get("blocks", [])
    kinds = [block.get("type", "content") for block in blocks]
    parts = [part for block in blocks for part in block.get("parts", [])]
    thoughts = [block for block, kind in zip(blocks, kinds, strict=True) if kind == "reasoning"]
    thought = [part for block in thoughts for part in block.get("content", {}).get("parts", [])]
    text = "".join(part.get("text", "") for part in parts)
    role = content.get("type")
    return {
        "role": {"model_input": "input", "model_output": "output"}.get(str(role), role),
        "text": text,
        "reasoning": "".join(part.get("text", "") for part in thought),
        "tools": tuple(
            block["tool"]
            for block, kind in zip(blocks, kinds, strict=True)
            if kind in ("tool_request", "tool_response") and "tool" in block
        ),
        "tool_requests": kinds.count("tool_request"),
        "tool_responses": kinds.count("tool_response"),
        "parts": len(parts),
        "n_chars": len(text),
        "meta": content.get("meta", {}),
    }


@given(contents=st.lists(CONTENTS, min_size=1, max_size=40))
def test_arbitrary_blocks_are_parsed_correctly(
    db: Client, sql: psycopg.Connection, contents: list[dict[str, Any]]
) -> None:
    sql.execute("TRUNCATE memories CASCADE")
    db.memory("m").maintenance()
    sql.execute(
        "INSERT INTO memories_elements (identifier, content, created) "
        "SELECT 'm', content, TIMESTAMPTZ '2026-01-01Z' + n * INTERVAL '1 second' "
        "FROM unnest($1::JSONB[]) WITH ORDINALITY AS element (content, n)",
        ([Jsonb(content) for content in contents],),
    )
    expected = [row(content) for content in contents]
    for log in (db.frames.conversation_log(), db.frames.conversation_log(limit=ORDERED)):
        shown = log[list(expected[0])].astype({"role": object})
        assert shown.where(shown.notna(), None).to_dict("records") == expected
    counted = db.frames.sessions().iloc[0]
    assert counted.tool_calls == sum(each["tool_requests"] for each in expected)
    assert counted.n_chars == sum(each["n_chars"] for each in expected)
