"""Management of memories: list, fork, rename, prune and erase."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from draive_pg import Client, MemoryExists, MemoryMissing
from draive_pg.models.conversations import MemorySummary
from draive_pg.operations.conversations import removal
from tests import every_call
from tests.conftest import Connect
from tests.elements import answered, asked, called, move_times, responded, texts

TABLES = ("memories", "memories_elements", "memories_variables")


def row_counts(sql: psycopg.Connection) -> tuple[int, ...]:
    return tuple(
        sql.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]  # pyright: ignore
        for table in TABLES
    )


def fill(db: Client, sql: psycopg.Connection) -> None:
    """Write five memories: `n/0` now, `n/1` a day ago, and so on."""
    for days in range(5):
        memory = db.memory(f"n/{days}")
        memory.remember(*(asked(f"{days} {n}", user="ada") for n in range(days)))
        memory.remember(variables={"user": {"name": "ada" if days % 2 else "bob"}, "days": days})
        for table in TABLES:
            move_times(sql, table, -timedelta(days=days), f"n/{days}")


# --- Lists


def test_list_returns_counts_sizes_and_timestamps(db: Client, sql: psycopg.Connection) -> None:
    fill(db, sql)
    listed = db.memories.list()
    assert [each.identifier for each in listed] == [f"n/{days}" for days in range(5)]
    assert [each.elements for each in listed] == [0, 1, 2, 3, 4]
    assert [each.variables for each in listed] == [1] * 5
    assert listed[0].first is None
    for each in listed:
        assert each.bytes > 20
        assert each.last is not None
        assert each.last.tzinfo is UTC
        assert each.created is not None
        assert each.first is None or each.created <= each.first <= each.last
    log = db.memory("n/3").log()
    assert listed[3].first == log.created[0].to_pydatetime()
    assert list(listed.to_df().columns) == [each.name for each in fields(MemorySummary)]
    assert "n/3" in listed._repr_html_()
    assert db.memories.count() == 5


def test_list_has_the_current_titles(db: Client) -> None:
    for title in ("Bikes", "Red bicycles"):
        db.memory("a").remember(variables={"title": title})
    db.memory("b").remember(variables={"name": "Ada"})
    assert [each.title for each in db.memories.list()] == ["Red bicycles", None]
    assert [each.title for each in db.memories.list(order="last", limit=2)] == [
        "Red bicycles",
        None,
    ]
    assert "Red bicycles" in db.memories.list()._repr_html_()


@pytest.mark.parametrize(
    ("chosen", "finds"),
    [
        ({"limit": 2}, ["n/0", "n/1"]),
        ({"limit": 2, "offset": 3}, ["n/3", "n/4"]),
        ({"offset": 9}, []),
        ({"order": "last"}, ["n/4", "n/3", "n/2", "n/1", "n/0"]),
        ({"order": "created", "descending": True, "limit": 1}, ["n/0"]),
        ({"order": "elements", "descending": True, "limit": 2}, ["n/4", "n/3"]),
        ({"order": "bytes", "limit": 1}, ["n/0"]),
        ({"order": "identifier", "descending": True, "limit": 1}, ["n/4"]),
        ({"prefix": "n/"}, ["n/0", "n/1", "n/2", "n/3", "n/4"]),
        ({"prefix": "n/3"}, ["n/3"]),
        ({"prefix": "%"}, []),
        ({"since": timedelta(days=1.5)}, ["n/0", "n/1"]),
        ({"until": timedelta(days=2.5)}, ["n/3", "n/4"]),
        ({"since": timedelta(days=2.5), "until": timedelta(days=1.5)}, ["n/2"]),
    ],
)
def test_list_is_filtered_sorted_and_paginated(
    db: Client, sql: psycopg.Connection, chosen: dict[str, Any], finds: list[str]
) -> None:
    fill(db, sql)
    now = datetime.now(UTC)
    chosen = {
        key: now - value if isinstance(value, timedelta) else value for key, value in chosen.items()
    }
    assert [each.identifier for each in db.memories.list(**chosen)] == finds
    filters = {key: value for key, value in chosen.items() if key in ("prefix", "since", "until")}
    if filters == chosen:
        assert db.memories.count(**filters) == len(finds)


def test_timestamp_out_of_python_range_is_none(db: Client, sql: psycopg.Connection) -> None:
    db.memory("m").remember(asked("q"))
    for far in ("infinity", "-infinity", "20000-01-01Z"):
        sql.execute("UPDATE memories SET created = $1", (far,))
        assert db.memories.list()[0].created is None


def test_list_of_empty_database_is_empty(db: Client) -> None:
    assert db.memories.list() == ()
    assert len(db.memories.list().to_df().columns) == 8
    assert db.memories.count() == 0


# --- Forks and renames

TURNS = (asked("q1"), called("c1"), responded("c1"), answered("a1"))


@pytest.mark.parametrize("position", range(6))
def test_fork_at_position_has_variables_of_that_time(db: Client, position: int) -> None:
    memory = db.memory("old")
    memory.remember(*TURNS, variables={"n": 1})
    memory.remember(asked("q2"), variables={"n": 2})
    memory.remember(answered("a2"))
    memory.remember(variables={"n": 3})
    copy = memory.fork("new", position=position)
    assert list(copy.log().created) == list(memory.log().created[: position + 1])
    assert list(copy.log().text) == list(memory.log().text[: position + 1])
    # Within a batch, the variables before the batch apply.
    expected = {3: {"n": 1}, 4: {"n": 2}, 5: {"n": 3}}.get(position, {})
    assert copy.recall().variables == expected


def test_fork_at_first_position_has_system_message(db: Client) -> None:
    db.memories.import_chat(
        "chat",
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
        ],
    )
    copy = db.memory("chat").fork("what if", position=0)
    assert copy.recall().variables == {"system": "Be brief."}
    assert len(copy.log()) == 1


def test_fork_at_invalid_position_is_rejected(db: Client) -> None:
    db.memory("old").remember(asked("q"))
    with pytest.raises(ValueError, match=r"fork memory 'old': position 1 is out of range"):
        db.memory("old").fork("new", position=1)
    with pytest.raises(MemoryMissing, match="'none'"):
        db.memory("none").fork("new", position=0)
    assert db.memories.identifiers() == ("old",)
    positions: list[Any] = [-1, True, "1"]
    for position in positions:
        with pytest.raises(ValueError, match="position must be an int of 0 or more"):
            db.memory("old").fork("new", position=position)


def test_rename_keeps_content_and_timestamps(db: Client, sql: psycopg.Connection) -> None:
    db.memory("old").remember(*TURNS, variables={"n": 1})
    before = (db.memory("old").recall(), list(db.memory("old").log().created))
    (listed,) = db.memories.list()
    renamed = db.memory("old", recall_limit=100).rename("new")
    assert (renamed.identifier, renamed.recall_limit) == ("new", 100)
    assert (renamed.recall(), list(renamed.log().created)) == before
    assert db.memories.identifiers() == ("new",)
    assert db.memories.list()[0].created == listed.created
    assert row_counts(sql) == (1, 4, 1)


def test_rename_rejects_existing_name_and_missing_memory(
    db: Client, sql: psycopg.Connection
) -> None:
    db.memory("old").remember(asked("q"))
    db.memory("taken").maintenance()
    with pytest.raises(MemoryMissing, match="rename memory 'none': there is no such memory"):
        db.memory("none").rename("new")
    for name in ("taken", "old"):
        with pytest.raises(MemoryExists, match=f"memory '{name}' exists already"):
            db.memory("old").rename(name)
    assert row_counts(sql) == (2, 1, 0)


def test_concurrent_opposite_renames_do_not_deadlock(dsn: str) -> None:
    def rename(old: str, new: str) -> None:
        for _ in range(20):
            with suppress(MemoryMissing):
                db.memory(old).rename(new)

    with Client(dsn) as db, ThreadPoolExecutor() as pool:
        db.memory("a").remember(asked("q"))
        list(pool.map(rename, "abab", "baba"))
        (name,) = db.memories.identifiers()
        assert texts(db.memory(name).recall().context) == ["q"]


# --- Pruning


@pytest.mark.parametrize(
    ("chosen", "goes"),
    [
        ({"older_than": timedelta(days=2.5)}, ["n/4", "n/3"]),
        ({"older_than": timedelta(0)}, ["n/4", "n/3", "n/2", "n/1", "n/0"]),
        ({"older_than": timedelta(days=99)}, []),
        ({"keep": 3}, ["n/4", "n/3"]),
        ({"keep": 99}, []),
        ({"keep": 1, "older_than": timedelta(days=2.5)}, ["n/4", "n/3"]),
        ({"keep": 4, "older_than": timedelta(days=2.5)}, ["n/4"]),
        ({"keep": 1, "prefix": "n/"}, ["n/4", "n/3", "n/2", "n/1"]),
        ({"older_than": timedelta(0), "prefix": "n/3"}, ["n/3"]),
        ({"older_than": timedelta(0), "prefix": "_"}, []),
    ],
)
@pytest.mark.parametrize("batch", [2, 500])
def test_prune_removes_what_dry_run_lists(
    db: Client,
    sql: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    chosen: dict[str, Any],
    goes: list[str],
    batch: int,
) -> None:
    monkeypatch.setattr(removal, "BATCH", batch)
    fill(db, sql)
    before = row_counts(sql)
    would = db.memories.prune(**chosen, dry_run=True)
    assert row_counts(sql) == before
    assert sorted(would.identifiers) == sorted(goes)
    assert would.dry_run
    did = db.memories.prune(**chosen, dry_run=False)
    assert (did.memories, did.elements, did.variables, did.dry_run) == (
        would.memories,
        would.elements,
        would.variables,
        False,
    )
    assert sorted(did.identifiers) == sorted(goes)
    removed = (did.memories, did.elements, did.variables)
    assert row_counts(sql) == tuple(b - r for b, r in zip(before, removed, strict=True))
    assert set(db.memories.identifiers()).isdisjoint(goes)
    assert db.memories.prune(**chosen, dry_run=False).memories == 0


def test_prune_without_dry_run_warns_and_removes_nothing(
    db: Client, sql: psycopg.Connection
) -> None:
    fill(db, sql)
    with pytest.warns(DeprecationWarning, match="dry_run=False"):
        would = db.memories.prune(keep=1)
    assert would.dry_run
    assert (would.memories, db.memories.count()) == (4, 5)


def test_list_reports_truncation(db: Client, sql: psycopg.Connection) -> None:
    fill(db, sql)
    assert db.memories.list(limit=4).truncated
    assert len(db.memories.list(limit=4)) == 4
    assert not db.memories.list(limit=5).truncated
    assert not db.memories.list(limit=None).truncated
    assert not db.memories.list(limit=4, offset=1).truncated
    assert not db.memories.list(limit=2**63 - 1).truncated


@pytest.mark.parametrize(
    "missing",
    [
        lambda db: db.memory("visit-l").fork("copy"),
        lambda db: db.memory("visit-l").rename("copy"),
        lambda db: db.memories.export_memories("none.jsonl", ["visit-l"]),
    ],
)
def test_similar_identifiers_are_suggested_for_a_missing_memory(
    db: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("visit-1", "other", "vist-11"):
        db.memory(name).maintenance()
    with pytest.raises(MemoryMissing, match=r"similar: 'visit-1'") as raised:
        missing(db)
    assert "other" not in str(raised.value)
    with pytest.raises(MemoryMissing) as raised:
        db.memory("nothing like it").fork("copy")
    assert "similar" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_similar_identifiers_are_suggested_in_transaction(db: Client) -> None:
    db.memory("visit-1").maintenance()
    with db.transaction():
        with pytest.raises(MemoryMissing, match="similar: 'visit-1'"):
            db.memory("visit-l").rename("copy")
        db.memory("visit-2").maintenance()
    assert db.memories.identifiers() == ("visit-1", "visit-2")


def test_prune_before_datetime(db: Client, sql: psycopg.Connection) -> None:
    fill(db, sql)
    moment = datetime.now(UTC) - timedelta(days=3.5)
    assert db.memories.prune(moment, dry_run=False).identifiers == ("n/4",)


def test_prune_keeps_memory_written_to_in_the_meantime(dsn: str, sql: psycopg.Connection) -> None:
    with Client(dsn) as db:
        fill(db, sql)
        pruning = removal.prune(timedelta(days=0.5), None, None, dry_run=False)
        first: Any = pruning.first
        due = db._database.run(first)
        db.memory("n/4").remember(answered("just now"))
        operation = pruning.steps.send(due)
        with pytest.raises(StopIteration) as end:
            pruning.steps.send(db._database.run(operation))
        assert sorted(end.value.value.identifiers) == ["n/1", "n/2", "n/3"]
        assert db.memories.identifiers() == ("n/0", "n/4")


@pytest.mark.parametrize(
    ("chosen", "error", "says"),
    [
        ({}, ValueError, "prune needs older_than or keep, or expired=True"),
        (
            {"older_than": 90},
            TypeError,
            "older_than must be a datetime, a date or ISO 8601 text, not int",
        ),
        ({"older_than": timedelta(days=-1)}, ValueError, "older_than must not be negative"),
        ({"older_than": "90d"}, ValueError, "older_than must be a time such as"),
        ({"keep": 0}, ValueError, "keep must be a positive int"),
        ({"keep": 1, "prefix": 7}, TypeError, "prefix must be a str"),
    ],
)
def test_prune_rejects_invalid_arguments(
    connect: Connect, chosen: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        connect("host=nowhere.invalid").memories.prune(**chosen)


# --- Erasing


@pytest.mark.parametrize(
    ("described", "goes"),
    [
        ({"identifiers": "n/3"}, ["n/3"]),
        ({"identifiers": ["n/3", "n/0", "none"]}, ["n/0", "n/3"]),
        ({"identifiers": []}, []),
        ({"prefix": "n/"}, ["n/0", "n/1", "n/2", "n/3", "n/4"]),
        ({"variables": {"user": {"name": "ada"}}}, ["n/1", "n/3"]),
        ({"meta": {"user": "ada"}}, ["n/1", "n/2", "n/3", "n/4"]),
        ({"meta": {"user": "ada"}, "variables": {"user": {"name": "bob"}}}, ["n/2", "n/4"]),
    ],
)
def test_erase_removes_what_dry_run_lists(
    db: Client, sql: psycopg.Connection, described: dict[str, Any], goes: list[str]
) -> None:
    fill(db, sql)
    db.memory("n/1").remember(variables={"later": True})  # earlier snapshots are matched, too
    before = row_counts(sql)
    would = db.memories.erase(**described)
    assert list(would.identifiers) == goes
    assert would.dry_run
    assert row_counts(sql) == before
    did = db.memories.erase(**described, dry_run=False)
    assert list(did.identifiers) == goes
    assert (did.elements, did.variables) == (would.elements, would.variables)
    removed = (did.memories, did.elements, did.variables)
    assert row_counts(sql) == tuple(b - r for b, r in zip(before, removed, strict=True))
    assert db.memories.erase(**described).memories == 0
    assert repr(did).startswith(f"Removal(memories={len(goes)}, elements=")


@pytest.mark.parametrize(
    "remove",
    [
        lambda db: db.memories.erase("m", dry_run=False),
        lambda db: db.memories.prune(timedelta(), dry_run=False),
        lambda db: db.memories.remove("m"),
        lambda db: db.memory("m").rename("n"),
    ],
    ids=["erase", "prune", "remove", "rename"],
)
def test_rows_are_removed_from_tables_without_foreign_keys(
    db: Client, sql: psycopg.Connection, remove: Callable[[Client], object]
) -> None:
    for table in ("memories_elements", "memories_variables"):
        sql.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_identifier_fkey")
    db.memory("m").remember(asked("secret"), variables={"secret": 1})
    remove(db)
    left = "SELECT identifier FROM {} WHERE identifier = 'm'"
    assert sql.execute(left.format("memories_elements")).fetchall() == []
    assert sql.execute(left.format("memories_variables")).fetchall() == []


def test_erase_joins_transaction(db: Client, sql: psycopg.Connection) -> None:
    fill(db, sql)
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.memories.erase(prefix="n/", dry_run=False)
        assert db.memories.count() == 0
        raise ZeroDivisionError
    assert db.memories.count() == 5


def test_erase_of_more_memories_than_are_locked_individually(
    db: Client, sql: psycopg.Connection
) -> None:
    sql.execute(
        "INSERT INTO memories SELECT 'p/' || number FROM generate_series(1, 9000) AS number"
    )
    assert db.memories.erase(prefix="p/", dry_run=False).memories == 9000


@pytest.mark.parametrize(
    ("described", "error", "says"),
    [
        ({}, ValueError, "erase needs identifiers"),
        ({"prefix": ""}, ValueError, "must not be empty"),
        ({"variables": {}}, ValueError, "must not be empty"),
        ({"meta": {}}, ValueError, "must not be empty"),
        ({"meta": "ada"}, TypeError, "meta must be a mapping"),
        ({"identifiers": [7]}, TypeError, "identifier must be a str"),
        ({"identifiers": 7}, TypeError, "identifier must be a str"),
    ],
)
def test_erase_rejects_invalid_arguments(
    connect: Connect, described: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        connect("host=nowhere.invalid").memories.erase(**described)


@pytest.mark.parametrize(
    ("chosen", "error", "says"),
    [
        ({"order": "size"}, ValueError, "order must be one of identifier, created"),
        ({"limit": 0}, ValueError, "limit must be a positive int"),
        ({"offset": -1}, ValueError, "offset must be an int of 0 or more"),
        ({"prefix": 7}, TypeError, "prefix must be a str"),
        ({"since": 7}, TypeError, "since must be a datetime"),
    ],
)
def test_list_rejects_invalid_arguments_before_io(
    connect: Connect, chosen: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        connect("host=nowhere.invalid").memories.list(**chosen)


PARTITIONED = """
CREATE TABLE memories (
    identifier TEXT NOT NULL PRIMARY KEY, created TIMESTAMPTZ NOT NULL DEFAULT now()
) PARTITION BY HASH (identifier);
CREATE TABLE memories_elements (
    identifier TEXT NOT NULL REFERENCES memories ON DELETE CASCADE,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT now()
) PARTITION BY HASH (identifier);
CREATE TABLE memories_variables (
    identifier TEXT NOT NULL REFERENCES memories ON DELETE CASCADE,
    variables JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT now()
) PARTITION BY HASH (identifier);
"""


def test_every_call_works_on_partitioned_tables(connect: Connect, empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as admin:
        admin.execute(PARTITIONED)
        for table in TABLES:
            for part in range(4):
                admin.execute(
                    f"CREATE TABLE {table}_{part} PARTITION OF {table}"
                    f" FOR VALUES WITH (MODULUS 4, REMAINDER {part})".encode()
                )
    db = connect(empty_dsn)
    db.setup()
    for _ in range(2):
        every_call.fill(db)
        for call in (*every_call.READS.values(), *every_call.WRITES.values()):
            call(db)
        db.memories.erase(["chat", "n"], dry_run=False)
        with psycopg.connect(empty_dsn, autocommit=True) as admin:
            for table in ("draive_pg_removals", "draive_pg_configuration_removals"):
                admin.execute(f"DELETE FROM {table}".encode())  # numbers begin with 1 again
    assert db.memories.count() == 0
