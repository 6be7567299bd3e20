"""Configurations, through both clients."""

from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psycopg
import pytest
from draive import Configuration
from haiway import ConfigurationInvalid, ConfigurationMissing

from draive_pg import Client, RevisionConflict, RevisionMissing, StoredDataInvalid
from tests.sync_facade import run_concurrently


class Limits(Configuration):
    """All fields have defaults."""

    tokens: int = 100
    model: str = "small"


class Account(Configuration):
    """A field has no default."""

    owner: str


class Schedule(Configuration):
    at: datetime
    key: UUID


def test_new_database_has_no_configurations(db: Client) -> None:
    assert db.configurations.configurations() == ()
    assert db.configurations.load_raw("limits") is None
    assert db.configurations.load(Account) is None


def test_load_returns_newest_snapshot(db: Client) -> None:
    for tokens in (1, 2, 3):
        db.configurations.define("limits", {"tokens": tokens})
        assert db.configurations.load_raw("limits") == {"tokens": tokens}


def test_configuration_is_stored_under_class_name(db: Client) -> None:
    db.configurations.define(Limits(tokens=7))
    assert db.configurations.configurations() == ("Limits",)
    assert db.configurations.load(Limits) == Limits(tokens=7)
    assert db.configurations.load_raw("Limits") == {"tokens": 7, "model": "small"}


def test_configuration_is_stored_under_given_identifier(db: Client) -> None:
    db.configurations.define("production", Limits(tokens=9))
    assert db.configurations.load(Limits, identifier="production") == Limits(tokens=9)
    assert db.configurations.load(Limits) is None


def test_datetime_and_uuid_fields_round_trip(db: Client) -> None:
    schedule = Schedule(at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC), key=UUID(int=7))
    db.configurations.define(schedule)
    assert db.configurations.load(Schedule) == schedule


def test_mapping_round_trips_with_types(db: Client) -> None:
    value = {
        "i": 2,
        "f": 2.0,
        "big": 2**53 + 1,
        "huge": 1e300,
        "b": True,
        "n": None,
        "ż": ["☕", {}],
    }
    db.configurations.define("all", MappingProxyType(value))
    loaded = db.configurations.load_raw("all")
    assert loaded == value
    assert {key: type(item) for key, item in loaded.items()} == {
        key: type(item) for key, item in value.items()
    }


def test_load_of_missing_configuration_returns_default(db: Client) -> None:
    assert db.configurations.load(Account, default=Account(owner="me")) == Account(owner="me")
    db.configurations.define(Account(owner="you"))
    assert db.configurations.load(Account, default=Account(owner="me")) == Account(owner="you")


def test_required_configuration_is_built_from_defaults(db: Client) -> None:
    assert db.configurations.load(Limits, required=True) == Limits()


def test_required_configuration_without_defaults_raises(db: Client) -> None:
    with pytest.raises(ConfigurationMissing, match="Account"):
        db.configurations.load(Account, required=True)


def test_snapshot_not_matching_its_class_raises(db: Client) -> None:
    db.configurations.define("Account", {"owner": 7})
    with pytest.raises(ConfigurationInvalid, match="Account"):
        db.configurations.load(Account)
    db.configurations.define("Account", {"owner": "mended"})
    assert db.configurations.load(Account) == Account(owner="mended")


def test_unreadable_snapshot_is_named_in_error(db: Client, sql: psycopg.Connection) -> None:
    sql.execute(
        "INSERT INTO configurations VALUES ('Limits', $1::TEXT::JSONB)",
        (f'{{"tokens": {"9" * 5000}}}',),
    )
    for load in (
        lambda: db.configurations.load_raw("Limits"),
        lambda: db.configurations.load(Limits),
    ):
        with pytest.raises(
            StoredDataInvalid, match=r"configuration 'Limits' cannot be read.*digits"
        ):
            load()
    db.configurations.define("other", {"a": 1})
    assert db.configurations.load_raw("other") == {"a": 1}
    assert db.configurations.configurations() == ("Limits", "other")


def test_remove_deletes_all_snapshots_and_returns_count(db: Client) -> None:
    db.configurations.define("limits", {"tokens": 1})
    db.configurations.define("limits", {"tokens": 2})
    db.configurations.define("other", {})
    assert db.configurations.remove("limits") == 2
    assert db.configurations.remove("limits") == 0
    assert db.configurations.load_raw("limits") is None
    assert db.configurations.configurations() == ("other",)
    db.configurations.define(Limits())
    assert db.configurations.remove(Limits) == 1


def test_identifiers_are_listed_once_and_sorted(db: Client) -> None:
    for identifier in ("b", "a", "c", "a", "'; DROP TABLE configurations; --", '"%s" {x} 😀'):
        db.configurations.define(identifier, {})
    listed = db.configurations.configurations()
    assert sorted(listed) == sorted(
        {"a", "b", "c", "'; DROP TABLE configurations; --", '"%s" {x} 😀'}
    )
    assert list(listed).index("a") < list(listed).index("b") < list(listed).index("c")


def test_snapshots_of_one_transaction_have_distinct_timestamps(
    db: Client, sql: psycopg.Connection
) -> None:
    with db.transaction():
        for number in range(20):
            db.configurations.define("limits", {"number": number})
    rows = sql.execute("SELECT content FROM configurations ORDER BY created").fetchall()
    assert [row[0]["number"] for row in rows] == list(range(20))


def test_newest_snapshot_is_loaded_after_clock_steps_back(
    db: Client, sql: psycopg.Connection
) -> None:
    sql.execute(
        "INSERT INTO configurations VALUES ('limits', '{\"tokens\": 1}', now() + INTERVAL '1 hour')"
    )
    db.configurations.define("limits", {"tokens": 2})
    assert db.configurations.load_raw("limits") == {"tokens": 2}


@pytest.mark.parametrize(
    ("config", "value", "error", "says"),
    [
        ("x", {"a": [1, "b\0"]}, ValueError, r"the configuration\.a\[1\] contains a NUL"),
        ("x", {"a": {"b": "\ud800"}}, ValueError, r"\.a\.b contains a lone surrogate"),
        ("x", {"a": float("nan")}, ValueError, r"\.a is nan"),
        ("x", {"a": float("-inf")}, ValueError, r"\.a is -inf"),
        ("x", {1: "a"}, TypeError, "has the key 1"),
        ("x", {"a": object()}, TypeError, r"\.a is object"),
        ("x", {"a": b"bytes"}, TypeError, r"\.a is bytes"),
        ("x", [1], TypeError, "must be a mapping"),
        ("x", None, TypeError, "needs the value"),
        ("x\0", {}, ValueError, "identifier contains a NUL"),
        (7, None, TypeError, "must be a mapping"),
        (Limits(), {}, TypeError, "alone"),
    ],
)
def test_invalid_configuration_is_rejected_and_not_written(
    db: Client, config: Any, value: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        db.configurations.define(config, value)
    assert db.configurations.configurations() == ()


def test_too_deeply_nested_document_is_rejected(db: Client) -> None:
    nested: dict[str, object] = {}
    for _ in range(5000):
        nested = {"a": nested}
    with pytest.raises(ValueError, match="deeper than 256 levels"):
        db.configurations.define("deep", nested)


def test_load_accepts_only_configuration_classes(db: Client) -> None:
    wrongs: list[Any] = [dict, "Limits", Limits()]
    for wrong in wrongs:
        with pytest.raises(TypeError, match="Configuration class"):
            db.configurations.load(wrong)
    with pytest.raises(TypeError, match="identifier must be a str"):
        db.configurations.load_raw(7)  # pyright: ignore[reportArgumentType]


# --- Snapshots


def test_history_lists_snapshots_newest_first(db: Client) -> None:
    made = [db.configurations.define("limits", {"tokens": number}) for number in (1, 2, 3)]
    history = db.configurations.history("limits")
    assert [each.revision for each in history] == [3, 2, 1]
    assert [each.content for each in history] == [{"tokens": number} for number in (3, 2, 1)]
    assert [each.current for each in history] == [True, False, False]
    assert all(each.created.tzinfo is UTC for each in history)
    assert [each.created for each in made] == [each.created for each in history[::-1]]
    assert made[2] == history[0]
    assert list(history.to_df().revision) == [3, 2, 1]
    assert db.configurations.history("none") == ()


def test_load_by_revision_and_as_of(db: Client) -> None:
    first, second = (db.configurations.define(Limits(tokens=number)) for number in (1, 2))
    load_raw, load = partial(db.configurations.load_raw, "Limits"), db.configurations.load
    past = first.created - timedelta(microseconds=1)
    for _ in range(2):  # from the server, and from the cache
        assert load_raw(revision=1) == load_raw(as_of=first.created) == first.content
        assert load_raw(revision=2) == load_raw(as_of=second.created) == load_raw()
        assert load(Limits, as_of=first.created) == Limits(tokens=1)
        assert load(Limits, as_of=second.created) == load(Limits) == Limits(tokens=2)
        assert load_raw(as_of=past) is load(Limits, as_of=past) is None
        assert load(Limits, as_of=past, default=Limits(tokens=7)) == Limits(tokens=7)
        assert load(Limits, as_of=past, required=True) == Limits()
    with pytest.raises(ConfigurationMissing):
        load(Account, as_of=past, required=True)
    with pytest.raises(RevisionMissing, match="no revision 3; there are revisions 1 to 2"):
        load_raw(revision=3)
    assert db.configurations.load_raw("none", revision=3) is None


@pytest.mark.parametrize(
    ("choose", "error"),
    [
        ({"revision": 0}, ValueError),
        ({"revision": "1"}, TypeError),
        ({"as_of": "now"}, ValueError),
        ({"as_of": 2001}, TypeError),
        ({"revision": 1, "as_of": datetime.now(UTC)}, ValueError),
    ],
)
def test_invalid_selector_is_rejected(
    db: Client, choose: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"revision|as_of"):
        db.configurations.load_raw("limits", **choose)


def test_unchanged_value_creates_no_snapshot(db: Client) -> None:
    first = db.configurations.define("limits", {"a": 1, "b": [True, None]})
    assert db.configurations.define("limits", {"b": [True, None], "a": 1}) == first
    for number, other in enumerate(({"a": 1.0}, {"a": 1}, {"a": True}, {}, {"a": None}), 2):
        assert db.configurations.define("limits", other).revision == number


def test_conditional_define_checks_expected_revision(db: Client) -> None:
    first = db.configurations.define("limits", {"n": 1}, expected=0)
    second = db.configurations.define("limits", {"n": 2}, expected=first)
    for expected in (0, 1, 3, first):
        with pytest.raises(
            RevisionConflict,
            match=r"^define configuration 'limits': expected .*, but the newest is revision 2",
        ):
            db.configurations.define("limits", {"n": 3}, expected=expected)
    with pytest.raises(RevisionConflict, match="expected revision 1, but there is none"):
        db.configurations.define("none", {}, expected=1)
    with pytest.raises(ValueError, match="a Snapshot of 'limits', not of configuration 'none'"):
        db.configurations.define("none", {}, expected=second)
    with pytest.raises(ValueError, match="expected must be"):
        db.configurations.define("limits", {}, expected=-1)
    assert db.configurations.load_raw("limits") == {"n": 2}


def test_concurrent_defines_are_totally_ordered(db: Client) -> None:
    def define(db: Client, *, content: dict[str, int]) -> object:
        return db.configurations.define("limits", content)

    users = [
        [partial(define, content={"user": user, "n": number}) for number in range(5)]
        for user in range(4)
    ]
    made = [each for results in run_concurrently(db, *users) for each in results]
    assert sorted(each.revision for each in made) == list(range(1, 21))
    for user in range(4):
        own = [each for each in db.configurations.history("limits") if each.content["user"] == user]
        assert [each.content["n"] for each in own] == [4, 3, 2, 1, 0]
