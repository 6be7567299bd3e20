"""Time to live of memories, which `prune` enforces."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from draive_pg import Client, OperationEvent, TableMissing, TimedOut, TimeToLive
from tests.conftest import Connect

DAY = timedelta(days=1)


@pytest.fixture
def aged(db: Client, sql: psycopg.Connection) -> Client:
    """Memories that were last written to a number of days ago."""
    for name, days in (("a/1", 1), ("a/3", 3), ("a/b/3", 3), ("b/9", 9), ("b/never", 5000)):
        db.memory(name).maintenance(variables={"n": 1})
        for table in ("memories", "memories_variables"):
            sql.execute(
                f"UPDATE {table} SET created = now() - $1::INTERVAL WHERE identifier = $2",
                (timedelta(days=days), name),
            )
    return db


@pytest.mark.parametrize(
    ("ttls", "chosen", "gone"),
    [
        ([], {}, []),
        ([(2, "a/", None)], {}, ["a/3", "a/b/3"]),
        ([(2, "a/", None), (4, "a/b/", None)], {}, ["a/3"]),
        ([(4, "a/", None), (2, "a/b/", None)], {}, ["a/b/3"]),
        ([(2, "a/", None), (4, None, "a/3")], {}, ["a/b/3"]),
        ([(4, "a/", None), (2, None, "a/3")], {}, ["a/3"]),
        ([(0.5, None, "a/")], {}, []),
        ([(4, "", None), (9999, None, "b/never")], {}, ["b/9"]),
        ([(2, "", None)], {"prefix": "a/b"}, ["a/b/3"]),
        ([(2, "", None)], {"older_than": timedelta(days=8)}, ["b/9", "b/never"]),
        ([(2, "", None)], {"keep": 3}, ["b/9", "b/never"]),
    ],
)
def test_prune_removes_expired_memories(
    aged: Client, ttls: list[Any], chosen: dict[str, Any], gone: list[str]
) -> None:
    for days, prefix, identifier in ttls:
        aged.memories.set_ttl(timedelta(days=days), prefix=prefix, identifier=identifier)
    would = aged.memories.prune(**chosen, expired=True, dry_run=True)
    assert sorted(would.identifiers) == gone
    assert aged.memories.count() == 5
    assert sorted(aged.memories.prune(**chosen, expired=True, dry_run=False).identifiers) == gone
    assert not {*aged.memories.identifiers()} & {*gone}
    assert aged.memories.count() == 5 - len(gone)


def test_memory_whose_ttl_is_extended_during_prune_is_kept(
    aged: Client, connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    aged.memories.set_ttl(2 * DAY, identifier="a/3")
    aged.memories.set_ttl(2 * DAY, prefix="b/")
    aged.annotations.add("a/3", name="kept")

    searched: list[OperationEvent] = []

    def extend(event: OperationEvent) -> None:
        if event.name == "prune memories" and not searched:  # those that remove them follow
            searched.append(event)
            sql.execute("UPDATE draive_pg_ttl SET ttl = INTERVAL '1 year' WHERE name = 'a/3'")

    db = connect(dsn, on_operation=extend)
    removed = db.memories.prune(expired=True, dry_run=False)
    assert sorted(removed.identifiers) == ["b/9", "b/never"]
    assert {each.name for each in aged.memories.ttls()} == {"a/3", "b/"}
    assert len(aged.annotations.list("a/3")) == 1


def test_set_ttl_waits_for_the_lock_of_the_memory(connect: Connect, dsn: str) -> None:
    other = connect(dsn)
    with other.transaction():
        other.memory("a").maintenance()
        connect(dsn).memories.set_ttl(DAY, prefix="a")
        with pytest.raises(TimedOut):
            connect(dsn, timeout=0.2).memories.set_ttl(DAY, identifier="a")


def test_ttl_is_replaced_listed_and_removed(db: Client) -> None:
    for days in (9, 2):
        db.memories.set_ttl(timedelta(days=days), prefix="a/")
    db.memories.set_ttl(timedelta(hours=1), identifier="z")
    assert db.memories.ttls() == (
        TimeToLive("z", is_prefix=False, ttl=timedelta(hours=1)),
        TimeToLive("a/", is_prefix=True, ttl=2 * DAY),
    )
    db.memories.set_ttl(None, identifier="a/")  # there is none
    db.memories.set_ttl(None, prefix="a/")
    assert [each.name for each in db.memories.ttls()] == ["z"]


def test_prune_and_erase_forget_own_ttl_of_removed_memory(aged: Client) -> None:
    for name in ("a/1", "a/3", "b/9"):
        aged.memories.set_ttl(2 * DAY, identifier=name)
    aged.memories.set_ttl(2 * DAY, prefix="b/9")
    assert aged.memories.prune(timedelta(days=5), keep=1, dry_run=False).memories == 2
    assert [(each.name, each.is_prefix) for each in aged.memories.ttls()] == [
        ("a/1", False),
        ("a/3", False),
        ("b/9", True),
    ]
    aged.memories.erase("a/1", dry_run=False)
    assert [each.name for each in aged.memories.ttls()] == ["a/3", "b/9"]
    aged.memories.erase(prefix="b/", dry_run=False)
    assert [each.name for each in aged.memories.ttls()] == ["a/3", "b/9"]


def test_prune_without_table_of_ttls(aged: Client, sql: psycopg.Connection) -> None:
    sql.execute("DROP TABLE draive_pg_ttl")
    sql.execute("DROP TABLE draive_pg_annotations")
    with pytest.raises(TableMissing, match="setup"):
        aged.memories.prune(expired=True, dry_run=True)
    assert aged.memories.prune(timedelta(days=5), dry_run=False).memories == 2
    assert aged.memories.erase(prefix="a/", dry_run=False).memories == 3


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"ttl": DAY}, ValueError, "set_ttl needs either identifier or prefix"),
        ({"ttl": DAY, "identifier": "a", "prefix": "a"}, ValueError, "either identifier or prefix"),
        ({"ttl": 90, "prefix": "a"}, TypeError, "ttl must be a timedelta or None, not int"),
        ({"ttl": timedelta(0), "prefix": "a"}, ValueError, "ttl must be positive"),
        ({"ttl": timedelta.max, "prefix": "a"}, ValueError, "at most a million days"),
        ({"ttl": DAY, "prefix": 7}, TypeError, "prefix must be a str"),
        ({"ttl": DAY, "identifier": "\0"}, ValueError, "identifier"),
    ],
)
def test_set_ttl_rejects_invalid_arguments(
    connect: Connect, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        connect("host=nowhere.invalid").memories.set_ttl(**arguments)


def test_longest_ttl_is_computable(aged: Client) -> None:
    aged.memories.set_ttl(timedelta(days=1_000_000), prefix="")
    assert aged.memories.prune(expired=True, dry_run=False).memories == 0
