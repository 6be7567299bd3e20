"""Listing, counting and finding memories by variables, meta, prefix and time."""

import sys
from datetime import timedelta

import psycopg
import pytest

from draive_pg import Client
from draive_pg.operations.conversations import listing
from tests.conftest import Connect
from tests.elements import asked

TIMES = {"ada/1": "2026-01-03", "ada/2": "2026-01-05", "bob/1": "2026-01-04", "bob/2": "2026-01-04"}


@pytest.fixture
def dated(db: Client, sql: psycopg.Connection) -> Client:
    """Memories that were last written to at known times, by an element or by variables."""
    for identifier in TIMES:
        user = identifier.partition("/")[0]
        db.memory(identifier).remember(
            asked("old", n=1), asked("q", topic=identifier[-1]), variables={"user": user, "n": 1}
        )
    sql.execute("UPDATE memories SET created = '2026-01-01Z'")
    sql.execute("UPDATE memories_elements SET created = '2026-01-02Z'")
    sql.execute("UPDATE memories_variables SET created = '2026-01-02Z'")
    for identifier, time in TIMES.items():
        table = "memories_variables" if identifier == "bob/1" else "memories_elements"
        sql.execute(
            f"UPDATE {table} SET created = '{time}Z' WHERE identifier = '{identifier}' AND ctid = "
            f"(SELECT max(ctid) FROM {table} WHERE identifier = '{identifier}')".encode()
        )
    db.memory("empty").maintenance()
    sql.execute("UPDATE memories SET created = '2026-01-06Z' WHERE identifier = 'empty'")
    return db


NEWEST_FIRST = ("empty", "ada/2", "bob/1", "bob/2", "ada/1")

FILTERS = [
    ({}, NEWEST_FIRST),
    ({"prefix": "ada/"}, ("ada/2", "ada/1")),
    ({"variables": {"user": "bob"}}, ("bob/1", "bob/2")),
    ({"meta": {"topic": "1"}}, ("bob/1", "ada/1")),
    ({"meta": {"n": 1}, "variables": {"n": 1}, "prefix": "a"}, ("ada/2", "ada/1")),
    ({"since": "2026-01-04"}, ("empty", "ada/2", "bob/1", "bob/2")),
    ({"until": "2026-01-04"}, ("ada/1",)),
    ({"since": "2026-01-04", "until": "2026-01-05"}, ("bob/1", "bob/2")),
    ({"variables": {"user": "cid"}}, ()),
]


@pytest.mark.parametrize(("filters", "found"), FILTERS)
def test_list_count_and_find_agree(
    dated: Client, filters: dict[str, object], found: tuple[str, ...]
) -> None:
    memories = dated.memories
    assert memories.find(**filters) == found  # pyright: ignore[reportArgumentType]
    assert memories.count(**filters) == len(found)  # pyright: ignore[reportArgumentType]
    for limit in (None, 1, 2, 100):
        listed = memories.list(  # pyright: ignore[reportCallIssue]
            order="last",
            descending=True,
            limit=limit,
            **filters,  # pyright: ignore[reportArgumentType]
        )
        assert tuple(each.identifier for each in listed) == found[:limit]
        assert listed.truncated == (limit is not None and len(found) > limit)
        assert memories.find(limit=limit, **filters) == found[:limit]  # pyright: ignore[reportArgumentType]


def test_newest_variables_decide(dated: Client) -> None:
    dated.memory("ada/1").remember(variables={"user": "cid"})
    assert dated.memories.find(variables={"user": "ada"}) == ("ada/2",)
    assert dated.memories.find(variables={"user": "cid"}) == ("ada/1",)


def test_pages_of_last_written_memories_cover_all(dated: Client) -> None:
    pages = [
        each.identifier
        for offset in range(0, 6, 2)
        for each in dated.memories.list(order="last", descending=True, limit=2, offset=offset)
    ]
    assert tuple(pages) == NEWEST_FIRST
    (first,) = dated.memories.list(order="last", descending=True, limit=1, offset=1)
    assert (first.elements, first.variables, f"{first.last:%Y-%m-%d}") == (2, 1, "2026-01-05")


@pytest.mark.parametrize("early", range(1, 7))
def test_longest_unwritten_memories_are_found_among_those_created_first(
    dated: Client, sql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, early: int
) -> None:
    """Whether the first ones are enough, or all memories are read."""
    for day, identifier in enumerate(("bob/2", "ada/1", "bob/1", "ada/2"), start=1):
        update = "UPDATE memories SET created = $1 WHERE identifier = $2"
        sql.execute(update, (f"2026-01-0{day}Z", identifier))
    monkeypatch.setattr(listing, "EARLY", early)
    monkeypatch.setattr(listing, "EARLY_PER_MEMORY", 0)
    everything = dated.memories.list(order="last", limit=None)
    assert [each.identifier for each in everything] == ["ada/1", "bob/1", "bob/2", "ada/2", "empty"]
    for limit, offset in ((1, 0), (2, 0), (2, 1), (9, 0), (1, 4), (sys.maxsize, 1)):
        page = dated.memories.list(order="last", limit=limit, offset=offset)
        assert list(page) == list(everything)[offset : offset + limit]
    for bounds in ({"since": "2026-01-04"}, {"until": "2026-01-05"}):
        page = dated.memories.list(order="last", limit=2, **bounds)  # pyright: ignore[reportArgumentType]
        every = dated.memories.list(order="last", limit=None, **bounds)  # pyright: ignore[reportArgumentType]
        assert list(page) == list(every)[:2]


def test_removed_element_is_not_the_last_write(dated: Client) -> None:
    dated.memory("ada/2").pop()
    assert dated.memories.find("ada/") == ("ada/1", "ada/2")
    assert dated.memories.find(limit=2) == ("empty", "bob/1")


def test_conversations_of_turns_are_found(connect: Connect, empty_dsn: str) -> None:
    db = connect(empty_dsn, draive="0.118")
    db.setup()
    for n in range(3):
        message = {"role": "user", "content": "hi", "timestamp": f"2026-01-0{n + 1}T00:00:00Z"}
        db.memories.import_chat(f"m{n}", [message])
    assert db.memories.find(limit=2) == ("m2", "m1")
    listed = db.memories.list(order="last", descending=True, limit=2)
    assert [each.identifier for each in listed] == ["m2", "m1"]
    assert db.memories.count(meta={"none": 1}) == 0


def test_invalid_filters_are_refused(db: Client) -> None:
    for call in (db.memories.list, db.memories.count, db.memories.find):
        with pytest.raises(TypeError, match="variables must be a mapping"):
            call(variables=[1])  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match="since must be a datetime"):
            call(since=timedelta())  # pyright: ignore[reportArgumentType]
