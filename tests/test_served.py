"""Which revisions were served, and loading all of a label at once."""

import asyncio

import psycopg
import pytest
from draive import Configuration, Instructions, InstructionsRepository, ctx
from haiway.postgres import Postgres

from draive_pg import AsyncClient, Client, served_revisions
from draive_pg.adapters import PostgresConfigurationRepository, PostgresInstructionsRepository
from tests.conftest import Connect
from tests.draive_scope import InScope
from tests.recording_proxy import recording
from tests.test_round_trips import READ


class Limits(Configuration):
    tokens: int = 1


def fill(db: Client, number: int = 40) -> None:
    """Define prompts and configurations; production is one revision behind."""
    names = [f"prompt {n}" for n in range(number)]
    for revision in ("old", "new"):
        db.release(
            prompts={name: f"{revision} {name}" for name in names},
            configurations={"Limits": {"tokens": len(revision)}, "other": {"of": revision}},
        )
        if revision == "old":
            db.release(
                labels={"production": names[1:]}, configuration_labels={"production": ["Limits"]}
            )


def test_served_revisions_are_recorded(dsn: str) -> None:
    with Client(dsn) as db:
        check_served(db)


def test_served_revisions_are_recorded_asynchronously(dsn: str) -> None:
    async def load() -> None:
        async with AsyncClient(dsn) as db:
            with served_revisions() as served:
                await asyncio.gather(*(db.instructions.load("prompt 1") for _ in range(3)))
        assert [each.name for each in served] == ["prompt 1"]

    with Client(dsn) as db:
        fill(db, 2)
    asyncio.run(load())


def check_served(db: Client) -> None:
    fill(db, 2)
    db.instructions.load("prompt 1")
    with served_revisions() as served:
        for _ in range(2):
            assert db.instructions.resolve("prompt 1", label="production") == "old prompt 1"
            assert db.instructions.load("prompt 1") == "new prompt 1"
        db.instructions.resolve("missing", default="x")
        with served_revisions() as inner:
            db.configurations.load(Limits)
        assert len(inner) == 1
    db.instructions.load("prompt 0")
    assert [(each.kind, each.name, each.label) for each in served] == [
        ("instructions", "prompt 1", "production"),
        ("instructions", "prompt 1", None),
        ("configurations", "Limits", None),
    ]
    for each, number in zip(served[:2], (1, 2), strict=True):
        found = db.instructions.revision(each.name, each.created)
        assert (found.revision, found.created) == (number, each.created)
    assert served[0].to_meta() == {
        "kind": "instructions",
        "name": "prompt 1",
        "created": served[0].created.isoformat(),
        "label": "production",
    }
    assert "label" not in served[1].to_meta()


def test_revisions_served_in_a_service_are_recorded_also_in_other_tasks(
    in_scope: InScope, dsn: str
) -> None:
    with Client(dsn) as db:
        fill(db, 2)
        created = db.instructions.revision("prompt 1", "production").created

    async def body() -> None:
        prompt = Instructions.of("prompt 1")
        with served_revisions() as served:
            await asyncio.gather(*(InstructionsRepository.resolve(prompt) for _ in range(3)))
            assert await InstructionsRepository.resolve(prompt, label="latest") == "new prompt 1"
            assert await InstructionsRepository.resolve(prompt, revision=1) == "old prompt 1"
            await Limits.load()
        assert [each.label for each in served] == ["production", None, None, None]
        assert served[0].created == created

    in_scope(
        body(),
        PostgresInstructionsRepository(label="production"),
        PostgresConfigurationRepository(),
    )


@pytest.mark.parametrize(
    ("label", "loaded", "text", "tokens"),
    [("production", 40, "old", 3), (None, 42, "new", 3), ("latest", 42, "new", 3)],
)
def test_preload_fills_the_cache(
    connect: Connect,
    dsn: str,
    sql: psycopg.Connection,
    label: str | None,
    loaded: int,
    text: str,
    tokens: int,
) -> None:
    db = connect(dsn, cache_limit=4)
    fill(db)
    assert db.preload(label) == loaded
    sql.execute("TRUNCATE instructions, configurations CASCADE")
    for number in range(1, 40):
        assert db.instructions.load(f"prompt {number}", label=label) == f"{text} prompt {number}"
    assert db.configurations.load(Limits, label=label) == Limits(tokens=tokens)
    assert db.configurations.load_raw("Limits", label=label) == {"tokens": tokens}
    assert db.instructions.resolve("prompt 0", label="staging", default="none") == "none"
    db.instructions.define("prompt 1", content="newest")
    assert db.instructions.load("prompt 1") == "newest"


def test_preload_in_a_transaction_or_without_a_cache_keeps_nothing(
    connect: Connect, dsn: str, sql: psycopg.Connection
) -> None:
    db, uncached = connect(dsn), connect(dsn, cache_limit=0)
    fill(db, 1)
    with db.transaction():
        db.instructions.define("prompt 0", content="rolled back?")
        assert db.preload() == 3
    assert uncached.preload() == 3
    sql.execute("UPDATE instructions SET content = 'changed'")
    assert db.instructions.load("prompt 0") == "changed"
    assert uncached.instructions.load("prompt 0") == "changed"


def test_preload_takes_one_round_trip(connect: Connect, templates_dsn: str) -> None:
    with recording(templates_dsn) as wire:
        db = connect(wire.dsn)
        db.preload("production")  # and detects the tables of draive_pg
        fill(db)
        wire.take_sent()
        assert db.preload("production") == 40
        assert wire.take_sent() == READ


def test_service_preloads_at_its_first_call(in_scope: InScope, dsn: str) -> None:
    with Client(dsn) as db:
        fill(db)

    async def body() -> None:
        prompts = [Instructions.of(f"prompt {n}") for n in range(1, 40)]
        load = InstructionsRepository.load
        # A held connection may be in a transaction, so nothing is kept yet.
        async with Postgres.acquire_connection() as connection:
            with ctx.updated(connection):
                await load(prompts[0])
        await asyncio.gather(*(load(prompt) for prompt in prompts[:5]))
        await asyncio.to_thread(clear)
        assert [await load(each) for each in prompts] == [f"old {each.name}" for each in prompts]
        assert await Limits.load() is None  # its repository had not been used

    def clear() -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute("TRUNCATE instructions, configurations CASCADE")

    in_scope(
        body(),
        PostgresInstructionsRepository(label="production", preload=True),
        PostgresConfigurationRepository(label="production", preload=True),
    )
