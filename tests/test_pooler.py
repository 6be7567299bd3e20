"""Clients behind a transaction pooler."""

import shutil
from collections.abc import Iterator
from itertools import batched
from typing import Any

import psycopg
import pytest

from draive_pg import AsyncClient, Client
from tests.conftest import Connect
from tests.elements import answered, asked, texts
from tests.every_call import READS, WRITES, fill
from tests.pooler import pgbouncer, pooled
from tests.server import wait_until
from tests.sync_facade import Step, run_concurrently

SIZE = 2


@pytest.fixture(params=["ours", "pgbouncer"])
def through(request: pytest.FixtureRequest, dsn: str) -> Iterator[str]:
    """The DSN of a pooler with two server connections to the database of `dsn`."""
    if request.param == "ours":
        with pooled(dsn, size=SIZE) as through:
            yield through
        return
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("there is no pgbouncer on PATH")
    with pgbouncer(program, dsn, size=SIZE) as through:
        yield through


@pytest.fixture
def users(connect: Connect) -> int:
    """The number of concurrent users: threads cost more than tasks."""
    return 6 if isinstance(connect("dbname=unused"), Client) else 20


def test_pooler_shares_server_sessions(dsn: str) -> None:
    with (
        pooled(dsn, size=SIZE) as through,
        psycopg.connect(through, autocommit=True, prepare_threshold=0) as connection,
        pytest.raises(psycopg.Error, match="prepared statement"),
    ):
        for _ in range(SIZE + 1):
            connection.execute("SELECT %s", (1,)).fetchone()


def test_compilation_is_turned_off_in_sessions_of_its_own(connect: Connect, dsn: str) -> None:
    query = "SELECT current_setting('jit') AS jit"
    assert connect(dsn).sql(query).jit.tolist() == ["off"]


def test_sessions_of_a_pooler_keep_their_settings(connect: Connect, through: str) -> None:
    query = "SELECT current_setting('jit') AS jit"
    assert connect(through).sql(query).jit.tolist() == ["on"]


def test_setup_and_every_call_work_behind_pooler(connect: Connect, empty_dsn: str) -> None:
    with pooled(empty_dsn, size=SIZE) as through:
        db = connect(through, cache_limit=0)
        assert db.setup() != ()
        assert db.setup() == ()
        fill(db)
        for call in (*READS.values(), *WRITES.values()):
            call(db)
        db.close()


def transact(db: Any, identifier: str, number: int) -> Any:
    """Write and read in a transaction, with a sync or async client."""
    write: Any = transact_async if isinstance(db, AsyncClient) else transact_sync
    return write(db, identifier, number)


def transact_sync(db: Client, identifier: str, number: int) -> int:
    with db.transaction():
        db.memory(identifier).remember(asked(f"{number}"), answered("a"))
        db.instructions.define(identifier, content=str(number))
        return len(db.memory(identifier).recall().context)


async def transact_async(db: AsyncClient, identifier: str, number: int) -> int:
    async with db.transaction():
        await db.memory(identifier).remember(asked(f"{number}"), answered("a"))
        await db.instructions.define(identifier, content=str(number))
        return len((await db.memory(identifier).recall()).context)


def round_steps(user: str, number: int) -> list[Step]:
    """Return the steps of a user with a private memory and a shared one."""
    return [
        lambda db: db.memory(user).remember(asked("q"), variables={"n": number}),
        lambda db: db.memory("shared").remember(asked("q"), answered("a")),
        lambda db: db.configurations.define(user, {"n": number}),
        lambda db: db.configurations.load_raw(user),
        lambda db: transact(db, user, number),
        lambda db: db.instructions.load(user),
        lambda db: db.memory("shared").recall(limit=2),
        lambda db: db.frames.conversation_log(user),
    ]


def test_concurrent_users_share_few_server_connections(
    connect: Connect, users: int, through: str, dsn: str
) -> None:
    db = connect(through, max_size=users, cache_limit=0)
    rounds = 3
    done = run_concurrently(
        db,
        *(
            [step for number in range(rounds) for step in round_steps(f"user {user}", number)]
            for user in range(users)
        ),
    )
    for results in done:
        for number, (*_, configuration, count, content, shared, log) in enumerate(
            batched(results, 8, strict=True)
        ):
            assert configuration == {"n": number}
            assert (count, len(log)) == (3 * (number + 1),) * 2
            assert content == str(number)
            assert texts(shared.context) == ["q", "a"]
    with Client(dsn) as past:
        assert list(past.memory("shared").log().text) == ["q", "a"] * users * rounds
        assert len(past.memories.identifiers()) == users + 1


def test_live_client_behind_pooler_works_without_notifications(
    connect: Connect, through: str, dsn: str
) -> None:
    db = connect(through, live=True, cache_expiration=0.5)
    assert db.configurations.load_raw("limits") is None
    for number in range(3):
        db.memory("m").remember(asked(str(number)))
    with Client(dsn) as other:
        other.configurations.define("limits", {"a": 1})
    wait_until(lambda: db.configurations.load_raw("limits") == {"a": 1})
    assert len(db.memory("m").log()) == 3
