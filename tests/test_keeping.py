"""Memories as things that people manage: listed, copied, renamed, pruned, erased."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
from tests.elements import answered, asked, called, responded, texts

TABLES = ("memories", "memories_elements", "memories_variables")


def counted(sql: psycopg.Connection) -> tuple[int, ...]:
    return tuple(
        sql.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]  # pyright: ignore
        for table in TABLES
    )


def fill(db: Client, sql: psycopg.Connection) -> None:
    """Five memories: `n/0` last written to 0 days ago, `n/1` a day ago, and so on."""
    for days in range(5):
        memory = db.memory(f"n/{days}")
        memory.remember(*(asked(f"{days} {n}", user="ada") for n in range(days)))
        memory.remember(variables={"user": {"name": "ada" if days % 2 else "bob"}, "days": days})
        for table in TABLES:
            update = f"UPDATE {table} SET created = created - $1::INTERVAL WHERE identifier = $2"
            sql.execute(update.encode(), (timedelta(days=days), f"n/{days}"))


# --- Lists


def test_a_list_tells_how_much_there_is(db: Client, sql: psycopg.Connection) -> None:
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
    assert list(listed.to_df().columns) == list(MemorySummary.__dataclass_fields__)
    assert "n/3" in listed._repr_html_()
    assert db.memories.count() == 5


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
def test_a_list_is_filtered_sorted_and_paged(
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


def test_times_that_python_cannot_hold_are_listed_as_none(
    db: Client, sql: psycopg.Connection
) -> None:
    db.memory("m").remember(asked("q"))
    for far in ("infinity", "-infinity", "20000-01-01Z"):
        sql.execute("UPDATE memories SET created = $1", (far,))
        assert db.memories.list()[0].created is None


def test_nothing_is_listed_where_there_is_nothing(db: Client) -> None:
    assert db.memories.list() == ()
    assert len(db.memories.list().to_df().columns) == 7
    assert db.memories.count() == 0


# --- Copies and names

TURNS = (asked("q1"), called("c1"), responded("c1"), answered("a1"))


@pytest.mark.parametrize("position", range(6))
def test_a_fork_ends_at_a_position_with_the_variables_of_then(db: Client, position: int) -> None:
    memory = db.memory("old")
    memory.remember(*TURNS, variables={"n": 1})
    memory.remember(asked("q2"), variables={"n": 2})
    memory.remember(answered("a2"))
    memory.remember(variables={"n": 3})
    copy = memory.fork("new", position=position)
    assert list(copy.log().created) == list(memory.log().created[: position + 1])
    assert list(copy.log().text) == list(memory.log().text[: position + 1])
    # In the middle of what was written at once, the variables of before hold.
    expected = {3: {"n": 1}, 4: {"n": 2}, 5: {"n": 3}}.get(position, {})
    assert copy.recall().variables == expected


def test_a_fork_of_the_beginning_of_a_chat_has_its_system_message(db: Client) -> None:
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


def test_a_fork_at_no_position_is_refused_and_nothing_made(db: Client) -> None:
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


def test_a_renamed_memory_is_the_same_under_its_new_name(
    db: Client, sql: psycopg.Connection
) -> None:
    db.memory("old").remember(*TURNS, variables={"n": 1})
    before = (db.memory("old").recall(), list(db.memory("old").log().created))
    (listed,) = db.memories.list()
    renamed = db.memory("old", recall_limit=100).rename("new")
    assert (renamed.identifier, renamed.recall_limit) == ("new", 100)
    assert (renamed.recall(), list(renamed.log().created)) == before
    assert db.memories.identifiers() == ("new",)
    assert db.memories.list()[0].created == listed.created
    assert counted(sql) == (1, 4, 1)


def test_a_name_that_is_taken_or_a_memory_that_is_not_there_is_refused(
    db: Client, sql: psycopg.Connection
) -> None:
    db.memory("old").remember(asked("q"))
    db.memory("taken").maintenance()
    with pytest.raises(MemoryMissing, match="rename memory 'none': there is no such memory"):
        db.memory("none").rename("new")
    for name in ("taken", "old"):
        with pytest.raises(MemoryExists, match=f"memory '{name}' exists already"):
            db.memory("old").rename(name)
    assert counted(sql) == (2, 1, 0)


def test_renaming_back_and_forth_at_once_blocks_nobody_for_ever(dsn: str) -> None:
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
def test_what_is_old_or_too_much_goes_and_a_dry_run_tells_the_same(
    db: Client,
    sql: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    chosen: dict[str, Any],
    goes: list[str],
    batch: int,
) -> None:
    monkeypatch.setattr(removal, "BATCH", batch)
    fill(db, sql)
    before = counted(sql)
    would = db.memories.prune(**chosen, dry_run=True)
    assert counted(sql) == before
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
    assert counted(sql) == tuple(b - r for b, r in zip(before, removed, strict=True))
    assert set(db.memories.identifiers()).isdisjoint(goes)
    assert db.memories.prune(**chosen, dry_run=False).memories == 0


def test_pruning_without_dry_run_warns_and_removes_nothing(
    db: Client, sql: psycopg.Connection
) -> None:
    fill(db, sql)
    with pytest.warns(DeprecationWarning, match="dry_run=False"):
        would = db.memories.prune(keep=1)
    assert would.dry_run
    assert (would.memories, db.memories.count()) == (4, 5)


def test_a_listing_knows_whether_there_is_more(db: Client, sql: psycopg.Connection) -> None:
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
        lambda db: db.memories.export("none.jsonl", ["visit-l"]),
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


def test_a_missing_memory_is_suggested_for_in_a_transaction(db: Client) -> None:
    db.memory("visit-1").maintenance()
    with db.transaction():
        with pytest.raises(MemoryMissing, match="similar: 'visit-1'"):
            db.memory("visit-l").rename("copy")
        db.memory("visit-2").maintenance()
    assert db.memories.identifiers() == ("visit-1", "visit-2")


def test_pruning_before_a_moment(db: Client, sql: psycopg.Connection) -> None:
    fill(db, sql)
    moment = datetime.now(UTC) - timedelta(days=3.5)
    assert db.memories.prune(moment, dry_run=False).identifiers == ("n/4",)


def test_what_is_written_to_while_it_is_due_stays(dsn: str, sql: psycopg.Connection) -> None:
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
        ({}, ValueError, "prune needs older_than or keep"),
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
def test_pruning_is_refused_where_it_is_not_clear_what(
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
def test_a_persons_memories_go_and_a_dry_run_tells_which(
    db: Client, sql: psycopg.Connection, described: dict[str, Any], goes: list[str]
) -> None:
    fill(db, sql)
    db.memory("n/1").remember(variables={"later": True})  # whose it was is still known
    before = counted(sql)
    would = db.memories.erase(**described)
    assert list(would.identifiers) == goes
    assert would.dry_run
    assert counted(sql) == before
    did = db.memories.erase(**described, dry_run=False)
    assert list(did.identifiers) == goes
    assert (did.elements, did.variables) == (would.elements, would.variables)
    removed = (did.memories, did.elements, did.variables)
    assert counted(sql) == tuple(b - r for b, r in zip(before, removed, strict=True))
    assert db.memories.erase(**described).memories == 0
    assert repr(did).startswith(f"Removal(memories={len(goes)}, elements=")


def test_erasing_is_part_of_a_transaction(db: Client, sql: psycopg.Connection) -> None:
    fill(db, sql)
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.memories.erase(prefix="n/", dry_run=False)
        assert db.memories.count() == 0
        raise ZeroDivisionError
    assert db.memories.count() == 5


def test_more_memories_than_are_locked_go_too(db: Client, sql: psycopg.Connection) -> None:
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
def test_erasing_is_refused_where_it_is_not_clear_what(
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
def test_a_list_is_refused_before_any_io(
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
    assert db.memories.count() == 0
