"""Releases: prompts, configurations and labels together, through both clients."""

import itertools
import subprocess
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest
from draive import Configuration, InstructionsDeclaration
from draive.models.instructions import InstructionsMissing

from draive_pg import Client, RevisionConflict, RevisionMissing
from tests.conftest import Connect
from tests.notifications import wait_for_listener, wait_for_value
from tests.sync_facade import run_concurrently

GREETING = InstructionsDeclaration.of("greeting", description="How to greet")


class Limits(Configuration):
    tokens: int = 1


def test_release_writes_and_returns_everything(db: Client) -> None:
    made = db.release(
        prompts={GREETING: "Hello", "farewell": "Bye"},
        configurations={"limits": {"tokens": 2}, "Limits": Limits(tokens=3)},
        labels={"production": ["greeting", "farewell"], "staging": {"greeting": 1}},
        message="why",
        author="ada",
    )
    assert made.prompts == tuple(
        replace(db.instructions.revision(name), labels=()) for name in ("greeting", "farewell")
    )
    assert [(each.message, each.author) for each in made.prompts] == [("why", "ada")] * 2
    assert made.configurations == (
        *db.configurations.history("limits"),
        *db.configurations.history("Limits"),
    )
    assert [(each.label, each.name) for each in made.labels] == [
        ("production", "greeting"),
        ("production", "farewell"),
        ("staging", "greeting"),
    ]
    assert set(made.labels) == set(db.instructions.labels())
    assert {each.author for each in made.labels} == {"ada"}
    assert "Release" in made._repr_html_()
    assert len(repr(made)) < 1000


def test_repeated_release_writes_nothing(db: Client) -> None:
    release = partial(
        db.release,
        prompts={"greeting": "Hello"},
        configurations={"limits": {}},
        labels={"production": ["greeting"]},
    )
    first, second = release(), release()
    assert second.configurations == first.configurations
    assert second.labels == first.labels
    assert [each.created for each in second.prompts] == [each.created for each in first.prompts]
    assert len(db.instructions.history("greeting")) == 1


def test_empty_release_does_nothing(db: Client) -> None:
    made = db.release()
    assert (made.prompts, made.configurations, made.labels) == ((), (), ())


def test_release_of_labels_only_rolls_back(db: Client) -> None:
    for version in ("1", "2"):
        db.release(
            prompts={"a": version, "b": version}, labels={"production": ["a", "b"]}, message=version
        )
    db.release(labels={"production": {"a": 1, "b": 1}}, message="roll back")
    assert [db.instructions.load(name, label="production") for name in "ab"] == ["1", "1"]
    assert [db.instructions.load(name) for name in "ab"] == ["2", "2"]
    assert db.instructions.label_history("a")[0].message == "roll back"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"expected": {"greeting": 1}}, RevisionConflict),
        ({"expected_configurations": {"limits": 0}}, RevisionConflict),
        ({"labels": {"production": {"greeting": 7}}}, RevisionMissing),
        ({"labels": {"production": ["nobody"]}}, InstructionsMissing),
    ],
)
def test_failed_release_is_rolled_back(
    db: Client, fault: dict[str, Any], error: type[Exception]
) -> None:
    db.configurations.define("limits", {"tokens": 1})
    assert db.configurations.load_raw("limits") == {"tokens": 1}
    release = {
        "prompts": {"greeting": "Hello"},
        "configurations": {"limits": {"tokens": 2}},
        "labels": {"production": ["greeting"]},
    }
    with pytest.raises(error):
        options: dict[str, Any] = {**release, **fault}
        db.release(**options)
    assert db.instructions.available_instructions() == ()
    assert db.configurations.load_raw("limits") == {"tokens": 1}
    assert db.instructions.label_history("greeting") == ()


def test_conditional_release_succeeds_if_expected_matches(db: Client) -> None:
    first = db.instructions.define("greeting", content="1")
    snapshot = db.configurations.define("limits", {})
    made = db.release(
        prompts={"greeting": "2", "new": "1"},
        configurations={"limits": {"a": 1}},
        expected={"greeting": first, "new": 0},
        expected_configurations={"limits": snapshot},
    )
    assert [each.revision for each in (*made.prompts, *made.configurations)] == [2, 1, 2]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"prompts": ["a"]}, TypeError, "prompts must be a mapping"),
        ({"prompts": {"a": 7}}, TypeError, "content of instructions 'a' must be a str"),
        ({"prompts": {"greeting": "a", GREETING: "b"}}, ValueError, "two entries for one name"),
        ({"configurations": {"a": 7}}, TypeError, "the configuration must be a mapping"),
        ({"configurations": {"a": {"n": float("nan")}}}, ValueError, "nan"),
        ({"labels": {"production": "greeting"}}, TypeError, "'production'.* must be names"),
        ({"labels": {"production": 7}}, TypeError, "'production'.* must be names"),
        ({"labels": {"production": [7]}}, TypeError, "must be a name"),
        ({"labels": {"latest": ["a"]}}, ValueError, "'latest' is always"),
        ({"prompts": {"a": ""}, "expected": {"b": 1}}, ValueError, "expected names 'b'"),
        ({"prompts": {"a": ""}, "expected": {"a": -1}}, ValueError, "expected must be a number"),
        ({"expected_configurations": {"b": 1}}, ValueError, "expected_configurations names 'b'"),
        ({"prompts": {"a": ""}, "message": 7}, TypeError, "message must be a str"),
    ],
)
def test_invalid_release_is_rejected_before_io(
    connect: Connect, given: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        connect("host=nowhere.invalid").release(**given)


def test_release_becomes_visible_atomically(db: Client, dsn: str) -> None:
    with Client(dsn, cache_limit=0) as other:
        with db.transaction():
            db.release(prompts={"a": "1"}, configurations={"c": {}}, labels={"production": ["a"]})
            assert other.instructions.available_instructions() == ()
            assert other.configurations.configurations() == ()
            assert other.instructions.labels() == ()
        assert other.instructions.load("a", label="production") == "1"
        assert other.configurations.configurations() == ("c",)


def test_live_client_sees_release(connect: Connect, dsn: str, sql: psycopg.Connection) -> None:
    live = connect(dsn, live=True)
    live.configurations.configurations()
    wait_for_listener(live, sql)
    read = lambda: (  # noqa: E731
        live.instructions.resolve("a", label="production", default="none"),
        live.configurations.load_raw("c"),
    )
    assert read() == ("none", None)
    with Client(dsn) as other:
        other.release(prompts={"a": "1"}, configurations={"c": {}}, labels={"production": ["a"]})
        wait_for_value(read, ("1", {}))


NAMES = ("a", "b", "c", "d")


def released(db: Any, *, names: tuple[str, ...], content: str) -> Any:
    return db.release(
        prompts=dict.fromkeys(names, content),
        configurations={name: {"content": content} for name in names},
        labels={"production": names},
    )


def test_concurrent_releases_neither_deadlock_nor_interleave(db: Client) -> None:
    orders = list(itertools.permutations(NAMES))[::5]
    users = [
        [partial(released, names=names, content=f"{user}.{number}") for number in range(6)]
        for user, names in enumerate(orders)
    ]
    run_concurrently(db, *users)
    total = len(orders) * 6
    histories = [db.instructions.history(name) for name in NAMES]
    contents = [[each.content for each in history] for history in histories]
    assert len(contents[0]) == total
    assert all(each == contents[0] for each in contents)
    for name in NAMES:
        snapshots = [each.content["content"] for each in db.configurations.history(name)]
        assert snapshots == contents[0]
        moves = db.instructions.label_history(name, "production")
        assert [each.revision for each in moves] == list(range(total, 0, -1))


RELEASER = """
import sys
from draive_pg import Client

names = sys.argv[2].split(",")
with Client(sys.argv[1]) as db:
    for number in range(25):
        content = f"{sys.argv[2]} {number}"
        db.release(
            prompts=dict.fromkeys(names, content),
            configurations=dict.fromkeys(names, {"content": content}),
            labels={"production": names},
        )
"""


@pytest.mark.slow
def test_releases_of_processes_do_not_interleave(db: Client, dsn: str) -> None:
    orders = ("a,b,c,d", "d,c,b,a")
    processes = [subprocess.Popen([sys.executable, "-c", RELEASER, dsn, names]) for names in orders]
    assert [process.wait(120) for process in processes] == [0, 0]
    contents = [[each.content for each in db.instructions.history(name)] for name in NAMES]
    assert len(contents[0]) == 50
    assert all(each == contents[0] for each in contents)


def test_a_release_is_printed_as_tables(db: Client) -> None:
    released = db.release(prompts={"a": "1"}, labels={"production": ["a"]})
    assert str(released) == f"prompts:\n{released.prompts}\n\nlabels:\n{released.labels}"
    assert str(db.release()) == "nothing was released"
