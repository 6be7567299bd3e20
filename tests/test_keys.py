"""Writes with a key are applied at most once, and characters are replaced on request."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from draive import ModelInput, MultimodalContent

from draive_pg import Client
from draive_pg.adapters import PostgresModelMemory
from tests.draive_scope import InScope
from tests.elements import answered, asked, called, move_times, texts

BAD = "a\0b\ud800c"
GOOD = "a\ufffdb\ufffdc"


def test_repeated_write_with_key_is_not_applied(db: Client) -> None:
    memory = db.memory("m")
    for _ in range(2):
        memory.remember(asked("q"), answered("a"), key="turn-1")
        memory.remember(variables={"n": 1}, key="variables")
    memory.remember(asked("other"), variables={"n": 2}, key="turn-1")
    memory.remember(asked("q2"), key="turn-2")
    assert texts(memory.recall().context) == ["q", "a", "q2"]
    assert memory.recall().variables == {"n": 1}


def test_key_belongs_to_one_memory(db: Client) -> None:
    for identifier in ("m", "n"):
        db.memory(identifier).remember(asked("q"), key="k")
    assert db.memories.count() == 2


def test_key_can_be_used_again_when_it_has_expired(db: Client, sql: psycopg.Connection) -> None:
    memory = db.memory("m")
    memory.remember(asked("1"), key="k", key_expiration=timedelta(hours=1))
    memory.remember(asked("2"), key="other")
    move_times(sql, "draive_pg_keys", timedelta(hours=-1), "m", column="expires")
    memory.remember(asked("3"), key="k")
    memory.remember(asked("4"), key="other")
    assert texts(memory.recall().context) == ["1", "2", "3"]
    assert sql.execute("SELECT count(*) FROM draive_pg_keys").fetchone() == (2,)


def test_key_of_a_write_that_was_rolled_back_is_free(db: Client) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.memory("m").remember(asked("q"), key="k")
        raise ZeroDivisionError
    db.memory("m").remember(asked("again"), key="k")
    assert texts(db.memory("m").recall().context) == ["again"]


def test_removed_memory_is_not_created_by_repeated_write(db: Client) -> None:
    db.memory("m").remember(asked("q"), key="k")
    db.memories.remove("m")
    db.memory("m").remember(asked("q"), variables={"n": 1}, key="k")
    assert db.memories.identifiers() == ()


def test_key_of_cleared_or_renamed_memory_stays_used(db: Client) -> None:
    db.memory("m").remember(asked("q"), key="k")
    db.memory("m").clear()
    db.memory("m").remember(asked("q"), key="k")
    db.memory("m").rename("n")
    db.memory("m").remember(asked("q"), key="k")
    assert db.memories.identifiers() == ("n",)
    assert not db.memory("n").elements()


def test_erase_removes_keys(db: Client, sql: psycopg.Connection) -> None:
    for identifier in ("ada/1", "ada/2", "bob/1"):
        db.memory(identifier).remember(asked("q"), key="k")
    db.memories.erase(prefix="ada/", dry_run=False)
    assert sql.execute("SELECT identifier FROM draive_pg_keys").fetchall() == [("bob/1",)]


def test_one_of_concurrent_writes_with_a_key_is_applied(dsn: str) -> None:
    barrier = threading.Barrier(8)

    def write(worker: int) -> None:
        barrier.wait()
        for n in range(5):
            db.memory("m").remember(asked(f"{n}"), answered(f"{n}"), key=f"turn-{n}")

    with Client(dsn, max_size=8) as db, ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
        assert texts(db.memory("m").recall().context) == [f"{n}" for n in range(5) for _ in "qa"]


def test_invalid_keys_are_refused(db: Client) -> None:
    memory = db.memory("m")
    with pytest.raises(TypeError, match="key must be a str"):
        memory.remember(asked("q"), key=1)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="key_expiration must be a timedelta, not int"):
        memory.remember(asked("q"), key="k", key_expiration=60)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="key_expiration must be positive"):
        memory.remember(asked("q"), key="k", key_expiration=timedelta())
    assert db.memories.identifiers() == ()


def test_invalid_characters_are_replaced_on_request(db: Client) -> None:
    memory = db.memory("m")
    element = ModelInput.of(MultimodalContent.of(BAD), meta={"text": [BAD]})
    with pytest.raises(ValueError, match="NUL"):
        memory.remember(element)
    memory.remember(
        element,
        called("c", text=BAD),
        {"type": "model_input", "blocks": [], "meta": {BAD: BAD}},
        variables={"text": BAD},
        invalid="replace",
    )
    first, second, third = memory.elements(documents=True)
    assert first.element["blocks"][0]["parts"][0]["text"] == GOOD
    assert first.element["meta"] == {"text": [GOOD]}
    assert second.element["blocks"][0]["arguments"] == {"text": GOOD}
    assert third.element["meta"] == {GOOD: GOOD}
    assert db.frames.variables("m")["variables"][0] == {"text": GOOD}
    with pytest.raises(ValueError, match="NUL"):
        memory.replace(2, element)
    memory.replace(2, element, invalid="replace")
    assert memory.log()["text"].tolist() == [GOOD, "", GOOD]
    with pytest.raises(ValueError, match="invalid must be refuse or replace, not 'drop'"):
        memory.remember(element, invalid="drop")  # pyright: ignore[reportArgumentType]


def test_key_passes_through_memory_of_the_adapters(in_scope: InScope) -> None:
    async def repeated() -> list[str]:
        memory = PostgresModelMemory("m")
        for _ in range(2):
            await memory.remember(asked("q"), key="turn-1")
        return texts((await memory.recall()).context)

    assert in_scope(repeated()) == ["q"]
