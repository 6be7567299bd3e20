"""Labels of instructions, through both clients and for a draive service."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from draive import Instructions, InstructionsDeclaration, InstructionsRepository, ctx
from draive.models.instructions import InstructionsMissing
from hypothesis import given

from draive_pg import Client, RevisionConflict, RevisionMissing
from draive_pg.adapters import PostgresConnectionPool, PostgresInstructionsRepository
from tests.conftest import Connect
from tests.draive_scope import asyncpg_pool, psycopg_pool
from tests.notifications import count_listeners, wait_for_listener, wait_for_value
from tests.server import wait_until
from tests.strategies import texts
from tests.sync_facade import run_concurrently


@pytest.fixture
def three(db: Client) -> Client:
    """A client of a database with three revisions of a prompt."""
    for content in ("1", "2", "3"):
        db.instructions.define("greeting", content=content)
    return db


@pytest.mark.slow
@pytest.mark.parametrize("brace", ["", "{{"])
def test_label_of_a_prompt_over_268_million_characters(
    db: Client, sql: psycopg.Connection, brace: str
) -> None:
    """More than a regular expression of PostgreSQL can search."""
    sql.execute(
        "INSERT INTO instructions (name, content) "
        "VALUES ('large', repeat('a', 270000000) || $1::TEXT)",
        (brace,),
    )
    assert db.instructions.label("large", "production").revision == 1


def test_label_is_read_moved_and_removed(three: Client) -> None:
    prompts = three.instructions
    made = prompts.label("greeting", "production", message="go", author="ada")
    assert (made.name, made.label, made.revision) == ("greeting", "production", 3)
    assert (made.message, made.author) == ("go", "ada")
    assert made.revision_created == prompts.revision("greeting").created
    assert prompts.load("greeting", label="production") == "3"
    prompts.define("greeting", content="4")
    assert prompts.load("greeting", label="production") == "3"
    assert prompts.label("greeting", "production", 1).revision == 1
    assert prompts.load("greeting", label="production") == "1"
    assert prompts.resolve("greeting", label="production") == "1"
    assert prompts.unlabel("greeting", "production") is True
    with pytest.raises(RevisionMissing, match="no label 'production'; there are revisions 1 to 4"):
        prompts.load("greeting", label="production")
    assert prompts.unlabel("greeting", "production") is False
    assert prompts.unlabel("greeting", "never") is False


def test_label_accepts_number_label_time_and_revision(three: Client) -> None:
    third, second, first = three.instructions.history("greeting")
    move = partial(three.instructions.label, "greeting")
    assert move("a", 1).revision == 1
    assert move("b", "a").revision == 1
    assert move("a", second).revision == 2
    assert move("a", first.created).revision == 1
    assert move("a", "latest").revision == 3
    assert move("a", revision=None).revision_created == third.created


def test_labels_lists_one_name_or_all(three: Client) -> None:
    three.instructions.define("farewell", content="Bye")
    three.instructions.label("greeting", "staging")
    three.instructions.label("greeting", "production", 1)
    three.instructions.label("farewell", "production")
    listed = lambda found: [(each.name, each.label, each.revision) for each in found]  # noqa: E731
    own = [("greeting", "production", 1), ("greeting", "staging", 3)]
    assert listed(three.instructions.labels("greeting")) == own
    assert listed(three.instructions.labels()) == [("farewell", "production", 1), *own]
    assert three.instructions.labels("nobody") == ()
    assert three.instructions.history("greeting")[2].labels == ("production",)


def test_label_history_has_author_message_and_time(three: Client) -> None:
    prompts = three.instructions
    prompts.label("greeting", "production", 2, author="ada", message="release")
    prompts.label("greeting", "staging", 3)
    prompts.label("greeting", "production", 3, author="bo")
    prompts.unlabel("greeting", "production", author="cy", message="stop")
    history = prompts.label_history("greeting", "production")
    assert [(each.revision, each.author, each.message) for each in history] == [
        (None, "cy", "stop"),
        (3, "bo", None),
        (2, "ada", "release"),
    ]
    assert history[0].moved > history[1].moved > history[2].moved
    assert len(prompts.label_history("greeting")) == 4
    assert prompts.label_history("nobody") == ()


def test_label_already_on_revision_is_not_moved(three: Client) -> None:
    first = three.instructions.label("greeting", "production", 2, author="ada")
    assert three.instructions.label("greeting", "production", 2, author="bo") == first
    assert len(three.instructions.label_history("greeting")) == 1


def test_label_is_read_as_of_time(three: Client) -> None:
    prompts = three.instructions
    moves = [prompts.label("greeting", "production", number) for number in (2, 1, 3)]
    prompts.unlabel("greeting", "production")
    (removed, *_) = prompts.label_history("greeting")
    for _ in range(2):  # from the server, and from the cache
        for move, content in zip(moves, "213", strict=True):
            assert prompts.load("greeting", label="production", as_of=move.moved) == content
        for gone in (removed.moved, moves[0].moved - timedelta(microseconds=1)):
            with pytest.raises(RevisionMissing, match="no label 'production' as of 20"):
                prompts.load("greeting", label="production", as_of=gone)


def test_available_instructions_by_label_omit_unlabelled_ones(three: Client) -> None:
    three.instructions.define(InstructionsDeclaration.of("farewell", description="1"), content="")
    moved = three.instructions.label("farewell", "production").moved
    three.instructions.define(InstructionsDeclaration.of("farewell", description="2"), content="")
    available = three.instructions.available_instructions
    described = lambda found: [(each.name, each.description) for each in found]  # noqa: E731
    assert described(available(label="production")) == [("farewell", "1")]
    assert described(available(label="latest")) == [("farewell", "2"), ("greeting", None)]
    assert available(label="staging") == ()
    three.instructions.label("farewell", "production")
    assert described(available(label="production")) == [("farewell", "2")]
    assert described(available(label="production", as_of=moved)) == [("farewell", "1")]


@pytest.mark.parametrize(
    ("label", "error"),
    [
        *[(label, ValueError) for label in ("latest", "", " ", "12", "a\0")],
        *[(label, TypeError) for label in (7, None, b"a")],
    ],
)
def test_invalid_or_reserved_label_is_rejected(
    three: Client, label: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="label"):
        three.instructions.label("greeting", label)
    with pytest.raises(error, match="label"):
        three.instructions.unlabel("greeting", label)
    assert three.instructions.labels() == ()


def test_label_on_missing_revision_is_rejected(three: Client) -> None:
    with pytest.raises(RevisionMissing, match=r"^label instructions 'greeting': .*no revision 4"):
        three.instructions.label("greeting", "production", 4)
    with pytest.raises(RevisionMissing, match="no label 'staging'"):
        three.instructions.label("greeting", "production", "staging")
    with pytest.raises(InstructionsMissing):
        three.instructions.label("farewell", "production")
    assert three.instructions.label_history("greeting") == ()


def test_conditional_label_move_checks_expected_revision(three: Client) -> None:
    move = partial(three.instructions.label, "greeting", "production")
    with pytest.raises(RevisionConflict, match="expected revision 1, but the label is on none"):
        move(2, expected=1)
    assert move(1, expected=0).revision == 1
    assert move(2, expected=three.instructions.revision("greeting", 1)).revision == 2
    for expected in (0, 1, 3, three.instructions.revision("greeting", 1)):
        with pytest.raises(RevisionConflict, match="but the label is on revision 2, since 20"):
            move(3, expected=expected)
    assert three.instructions.load("greeting", label="production") == "2"


@pytest.mark.parametrize("by", ["us", "draive"])
def test_labels_of_removed_name_do_not_apply_to_new_definition(
    three: Client, sql: psycopg.Connection, by: str
) -> None:
    prompts = three.instructions
    prompts.label("greeting", "production", 1)
    if by == "us":
        prompts.remove("greeting", labelled=True)
    else:
        sql.execute("DELETE FROM instructions")
    for _ in range(2):
        assert prompts.labels() == ()
        assert prompts.available_instructions(label="production") == ()
        assert [each.revision for each in prompts.label_history("greeting")] == [None]
        with pytest.raises((InstructionsMissing, RevisionMissing)):
            prompts.load("greeting", label="production", revision=None)
        prompts.define("greeting", content="anew")
    assert prompts.revision("greeting").labels == ()
    assert prompts.label("greeting", "production", expected=0).revision == 4
    assert prompts.load("greeting", label="production") == "anew"


def test_label_of_deleted_revision_does_not_fall_back(
    three: Client, sql: psycopg.Connection
) -> None:
    for number in (1, 3):
        three.instructions.label("greeting", "production", number)
    sql.execute("DELETE FROM instructions WHERE content = '3'")
    with pytest.raises(RevisionMissing, match="no label 'production'"):
        three.instructions.load("greeting", label="production")


def test_label_move_invalidates_only_its_name(three: Client, sql: psycopg.Connection) -> None:
    three.instructions.define("other", content="1")
    for name in ("greeting", "other"):
        three.instructions.label(name, "production", 1)
        assert three.instructions.load(name, label="production") == "1"
    sql.execute("ALTER TABLE instructions DISABLE TRIGGER USER")
    sql.execute("UPDATE instructions SET content = 'unheard of' WHERE content = '1'")
    assert three.instructions.load("greeting", label="production") == "1"
    three.instructions.label("greeting", "production", 2)
    assert three.instructions.load("greeting", label="production") == "2"
    assert three.instructions.load("other", label="production") == "1"
    three.instructions.unlabel("greeting", "production")
    with pytest.raises(RevisionMissing):
        three.instructions.load("greeting", label="production")


def test_rolled_back_label_move_is_not_served(three: Client) -> None:
    three.instructions.label("greeting", "production", 1)
    with pytest.raises(ZeroDivisionError), three.transaction():
        three.instructions.label("greeting", "production", 2)
        assert three.instructions.load("greeting", label="production") == "2"
        raise ZeroDivisionError
    assert three.instructions.load("greeting", label="production") == "1"


def test_label_moves_of_one_transaction_are_ordered(three: Client) -> None:
    with three.transaction():
        for number in (1, 2, 3, 1, 2):
            three.instructions.label("greeting", "production", number)
    history = three.instructions.label_history("greeting")
    assert [each.revision for each in history] == [2, 1, 3, 2, 1]


# --- Concurrency


def move(db: Any, *, label: str, number: int) -> Any:
    return db.instructions.label("greeting", label, number, author=label)


def test_concurrent_label_moves_are_totally_ordered(three: Client) -> None:
    users = [
        [partial(move, label=f"user {user}", number=number) for number in (1, 2, 3)]
        + [partial(move, label="shared", number=number) for number in (1, 2, 3)]
        for user in range(4)
    ]
    done = run_concurrently(three, *users)
    moved = [made for results in done for made in results]
    shared = three.instructions.label_history("greeting", "shared")
    assert len({each.moved for each in shared}) == len(shared)
    for earlier, later in zip(shared[1:], shared, strict=False):
        assert earlier.revision != later.revision
    assert {each for each in moved if each.label == "shared"} == set(shared)
    for user in range(4):
        own = three.instructions.label_history("greeting", f"user {user}")
        assert [each.revision for each in own] == [3, 2, 1]


MOVER = """
import sys
from draive_pg import Client, RevisionConflict

won = 0
with Client(sys.argv[1]) as db:
    while won < 15:
        (held,) = db.instructions.labels("greeting")
        try:
            db.instructions.label(
                "greeting", "production", held.revision % 3 + 1, expected=held.revision
            )
            won += 1
        except RevisionConflict:
            pass
"""


def test_conditional_label_moves_of_processes_are_serialized(three: Client, dsn: str) -> None:
    three.instructions.label("greeting", "production", 1)
    processes = [subprocess.Popen([sys.executable, "-c", MOVER, dsn]) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    moves = [each.revision for each in three.instructions.label_history("greeting")]
    assert moves[::-1] == [number % 3 + 1 for number in range(31)]


# --- Notifications


def test_live_client_sees_moved_label(connect: Connect, dsn: str, sql: psycopg.Connection) -> None:
    live = connect(dsn, live=True)
    live.configurations.configurations()
    wait_for_listener(live, sql)
    read = lambda: live.instructions.resolve("a", label="production", default="none")  # noqa: E731
    assert read() == "none"
    with Client(dsn) as other:
        for content in ("1", "2"):
            other.instructions.define("a", content=content)
            other.instructions.label("a", "production")
            wait_for_value(read, content)
        other.instructions.label("a", "production", 1)
        wait_for_value(read, "1")
        wait_for_value(lambda: len(live.instructions.available_instructions(label="production")), 1)
        other.instructions.unlabel("a", "production")
        wait_for_value(read, "none")
        wait_for_value(lambda: live.instructions.available_instructions(label="production"), ())
        other.instructions.label("a", "production", 2)
        wait_for_value(read, "2")
    sql.execute("TRUNCATE draive_pg_labels")
    wait_for_value(read, "none")


@pytest.mark.parametrize("pool_of", [psycopg_pool, asyncpg_pool])
def test_draive_service_serves_labelled_revision(
    three: Client, dsn: str, pool_of: Callable[[str], Any]
) -> None:
    three.instructions.define("unlabelled", content="new")
    three.instructions.label("greeting", "production", 2)
    greeting, unlabelled = Instructions.of("greeting"), Instructions.of("unlabelled")

    async def serve() -> None:
        repository = PostgresInstructionsRepository(label="production")
        async with ctx.scope("service", repository, disposables=(pool_of(dsn),)):
            assert await InstructionsRepository.load(greeting) == "2"
            assert await InstructionsRepository.resolve(greeting) == "2"
            assert await InstructionsRepository.resolve(unlabelled, default="old") == "old"
            with pytest.raises(InstructionsMissing):
                await InstructionsRepository.load(unlabelled)
            listed = await InstructionsRepository.available_instructions()
            assert [each.name for each in listed] == ["greeting"]
            await InstructionsRepository.define("greeting", content="4")
            assert await InstructionsRepository.load(greeting) == "2"
        newest = PostgresInstructionsRepository()
        async with ctx.scope("newest", newest, disposables=(pool_of(dsn),)):
            assert await InstructionsRepository.load(greeting) == "4"

    asyncio.run(serve())


def test_live_draive_service_sees_moved_label(dsn: str, sql: psycopg.Connection) -> None:
    greeting = Instructions.of("greeting")

    async def serve() -> None:
        pool = PostgresConnectionPool.of(dsn, connection_limit=2, live=True)
        repository = PostgresInstructionsRepository(label="production")
        async with ctx.scope("service", repository, disposables=(pool,)):
            await asyncio.to_thread(wait_until, lambda: count_listeners(sql) == 1)
            assert await InstructionsRepository.resolve(greeting, default="none") == "none"
            await asyncio.to_thread(publish)
            for _ in range(1000):
                await asyncio.sleep(0.01)
                if await InstructionsRepository.resolve(greeting, default="none") != "none":
                    break
            assert await InstructionsRepository.load(greeting) == "published"

    def publish() -> None:
        with Client(dsn) as db:
            db.instructions.define("greeting", content="published")
            db.instructions.label("greeting", "production")

    asyncio.run(serve())


@pytest.mark.parametrize("label", [7, "a\0"])
def test_repository_rejects_invalid_label(label: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="label"):
        PostgresInstructionsRepository(label=label)


@given(label=texts, message=texts, author=texts)
def test_label_message_and_author_round_trip(
    dsn: str, label: str, message: str, author: str
) -> None:
    label = f"label {label}".strip()
    with Client(dsn, max_size=1) as db:
        db.instructions.define("any", content="")
        db.instructions.unlabel("any", label)
        made = db.instructions.label("any", label, message=message, author=author)
        assert (made.label, made.message, made.author) == (label, message, author)
        assert made in db.instructions.labels("any")
        assert db.instructions.label_history("any", label)[0] == made


def test_future_as_of_reads_current_label(three: Client) -> None:
    three.instructions.label("greeting", "production", 1)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert three.instructions.load("greeting", label="production", as_of=tomorrow) == "1"
