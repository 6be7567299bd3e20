"""Removal and renaming of memories that draive, which takes no advisory lock, is writing to."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from draive_pg import Client
from tests.conftest import Connect
from tests.elements import asked
from tests.server import wait_for_lock_waiters

OLD = "2020-01-01T00:00Z"


@contextmanager
def written_by_draive(dsn: str) -> Generator[None]:
    """Create an old memory ``m``, and commit another element when a call waits for its row."""
    old, new = (json.dumps(asked(text).to_mapping()) for text in ("old", "new"))
    with psycopg.connect(dsn) as draive:
        draive.execute("INSERT INTO memories VALUES ('m', %s)", (OLD,))
        draive.execute("INSERT INTO memories_elements VALUES ('m', %s, %s)", (old, OLD))
        draive.commit()
        draive.execute("INSERT INTO memories_elements VALUES ('m', %s)", (new,))

        def commit() -> None:
            wait_for_lock_waiters(dsn, at_least=1)
            draive.commit()

        thread = threading.Thread(target=commit)
        thread.start()
        yield
        thread.join()


@pytest.fixture(params=["dsn", "partitioned_dsn"])
def stored(request: pytest.FixtureRequest, connect: Connect) -> tuple[Client, str]:
    dsn: str = request.getfixturevalue(request.param)
    return connect(dsn), dsn


def expire(db: Client) -> object:
    db.memories.set_ttl(timedelta(1), prefix="")
    return db.memories.prune(expired=True, dry_run=False)


@pytest.mark.parametrize(
    "prune",
    [
        lambda db: db.memories.prune(timedelta(30), dry_run=False),
        expire,
    ],
)
def test_prune_keeps_memory_that_draive_is_writing_to(
    stored: tuple[Client, str], prune: Callable[[Client], object]
) -> None:
    db, dsn = stored
    with written_by_draive(dsn):
        prune(db)
    assert db.memory("m").log().text.tolist() == ["old", "new"]


def test_rename_moves_element_that_draive_is_writing(stored: tuple[Client, str]) -> None:
    db, dsn = stored
    with written_by_draive(dsn):
        db.memory("m").rename("n")
    assert db.memories.identifiers() == ("n",)
    assert db.memory("n").log().text.tolist() == ["old", "new"]
