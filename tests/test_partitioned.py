"""The tables of ``schema/partitioned/tables.sql``, which behave like plain ones."""

import json
import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from draive_pg import Client
from draive_pg.lines.line import LINE_89
from draive_pg.operations.admin import migrations
from draive_pg.operations.conversations import recall as recalling
from draive_pg.operations.conversations import write as memory
from draive_pg.operations.documents import define, load
from draive_pg.operations.documents.selectors import NEWEST
from draive_pg.operations.operation import Request
from tests import every_call
from tests.conftest import Connect
from tests.elements import answered, asked, texts
from tests.markdown_blocks import fences
from tests.schema import SCHEMA, run_sql
from tests.server import wait_until
from tests.statements import first_operation, sent
from tests.sync_facade import run_concurrently

DOCUMENT = (SCHEMA.parent / "docs" / "how-to" / "partitioned-tables.md").read_text(encoding="utf-8")


@pytest.fixture
def db(connect: Connect, partitioned_dsn: str) -> Client:
    return connect(partitioned_dsn)


def query(dsn: str, statement: bytes) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def test_setup_adopts_partitioned_tables(connect: Connect, empty_dsn: str) -> None:
    run_sql(empty_dsn, (SCHEMA / "partitioned" / "tables.sql").read_text(encoding="utf-8"))
    db = connect(empty_dsn)
    assert db.setup() == tuple(migration.name for migration in migrations.migrations_for(LINE_89))
    assert db.setup() == ()
    indexed = query(
        empty_dsn, b"SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'memories_elements_%'"
    )
    assert indexed == [(2 * (1 + 16),)]  # of the table and of its partitions


def rows_without_times(dsn: str) -> dict[str, list[Any]]:
    """Return the rows of each table, without timestamps."""
    tables = query(
        dsn,
        b"SELECT relname::TEXT FROM pg_class WHERE relnamespace = 'public'::REGNAMESPACE "
        b"AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'draive_pg_migrations'",
    )
    times = (
        "SELECT attname::TEXT FROM pg_attribute WHERE attrelid = '{}'::REGCLASS "
        "AND atttypid = 'TIMESTAMPTZ'::REGTYPE"
    )
    return {
        table: query(
            dsn,
            f"SELECT to_jsonb(entry) - ARRAY({times.format(table)}) FROM {table} AS entry "
            "ORDER BY 1".encode(),
        )
        for (table,) in tables
    }


def test_reads_return_same_types_as_from_plain_tables(
    db: Client, connect: Connect, dsn: str
) -> None:
    plain = connect(dsn)
    every_call.fill(db)
    every_call.fill(plain)
    for name, call in every_call.READS.items():
        assert type(call(db)) is type(call(plain)), name


@pytest.mark.parametrize("call", every_call.WRITES.values(), ids=every_call.WRITES)
def test_write_leaves_same_rows_as_in_plain_tables(
    db: Client,
    connect: Connect,
    partitioned_dsn: str,
    dsn: str,
    call: Callable[[Client], object],
) -> None:
    plain = connect(dsn)
    for each in (db, plain):
        every_call.fill(each)
        call(each)
    assert rows_without_times(partitioned_dsn) == rows_without_times(dsn)


def test_rows_are_distributed_over_partitions(db: Client, partitioned_dsn: str) -> None:
    for number in range(20):
        db.memory(f"m{number}").remember(asked("q"), answered("a"), variables={"n": number})
        db.configurations.define(f"n{number}", {"n": number})
        db.instructions.define(f"n{number}", content=str(number))
    tables = (
        "configurations",
        "instructions",
        "memories",
        "memories_elements",
        "memories_variables",
    )
    for table in tables:
        used: Any
        ((used,),) = query(
            partitioned_dsn, f"SELECT count(DISTINCT tableoid) FROM {table}".encode()
        )
        assert used > 1
    assert len(db.memories.identifiers()) == 20
    assert len(db.configurations.configurations()) == 20
    assert len(db.instructions.available_instructions()) == 20
    assert db.memory("m7").recall().variables == {"n": 7}


def test_rows_with_equal_timestamps_keep_insertion_order(db: Client, partitioned_dsn: str) -> None:
    db.memory("m").remember(*(asked(str(number)) for number in range(50)))
    query(partitioned_dsn, b"UPDATE memories_elements SET created = '2026-01-01Z' RETURNING 1")
    assert texts(db.memory("m").recall().context) == [str(number) for number in range(50)]
    assert texts(db.memory("m").recall(limit=3).context) == ["47", "48", "49"]
    db.memory("m").remember(asked("last"))
    assert texts(db.memory("m").recall(limit=2).context) == ["49", "last"]


def test_concurrent_batches_are_contiguous(db: Client) -> None:
    def write(writer: int, batch: int) -> Callable[[Client], object]:
        items = [asked(f"{writer} {batch}") for _ in range(5)]
        return lambda db: db.memory("m").remember(*items)

    run_concurrently(db, *([write(writer, batch) for batch in range(5)] for writer in range(4)))
    read = texts(db.memory("m").recall().context)
    assert len(read) == 100
    batches = [read[start : start + 5] for start in range(0, 100, 5)]
    assert all(len(set(batch)) == 1 for batch in batches)


BY_TIME = """
CREATE TABLE by_time (LIKE memories_elements INCLUDING DEFAULTS) PARTITION BY RANGE (created);
CREATE TABLE before_2026 PARTITION OF by_time FOR VALUES FROM (MINVALUE) TO ('2026-01-01Z');
CREATE TABLE since_2026 PARTITION OF by_time FOR VALUES FROM ('2026-01-01Z') TO (MAXVALUE);
DROP TABLE memories_elements CASCADE;
ALTER TABLE by_time RENAME TO memories_elements;
"""


@pytest.mark.parametrize(
    ("edit", "left"),
    [
        (lambda memory: memory.remove_element(0), ["new"]),
        (lambda memory: memory.replace(0, asked("other")), ["other", "new"]),
        (lambda memory: memory.truncate(1), ["old"]),
    ],
    ids=["remove", "replace", "truncate"],
)
def test_elements_in_partitions_by_time_are_removed_one_by_one(
    connect: Connect, dsn: str, edit: Callable[[Any], object], left: list[str]
) -> None:
    run_sql(dsn, BY_TIME)
    db = connect(dsn)
    times = {"old": "2025-01-01T00:00:00Z", "new": "2026-01-01T00:00:00Z"}
    db.memories.import_chat(
        "m",
        [{"role": "user", "content": text, "created_at": time} for text, time in times.items()],
    )
    edit(db.memory("m"))
    assert db.memory("m").log()["text"].tolist() == left


def test_remove_deletes_all_rows_of_one_memory(db: Client, partitioned_dsn: str) -> None:
    db.memory("m").remember(asked("q"), variables={"n": 1})
    db.memory("other").remember(asked("q"), variables={"n": 1})
    assert db.memory("m").remove()
    for table in ("memories", "memories_elements", "memories_variables"):
        assert query(partitioned_dsn, f"SELECT identifier FROM {table}".encode()) == [("other",)]


def test_notification_names_partitioned_table(db: Client, partitioned_dsn: str) -> None:
    with psycopg.connect(partitioned_dsn, autocommit=True) as connection:
        connection.execute("LISTEN draive_pg")
        db.instructions.define("greeting", content="Hi")
        db.configurations.define("limits", {"a": 1})
        db.configurations.remove("limits")
        told = [
            json.loads(notify.payload) for notify in connection.notifies(timeout=30, stop_after=3)
        ]
    assert told == [
        ["public", "instructions", "greeting"],
        ["public", "configurations", "limits"],
        ["public", "configurations", "limits"],
    ]


def test_live_client_sees_changes(connect: Connect, partitioned_dsn: str) -> None:
    here, elsewhere = connect(partitioned_dsn, live=True), connect(partitioned_dsn)
    here.instructions.define("greeting", content="Hi")
    assert here.instructions.load("greeting") == "Hi"
    elsewhere.instructions.define("greeting", content="Hello")
    wait_until(lambda: here.instructions.load("greeting") == "Hello")


def test_rows_of_plain_tables_can_be_moved(connect: Connect, dsn: str) -> None:
    with connect(dsn) as db:
        every_call.fill(db)
        db.memory("m").remember(*(asked(str(number)) for number in range(50)))
        before = db.memory("m").recall()
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Rows with equal timestamps, distinguished only by their position in the table.
        connection.execute("UPDATE memories_elements SET created = '2026-01-01Z'")
        connection.execute("CREATE SCHEMA partitioned; SET search_path = partitioned")
        connection.execute((SCHEMA / "partitioned" / "tables.sql").read_bytes())
    db = connect(dsn, schema="partitioned")
    db.setup()
    blocks = [block for _, language, block in fences(DOCUMENT) if language == "sql"]
    with psycopg.connect(dsn, autocommit=True) as connection:
        for block in blocks:
            connection.execute(block.encode())
    assert db.memory("m").recall() == before
    for read in every_call.READS.values():
        read(db)


def test_every_table_is_moved(partitioned_dsn: str) -> None:
    found = query(
        partitioned_dsn,
        b"SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        b" AND relkind IN ('r', 'p') AND NOT relispartition",
    )
    moved = re.findall(r"INSERT INTO partitioned\.(\w+)", DOCUMENT)
    assert sorted(["draive_pg_migrations", *moved]) == sorted(name for (name,) in found)


STATEMENTS = {
    "recall": recalling.recall("m", None),
    "recall of the newest": recalling.recall("m", 20),
    "remember": memory.remember("m", [asked("q")], {"n": 1}),
    "load": load.load_raw("limits", NEWEST, required=False),
    "define": define.define_instructions("greeting", content="Hi"),
}


@pytest.mark.parametrize("call", STATEMENTS.values(), ids=STATEMENTS)
def test_statement_about_one_subject_reads_one_partition(
    partitioned_dsn: str, call: Request[object]
) -> None:
    statement = first_operation(call).statements[-1]
    with psycopg.connect(partitioned_dsn, cursor_factory=psycopg.RawCursor) as connection:
        plan = connection.execute(
            b"EXPLAIN (VERBOSE) " + sent(statement).encode(), statement.parameters
        ).fetchall()
    scans = [line for (line,) in plan if re.search(r"Scan.* on public\.", line)]
    # Our own tables are not partitioned.
    partitions = {
        re.search(r" on public\.\w+_(\d+)", scan)[1] for scan in scans if "draive_pg_" not in scan
    }
    assert len(partitions) == 1
