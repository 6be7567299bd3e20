"""The documented behaviour of the adapters."""

import asyncio
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

import haiway.postgres
import psycopg
import pytest
from draive import (
    Configuration,
    ConfigurationMissing,
    ConfigurationRepository,
    Conversation,
    GenerativeModel,
    Instructions,
    InstructionsDeclaration,
    InstructionsMissing,
    InstructionsRepository,
    ModelInput,
    ModelOutput,
    ModelToolResponse,
    ctx,
    tool,
)
from draive import postgres as draive_postgres
from haiway.postgres import Postgres
from psycopg.conninfo import conninfo_to_dict

from draive_pg import Client, adapters
from draive_pg.adapters import (
    PostgresConfigurationRepository,
    PostgresInstructionsRepository,
    PostgresModelMemory,
)
from tests.draive_scope import InScope, Pool, asyncpg_pool, psycopg_pool, run_in_scope
from tests.elements import answered, asked, called, responded, texts
from tests.markdown_blocks import run_block

GREETING = Instructions.of("greeting", arguments={"name": "Ada"})
DECLARED = InstructionsDeclaration.of("greeting", description="How to greet", meta={"by": "Bo"})

# --- Bootstrapping the Postgres context

BLOCK = """
from draive import ctx
from draive_pg.adapters import (
    Postgres,
    PostgresConnectionPool,
    PostgresConfigurationRepository,
    PostgresInstructionsRepository,
    PostgresModelMemory,
)

async with ctx.scope(
    "postgres-demo",
    PostgresConfigurationRepository(), # use use postgres configurations
    PostgresInstructionsRepository(), # use postgres instructions
    disposables=(
        PostgresConnectionPool.of(dsn="postgresql://draive:secret@localhost:5432/draive"),
    ),
):
    session_memory = PostgresModelMemory("demo-session")
"""

USE = """
    await session_memory.maintenance(variables={"name": "Ada"})
    await session_memory.remember(asked("hi"), answered("hello"))
    recalled = await session_memory.recall()
    await ConfigurationRepository.define("limits", {"tokens": 3})
    limits = await ConfigurationRepository.load_raw("limits")
    await InstructionsRepository.define("greeting", content="Hello {name}!")
    greeting = await InstructionsRepository.resolve(GREETING)
"""


def address(dsn: str) -> str:
    """Return a DSN as a URI."""
    given = conninfo_to_dict(dsn)
    query = "&".join(f"{key}={given[key]}" for key in ("host", "port", "user"))
    return f"postgresql:///{given['dbname']}?{query}"


@pytest.mark.parametrize("form", [str, address])
def test_documented_block_runs_with_changed_import(dsn: str, form: Callable[[str], str]) -> None:
    block = BLOCK.replace('"postgresql://draive:secret@localhost:5432/draive"', repr(form(dsn)))
    names: dict[str, Any] = {
        "asked": asked,
        "answered": answered,
        "ConfigurationRepository": ConfigurationRepository,
        "GREETING": GREETING,
        "InstructionsRepository": InstructionsRepository,
    }
    with asyncio.Runner() as runner:
        run_block(block, names, runner)
        run_block(block + USE, names, runner)
    assert texts(names["recalled"].context) == ["hi", "hello"]
    assert names["recalled"].variables == {"name": "Ada"}
    assert names["limits"] == {"tokens": 3}
    assert names["greeting"] == "Hello Ada!"


def test_adapters_mix_within_a_single_transaction(in_scope: InScope) -> None:
    async def body() -> None:
        with pytest.raises(ZeroDivisionError):
            async with Postgres.acquire_connection() as connection, connection.transaction():
                with ctx.updated(connection):
                    await InstructionsRepository.define("greeting", content="Hello")
                    await ConfigurationRepository.define("limits", {"tokens": 1})
                    await PostgresModelMemory("chat").remember(asked("hi"))
                    assert await InstructionsRepository.load(GREETING) == "Hello"
                    raise ZeroDivisionError
        assert await InstructionsRepository.available_instructions() == ()
        assert await ConfigurationRepository.configurations() == ()
        assert (await PostgresModelMemory("chat").recall()).context == ()

    in_scope(body(), PostgresConfigurationRepository(), PostgresInstructionsRepository())


# --- ConfigurationRepository implementation


class Limits(Configuration):
    tokens: int = 1


class Needed(Configuration):
    tokens: int


def test_configurations_returns_every_known_identifier(in_scope: InScope) -> None:
    async def body() -> None:
        assert await ConfigurationRepository.configurations() == ()
        for identifier in ("b", "a", "b"):
            await ConfigurationRepository.define(identifier, {"n": 1})
        assert await ConfigurationRepository.configurations() == ("a", "b")

    in_scope(body(), PostgresConfigurationRepository())


def test_configurations_uses_cached_results(in_scope: InScope, sql: psycopg.Connection) -> None:
    async def body() -> None:
        assert await ConfigurationRepository.configurations() == ()
        sql.execute("INSERT INTO configurations VALUES ('limits', '{}')")
        assert await ConfigurationRepository.configurations() == ()

    in_scope(body(), PostgresConfigurationRepository())


def test_load_parses_the_newest_document_into_the_requested_type(in_scope: InScope) -> None:
    async def body() -> None:
        await ConfigurationRepository.define(Limits(tokens=2))
        await ConfigurationRepository.define(Limits(tokens=3))
        await ConfigurationRepository.define("other", Limits(tokens=4))
        assert await ConfigurationRepository.load(Limits) == Limits(tokens=3)
        assert await Limits.load() == Limits(tokens=3)
        assert await ConfigurationRepository.load(Limits, identifier="other") == Limits(tokens=4)

    in_scope(body(), PostgresConfigurationRepository())


def test_load_of_missing_configuration_uses_default_or_required(in_scope: InScope) -> None:
    async def body() -> None:
        assert await ConfigurationRepository.load(Limits) is None
        default = Limits(tokens=5)
        assert await ConfigurationRepository.load(Limits, default=default) is default
        assert await ConfigurationRepository.load(Limits, required=True) == Limits()
        with pytest.raises(ConfigurationMissing):
            await ConfigurationRepository.load(Needed, required=True)

    in_scope(body(), PostgresConfigurationRepository())


def test_load_raw_returns_the_raw_mapping(in_scope: InScope) -> None:
    value = {"b": True, "f": 1.5, "i": 1, "n": None, "nested": {"list": [1, "two"]}}

    async def body() -> None:
        assert await ConfigurationRepository.load_raw("limits") is None
        await ConfigurationRepository.define("limits", value)
        loaded = await ConfigurationRepository.load_raw("limits")
        assert loaded == value
        assert loaded is not None
        assert type(loaded["b"]) is bool
        assert type(loaded["i"]) is int

    in_scope(body(), PostgresConfigurationRepository())


def test_define_keeps_earlier_snapshots(in_scope: InScope, sql: psycopg.Connection) -> None:
    async def body() -> None:
        await ConfigurationRepository.define("limits", {"n": 1})
        await ConfigurationRepository.define("limits", {"n": 2})

    in_scope(body(), PostgresConfigurationRepository())
    rows = sql.execute("SELECT content FROM configurations ORDER BY created").fetchall()
    assert rows == [({"n": 1},), ({"n": 2},)]


def test_load_after_define_returns_new_configuration(
    in_scope: InScope,
) -> None:
    async def body() -> None:
        assert await ConfigurationRepository.load_raw("limits") is None
        assert await ConfigurationRepository.configurations() == ()
        for n in range(3):
            await ConfigurationRepository.define("limits", {"n": n})
            assert await ConfigurationRepository.load_raw("limits") == {"n": n}
            assert await ConfigurationRepository.configurations() == ("limits",)

    in_scope(body(), PostgresConfigurationRepository())


def test_remove_deletes_all_snapshots_and_purges_the_caches(
    in_scope: InScope, sql: psycopg.Connection
) -> None:
    async def body() -> None:
        for n in range(3):
            await ConfigurationRepository.define("limits", {"n": n})
        assert await ConfigurationRepository.load_raw("limits") == {"n": 2}
        assert await ConfigurationRepository.configurations() == ("limits",)
        await ConfigurationRepository.remove("limits")
        assert await ConfigurationRepository.load_raw("limits") is None
        assert await ConfigurationRepository.configurations() == ()

    in_scope(body(), PostgresConfigurationRepository())
    assert sql.execute("SELECT count(*) FROM configurations").fetchall() == [(0,)]


def test_cache_limit_bounds_number_of_configurations(
    in_scope: InScope, sql: psycopg.Connection
) -> None:
    async def body() -> None:
        await ConfigurationRepository.load_raw("a")
        await ConfigurationRepository.load_raw("b")
        sql.execute("INSERT INTO configurations VALUES ('a', '{}'), ('b', '{}')")
        assert await ConfigurationRepository.load_raw("b") is None
        assert await ConfigurationRepository.load_raw("a") == {}

    in_scope(body(), PostgresConfigurationRepository(cache_limit=1))


def test_cached_configuration_expires(in_scope: InScope, sql: psycopg.Connection) -> None:
    async def body() -> None:
        assert await ConfigurationRepository.load_raw("limits") is None
        sql.execute("INSERT INTO configurations VALUES ('limits', '{}')")
        async with asyncio.timeout(20):
            while await ConfigurationRepository.load_raw("limits") is None:
                pass

    in_scope(body(), PostgresConfigurationRepository(cache_expiration=0.05))


# --- InstructionsRepository implementation


def test_available_instructions_returns_declarations(in_scope: InScope) -> None:
    async def body() -> None:
        assert await InstructionsRepository.available_instructions() == ()
        await InstructionsRepository.define("farewell", content="Bye")
        await InstructionsRepository.define(DECLARED, content="Hello")
        available = await InstructionsRepository.available_instructions()
        assert available == (InstructionsDeclaration.of("farewell"), DECLARED)

    in_scope(body(), PostgresInstructionsRepository())


def test_available_instructions_uses_cached_results(
    in_scope: InScope, sql: psycopg.Connection
) -> None:
    async def body() -> None:
        assert await InstructionsRepository.available_instructions() == ()
        sql.execute("INSERT INTO instructions (name, content) VALUES ('greeting', 'Hello')")
        assert await InstructionsRepository.available_instructions() == ()

    in_scope(body(), PostgresInstructionsRepository())


def test_resolve_renders_latest_content_with_arguments(in_scope: InScope) -> None:
    async def body() -> None:
        await InstructionsRepository.define(DECLARED, content="Hi {name}")
        await InstructionsRepository.define(DECLARED, content="Hello {name}, {daytime}")
        resolved = await InstructionsRepository.resolve(GREETING, arguments={"daytime": "morning"})
        assert resolved == "Hello Ada, morning"

    in_scope(body(), PostgresInstructionsRepository())


def test_resolve_of_missing_instructions_returns_default(in_scope: InScope) -> None:
    async def body() -> None:
        missing = Instructions.of("missing", arguments={"name": "Ada"})
        assert await InstructionsRepository.resolve(missing, default="Hi {name}") == "Hi Ada"
        with pytest.raises(InstructionsMissing):
            await InstructionsRepository.resolve(missing)

    in_scope(body(), PostgresInstructionsRepository())


def test_load_returns_raw_latest_content(in_scope: InScope) -> None:
    async def body() -> None:
        await InstructionsRepository.define("greeting", content="Hi {name}")
        await InstructionsRepository.define("greeting", content="Hello {name}")
        assert await InstructionsRepository.load(GREETING) == "Hello {name}"

    in_scope(body(), PostgresInstructionsRepository())


def test_load_after_define_returns_new_instructions(
    in_scope: InScope, sql: psycopg.Connection
) -> None:
    async def body() -> None:
        for content in ("Hi", "Hello"):
            await InstructionsRepository.define(DECLARED, content=content)
            assert await InstructionsRepository.load(GREETING) == content
            assert await InstructionsRepository.resolve(GREETING) == content
            assert await InstructionsRepository.available_instructions() == (DECLARED,)

    in_scope(body(), PostgresInstructionsRepository())
    rows = sql.execute("SELECT content FROM instructions ORDER BY created").fetchall()
    assert rows == [("Hi",), ("Hello",)]


def test_remove_deletes_all_revisions_and_drops_cache_entries(
    in_scope: InScope, sql: psycopg.Connection
) -> None:
    async def body() -> None:
        for content in ("Hi", "Hello"):
            await InstructionsRepository.define(DECLARED, content=content)
        assert await InstructionsRepository.load(GREETING) == "Hello"
        assert await InstructionsRepository.available_instructions() == (DECLARED,)
        await InstructionsRepository.remove(DECLARED)
        assert await InstructionsRepository.available_instructions() == ()
        with pytest.raises(InstructionsMissing):
            await InstructionsRepository.load(GREETING)

    in_scope(body(), PostgresInstructionsRepository())
    assert sql.execute("SELECT count(*) FROM instructions").fetchall() == [(0,)]


# --- ModelMemory implementation

TURN = (asked("weather?"), called("1", city="Oslo"), responded("1"), answered("sunny"))


def test_recall_returns_elements_and_latest_variables(in_scope: InScope) -> None:
    async def body() -> None:
        memory = PostgresModelMemory("chat")
        assert (await memory.recall()).context == ()
        await memory.remember(*TURN, variables={"n": 1})
        await memory.remember(variables={"n": 2, "b": True})
        recalled = await memory.recall()
        assert recalled.context == TURN
        assert recalled.variables == {"n": 2, "b": True}
        assert type(recalled.variables["n"]) is int

    in_scope(body())


def test_recall_respects_recall_limit_and_limit_of_call(in_scope: InScope) -> None:
    async def body() -> None:
        memory = PostgresModelMemory("chat", recall_limit=2)
        for n in range(4):
            await memory.remember(asked(f"q{n}"), answered(f"a{n}"))
        assert texts((await memory.recall()).context) == ["q3", "a3"]
        assert texts((await memory.recall(limit=4)).context) == ["q2", "a2", "q3", "a3"]
        everything = await PostgresModelMemory("chat").recall()
        assert len(everything.context) == 8

    in_scope(body())


def test_recalled_context_starts_with_user_turn(in_scope: InScope) -> None:
    async def body() -> None:
        memory = PostgresModelMemory("chat")
        await memory.remember(asked("hi"), answered("hello"), *TURN)
        for limit in range(1, 7):
            context = (await memory.recall(limit=limit)).context
            assert texts(context)[-1] == "sunny"
            assert texts(context)[0] == ("hi" if limit == 6 else "weather?")

    in_scope(body())


def test_remember_is_atomic(in_scope: InScope, sql: psycopg.Connection) -> None:
    sql.execute("ALTER TABLE memories_elements ADD CHECK (content::TEXT NOT LIKE '%forbidden%')")

    async def body() -> None:
        memory = PostgresModelMemory("chat")
        with pytest.raises(haiway.postgres.PostgresException):
            await memory.remember(asked("hi"), answered("forbidden"), variables={"n": 1})
        recalled = await memory.recall()
        assert recalled.context == ()
        assert recalled.variables == {}
        await memory.remember(asked("hi"), answered("hello"), variables={"n": 1})
        recalled = await memory.recall()
        assert texts(recalled.context) == ["hi", "hello"]
        assert recalled.variables == {"n": 1}

    in_scope(body())


def test_maintenance_creates_memory_and_seeds_variables(
    in_scope: InScope, sql: psycopg.Connection
) -> None:
    async def body() -> None:
        memory = PostgresModelMemory("chat")
        await memory.maintenance()
        assert sql.execute("SELECT identifier FROM memories").fetchall() == [("chat",)]
        await memory.maintenance(variables={"name": "Ada"})
        recalled = await memory.recall()
        assert recalled.context == ()
        assert recalled.variables == {"name": "Ada"}

    in_scope(body())


# --- Putting it together


class ForecastModel:
    """A model that requests the weather once per turn, and counts turns in its context."""

    def __init__(self) -> None:
        self.instructions: list[str] = []

    async def __call__(
        self, *, instructions: str, context: Sequence[ModelInput | ModelOutput], **extra: Any
    ) -> ModelOutput:
        self.instructions.append(instructions)
        last = context[-1]
        if not last.contains_tools:
            return called(f"call-{len(context)}", tool="weather", city="Oslo")
        turns = [each for each in context if not each.contains_tools and type(each) is ModelInput]
        return answered(
            f"turn {len(turns)}: {cast(ModelToolResponse, last.tools[0]).content.to_str()}"
        )


@tool
async def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sun over {city}"


def test_conversation_remembers_turns_and_tool_calls(in_scope: InScope, dsn: str) -> None:
    model = ForecastModel()
    memory = PostgresModelMemory("chat")
    instructions = Instructions.of("forecaster")

    async def body() -> list[str]:
        await InstructionsRepository.define("forecaster", content="You serve {name}.")
        await memory.maintenance(variables={"name": "Ada"})
        answers = [
            await Conversation.completion(
                instructions=instructions, tools=[weather], memory=memory, input=question
            )
            for question in ("weather?", "and now?")
        ]
        return [answer.content.to_str() for answer in answers]

    answers = in_scope(
        body(), GenerativeModel(generating=cast(Any, model)), PostgresInstructionsRepository()
    )
    assert answers == ["turn 1: sun over Oslo", "turn 2: sun over Oslo"]
    assert set(model.instructions) == {"You serve Ada."}
    with Client(dsn) as db:
        log = db.frames.conversation_log("chat")
        assert list(log.role) == ["input", "output"] * 4
        assert list(log.text)[::4] == ["weather?", "and now?"]
        assert list(log.text)[3::4] == answers
        calls = db.frames.tool_calls("chat")
        assert list(calls.tool) == ["weather", "weather"]
        assert list(calls.response) == ["sun over Oslo", "sun over Oslo"]


# --- Our adapters or draive's, over our pool or haiway's

SIDES = [
    pytest.param((module, pool), id=f"{name}-over-{pool.__name__}")
    for name, module in (("ours", adapters), ("draives", draive_postgres))
    for pool in (psycopg_pool, asyncpg_pool)
]

type Side = tuple[ModuleType, Callable[[str], Pool]]


@pytest.mark.parametrize("reader", SIDES)
@pytest.mark.parametrize("writer", SIDES)
def test_adapters_of_draive_and_draive_pg_are_interoperable(
    dsn: str, writer: Side, reader: Side
) -> None:
    async def write(memory: Any) -> None:
        for content in ("Hi {name}", "Hello {name}"):
            await InstructionsRepository.define(DECLARED, content=content)
        for n in (1, 2):
            await ConfigurationRepository.define("limits", {"tokens": n, "on": True})
        await memory.maintenance(variables={"name": "Ada"})
        await memory.remember(*TURN, variables={"name": "Ada", "n": 2})
        await memory.remember(asked("thanks"), answered("welcome"))

    async def read(memory: Any) -> None:
        assert await InstructionsRepository.available_instructions() == (DECLARED,)
        assert await InstructionsRepository.resolve(GREETING) == "Hello Ada"
        assert await ConfigurationRepository.configurations() == ("limits",)
        assert await ConfigurationRepository.load_raw("limits") == {"tokens": 2, "on": True}
        recalled = await memory.recall()
        assert recalled.context == (*TURN, asked("thanks"), answered("welcome"))
        assert recalled.variables == {"name": "Ada", "n": 2}
        assert texts((await memory.recall(limit=2)).context) == ["thanks", "welcome"]
        await InstructionsRepository.remove(DECLARED)
        await ConfigurationRepository.remove("limits")
        assert await InstructionsRepository.available_instructions() == ()
        assert await ConfigurationRepository.configurations() == ()

    for act, (module, pool) in ((write, writer), (read, reader)):
        run_in_scope(
            pool(dsn),
            act(module.PostgresModelMemory("chat")),
            module.PostgresConfigurationRepository(),
            module.PostgresInstructionsRepository(),
        )
