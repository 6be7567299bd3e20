"""Timestamp arguments: accepted forms, and the operations that accept them."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from draive_pg import Client
from draive_pg.cli.options import parse_time
from draive_pg.codec.timestamps import check_timestamp
from tests.elements import asked

MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)
TEN = datetime(2026, 11, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (TEN, TEN),
        (datetime(2026, 11, 1, 10), TEN),
        (datetime(2026, 11, 1, 11, tzinfo=timezone(timedelta(hours=1))), TEN),
        (pd.Timestamp(2026, 11, 1, 10), TEN),
        (date(2026, 11, 1), MIDNIGHT),
        ("2026-11-01", MIDNIGHT),
        ("2026-11-01T10:00", TEN),
        ("2026-11-01 10:00:00.000", TEN),
        ("2026-11-01T10:00Z", TEN),
        ("2026-11-01T11:00+01:00", TEN),
    ],
)
def test_valid_timestamps_are_accepted(value: object, expected: datetime | None) -> None:
    checked = check_timestamp(value, "since")
    assert checked == expected
    assert checked is None or checked.tzinfo is not None
    if isinstance(value, str):
        assert parse_time(value) == expected


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("", ValueError),
        ("yesterday", ValueError),
        ("2026", ValueError),
        ("2026-13-01", ValueError),
        ("2026-11-01T25:00", ValueError),
        ("2026-11-01\n", ValueError),
        ("x" * 10_000, ValueError),
        (1_793_491_200, TypeError),
        (1.5, TypeError),
        (True, TypeError),
        (b"2026-11-01", TypeError),
        (timedelta(days=1), TypeError),
        (pd.NaT, TypeError),
    ],
)
def test_invalid_timestamps_are_rejected(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^since must be ") as raised:
        check_timestamp(value, "since")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


FORMS = [
    MIDNIGHT,
    MIDNIGHT.replace(tzinfo=None),
    MIDNIGHT.date(),
    "2026-11-01",
    "2026-11-01T01:00+01:00",
]


@pytest.mark.parametrize("at", FORMS, ids=repr)
def test_operations_accept_any_form_of_timestamp(db: Client, dsn: str, at: Any) -> None:
    fill(db, dsn)
    assert db.memories.count(since=at) == db.memories.count(until=at) == 1
    assert [each.identifier for each in db.memories.list(since=at)] == ["new"]
    assert db.memories.search(until=at)["identifier"].tolist() == ["old"]
    assert db.frames.conversation_log(since=at)["identifier"].tolist() == ["new"]
    assert db.analysis.turns(until=at)["identifier"].tolist() == ["old"]
    assert db.analysis.tools(until=at).empty
    assert db.instructions.load("greeting", as_of=at) == "old"
    assert [each.content for each in db.instructions.search(since=at)] == ["new"]
    assert len(db.instructions.available_instructions(as_of=at)) == 1
    assert db.configurations.load_raw("limits", as_of=at) == {"n": 1}
    assert db.memories.prune(at, dry_run=True).identifiers == ("old",)


def fill(db: Client, dsn: str) -> None:
    """Write a memory, a prompt and a configuration before `MIDNIGHT`, and each again after it."""
    import psycopg

    for name, number in (("old", 1), ("new", 2)):
        db.memory(name).remember(asked(name))
        db.instructions.define("greeting", content=name)
        db.configurations.define("limits", {"n": number})
        with psycopg.connect(dsn, autocommit=True) as connection:
            for table in ("memories", "memories_elements", "instructions", "configurations"):
                connection.execute(
                    f"UPDATE {table} SET created = %s WHERE created > %s".encode(),
                    (MIDNIGHT + timedelta(days=number - 1.5), MIDNIGHT + timedelta(days=7)),
                )
