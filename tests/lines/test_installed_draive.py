"""The adapters of the installed draive: it reads what they write, and they what it writes."""

# pyright: reportAttributeAccessIssue=false, reportMissingImports=false, reportPrivateUsage=false
# pyright knows draive 0.89 only, of which no test here is.

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from inspect import signature
from typing import Any
from uuid import uuid4

import draive.postgres
import psycopg
import pytest
from draive import Configuration, ConfigurationRepository, Meta, MultimodalContent, ctx
from haiway.postgres import Postgres, PostgresConnection

from draive_pg import Client, adapters
from draive_pg.adapters import database
from draive_pg.lines.line import LINE_89, installed_line
from tests.draive_scope import Pool, asyncpg_pool, psycopg_pool
from tests.schema import set_up

LINE = installed_line() or LINE_89
HAS = adapters.MODULES[LINE.name]

needs_templates = pytest.mark.skipif("PostgresTemplatesRepository" not in HAS, reason="0.90")
needs_classes = pytest.mark.skipif(not LINE.named_configurations, reason="draive 0.93 or newer")
needs_elements = pytest.mark.skipif(
    LINE.has_turns or not LINE.writable, reason="draive 0.87 to 0.92"
)
needs_turns = pytest.mark.skipif("PostgresConversationMemory" not in HAS, reason="draive 0.100")
needs_agents = pytest.mark.skipif("PostgresAgentMemory" not in HAS, reason="draive 0.113")
needs_migrate = pytest.mark.skipif(
    not hasattr(draive.postgres.PostgresVectorIndex, "prepare"), reason="draive 0.104 or newer"
)


class Chat(Configuration):
    model: str = "small"


class Search(Configuration):
    model: str = "small"


@pytest.fixture
def tables(empty_dsn: str) -> str:
    """A database with the tables of the installed draive."""
    set_up(empty_dsn, LINE)
    return empty_dsn


@pytest.fixture(params=[psycopg_pool, asyncpg_pool])
def pool(request: pytest.FixtureRequest, tables: str) -> Pool:
    return request.param(tables)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL that the adapters sent."""
    sent: list[str] = []
    send = database.ScopeDatabase._send

    async def sending(self: Any, connection: Any, statement: Any) -> Any:
        sent.append(statement.sql)
        return await send(self, connection, statement)

    monkeypatch.setattr(database.ScopeDatabase, "_send", sending)
    return sent


def service(pool: Pool, body: Callable[[], Coroutine[Any, Any, None]], *states: Any) -> None:
    """Run a body in the scope of a draive service."""

    async def run() -> None:
        async with ctx.scope("service", *states, disposables=(pool,)):
            await body()

    asyncio.run(run())


@asynccontextmanager
async def transaction() -> AsyncGenerator[None]:
    """Hold one connection in a transaction."""
    updated = getattr(ctx, "updating", None) or ctx.updated
    async with Postgres.acquire_connection() as connection:
        with updated(connection):
            async with connection.transaction():
                yield


def own(name: str, *args: Any, **kwargs: Any) -> Any:
    """Make a repository or memory of draive itself."""
    made: Any = getattr(draive.postgres, name)
    return getattr(made, "prepare", made)(*args, **kwargs)


class Undone(Exception):
    """Raised to roll a transaction back."""


# --- Templates


@pytest.fixture
def templates() -> Any:
    make: Any = adapters.PostgresTemplatesRepository
    return make()


async def define(text: str, repository: Any = None, identifier: str = "greeting") -> None:
    from draive import TemplateDeclaration, TemplatesRepository

    declaration = TemplateDeclaration(
        identifier=identifier, description="d", variables={"name": "who"}, meta=Meta.of({"a": 1})
    )
    await (repository or TemplatesRepository).define(declaration, content=text)


async def load(repository: Any = None, identifier: str = "greeting") -> str | None:
    from draive import Template, TemplatesRepository

    return await (repository or TemplatesRepository).load(Template.of(identifier))


@needs_templates
def test_templates_of_draive_and_ours_are_the_same(pool: Pool, templates: Any) -> None:
    async def body() -> None:
        theirs = own("PostgresTemplatesRepository")
        await define("Hi {%name%}")
        assert await load(theirs) == await load() == "Hi {%name%}"
        await define("Hello {%name%}", theirs, "other")
        assert await load(identifier="other") == "Hello {%name%}"
        listed = [await each.templates() for each in (templates, theirs)]
        ours, expected = (
            sorted(getattr(each, "items", each), key=lambda item: item.identifier)
            for each in listed
        )
        assert ours == expected

    service(pool, body, templates)


@needs_templates
def test_templates_that_were_rolled_back_are_not_served(pool: Pool, templates: Any) -> None:
    async def body() -> None:
        await define("old {%name%}")
        with suppress(Undone):
            async with transaction():
                await define("new {%name%}")
                assert await load() == "new {%name%}"
                raise Undone
        assert await load() == "old {%name%}"

    service(pool, body, templates)


@needs_templates
def test_templates_are_current_after_the_commit(pool: Pool, templates: Any) -> None:
    async def body() -> None:
        await define("old {%name%}")
        async with transaction():
            await define("new {%name%}")
            reading = asyncio.create_task(elsewhere())
            await reading
        assert await load() == "new {%name%}"

    async def elsewhere() -> None:
        assert await load() in ("old {%name%}", "new {%name%}")

    service(pool, body, templates)


@needs_templates
def test_simultaneous_first_loads_send_one_statement(
    pool: Pool, templates: Any, statements: list[str]
) -> None:
    async def body() -> None:
        await define("Hi {%name%}")
        statements.clear()
        texts = await asyncio.gather(*(load() for _ in range(100)))
        assert {*texts} == {"Hi {%name%}"}
        assert len(statements) == 1

    service(pool, body, templates)


# --- Configurations


@needs_classes
def test_configurations_of_draive_and_ours_are_the_same(pool: Pool) -> None:
    ours: Any = adapters.PostgresConfigurationRepository()

    async def body() -> None:
        theirs: Any = own("PostgresConfigurationRepository")
        await ConfigurationRepository.define("ours", value=Chat(model="large"))
        await theirs.define("theirs", value=Search(model="large"))
        for repository in (theirs, ours):
            assert await repository.load(Chat, identifier="ours") == Chat(model="large")
            assert await repository.load(Search, identifier="theirs") == Search(model="large")
            assert {*await repository.configurations()} == {"ours", "theirs"}
            assert [*await repository.configurations(Chat)] == ["ours"]

    service(pool, body, ours)


@needs_classes
def test_configuration_of_another_class_is_refused_by_the_adapter(pool: Pool) -> None:
    ours = adapters.PostgresConfigurationRepository()

    async def body() -> None:
        await ConfigurationRepository.define("chat", value=Chat(model="large"))
        with pytest.raises(Exception, match="of the class 'Chat', not 'Search'"):
            await ours.load(Search, identifier="chat")

    service(pool, body, ours)


# --- Conversations


def asked(text: str, created: datetime | None = None) -> Any:
    from draive.conversation.types import ConversationUserTurn

    times = {} if created is None else {"created": created}
    return ConversationUserTurn.of(MultimodalContent.of(text), **times)


def answered(text: str, created: datetime | None = None) -> Any:
    from draive.conversation.types import ConversationAssistantTurn

    times = {} if created is None else {"created": created}
    return ConversationAssistantTurn.of(MultimodalContent.of(text), **times)


def memory(thread: object) -> Any:
    made: Any = adapters.PostgresConversationMemory
    return made(thread=thread)


@needs_elements
def test_elements_of_draive_and_ours_are_the_same(pool: Pool, tables: str) -> None:
    from draive import (
        ModelInput,
        ModelOutput,
        ModelReasoning,
        ModelToolRequest,
        ModelToolResponse,
    )

    text = MultimodalContent.of("It is 42.")
    request = ModelToolRequest.of("call", tool="check", arguments={"n": 1, "share": 0.5})
    exchange = [
        ModelInput.of(MultimodalContent.of("How many?"), meta={"n": 1}),
        ModelOutput.of(ModelReasoning.of(text), request),
        ModelInput.of(ModelToolResponse.of("call", tool="check", content=text)),
        ModelOutput.of(text),
    ]

    async def body() -> None:
        theirs, ours = own("PostgresModelMemory", "visit"), adapters.PostgresModelMemory("visit")
        await theirs.maintenance(variables={"mood": "glad"})
        await theirs.remember(*exchange)
        await ours.remember(*exchange, variables={"mood": "calm"})
        recalled, expected = await ours.recall(), await theirs.recall()
        assert recalled.context == expected.context == (*exchange, *exchange)
        assert recalled.variables == expected.variables == {"mood": "calm"}

    service(pool, body)
    with Client(tables) as db:
        assert db.memory("visit").recall().context == (*exchange, *exchange)
        db.memory("visit").remember(*exchange)
        assert len(db.memory("visit").recall().context) == 12


@needs_turns
def test_turns_of_draive_and_ours_are_the_same(pool: Pool, tables: str) -> None:
    thread = uuid4()
    turns = [asked("q1"), answered("a1"), asked("q2"), answered("a2")]

    async def body() -> None:
        from haiway import Pagination

        theirs, ours = own("PostgresConversationMemory", thread=thread), memory(thread)
        await theirs.remember(*turns[:2])
        await ours.remember(*turns[2:])
        assert await ours.recall() == await theirs.recall()
        for limit in (1, 3, 4, 5):
            page, expected = [
                await each.fetch(Pagination.of(limit=limit)) for each in (ours, theirs)
            ]
            assert [*page.items] == [*expected.items]
            assert page.pagination.token == expected.pagination.token
        first = await ours.fetch(Pagination.of(limit=3))
        assert [*(await ours.fetch(first.pagination)).items] == turns[:1]
        assert [*first.items] == turns[1:]

    service(pool, body)
    with Client(tables) as db:
        assert db.memory(f"{thread}").log().text.tolist() == ["q1", "a1", "q2", "a2"]
        assert [*db.memory(f"{thread}").recall()] == turns
        db.memory("client").remember(*turns)
        assert [*db.memory("client").recall()] == turns


@needs_turns
def test_order_of_turns_is_the_servers(pool: Pool) -> None:
    async def body() -> None:
        now = datetime.now(UTC)
        late, early = now - timedelta(days=1), now + timedelta(days=1)
        ours = memory("clocks")
        await ours.remember(asked("q1", early), answered("a1", early))
        await ours.remember(asked("q2", late), answered("a2", late))
        recalled = await own("PostgresConversationMemory", thread="clocks").recall()
        texts = [[block.to_str() for block in blocks_of(each)] for each in recalled]
        assert texts == [["q1"], ["a1"], ["q2"], ["a2"]]
        assert await ours.recall() == recalled

    service(pool, body)


def blocks_of(element: Any) -> Any:
    return element.input if hasattr(element, "input") else element.output


@needs_turns
def test_remember_joins_the_callers_transaction(pool: Pool) -> None:
    async def body() -> None:
        ours = memory("joined")
        with suppress(Undone):
            async with transaction():
                await ours.remember(asked("q1"), answered("a1"))
                assert len(await ours.recall()) == 2
                raise Undone
        assert await ours.recall() == ()

    service(pool, body)


@needs_turns
def test_turns_are_remembered_by_two_statements(pool: Pool, statements: list[str]) -> None:
    async def body() -> None:
        ours = memory("many")
        await ours.remember(*(asked(str(number)) for number in range(50)))
        assert len(statements) == 2  # a lock, and all turns
        assert len(await ours.recall()) == 50

    service(pool, body)


@needs_turns
def test_recall_begins_with_a_question(pool: Pool) -> None:
    async def body() -> None:
        from haiway import Pagination

        ours = memory("limited")
        await ours.remember(asked("q1"), answered("a1"), asked("q2"), answered("a2"))
        recalled = await ours.recall(Pagination.of(limit=1))
        assert [type(each).__name__ for each in recalled] == ["ModelInput", "ModelOutput"]

    service(pool, body)


# --- Agents


@needs_agents
def test_contexts_of_draive_and_ours_are_the_same(pool: Pool, tables: str) -> None:
    from draive import AgentThread, ModelInput, ModelOutput

    thread = AgentThread(agent_uri="agent://a", identifier=uuid4())
    question, answer = (
        ModelInput.of(MultimodalContent.of("q")),
        ModelOutput.of(MultimodalContent.of("a")),
    )

    async def body() -> None:
        ours = adapters.PostgresAgentMemory.instance()
        theirs = draive.postgres.PostgresAgentMemory.instance()
        await theirs.remember(thread, (question,))
        assert await ours.recall(thread, ()) == (question,)
        await ours.remember(thread, (question, answer))
        assert await theirs.recall(thread, (question,)) == (question, answer, question)

    service(pool, body)
    with Client(tables) as db:
        assert db.memory(f"agent://a#{thread.identifier}").log().text.tolist() == ["q", "a"]


# --- Interfaces


@needs_migrate
def test_simultaneous_migrations_succeed(empty_dsn: str) -> None:
    made = [getattr(adapters, name) for name in HAS]

    async def body() -> None:
        await asyncio.gather(*(each.migrate() for each in made for _ in range(5)))
        updated = getattr(ctx, "updating", None) or ctx.updated
        async with Postgres.acquire_connection() as connection:
            with updated(connection):  # as draive's own needs it
                await made[0].migrate()

    service(psycopg_pool(empty_dsn), body)
    with psycopg.connect(empty_dsn) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
    assert tables == (len(made),)


def test_names_and_arguments_are_those_of_draive() -> None:
    for name in {*HAS} & {*draive.postgres.__all__}:
        ours, theirs = getattr(adapters, name), getattr(draive.postgres, name)
        for function in ("prepare", "instance"):
            if hasattr(theirs, function):
                ours, theirs = getattr(ours, function), getattr(theirs, function)
        if not isinstance(theirs, type):
            given = signature(ours).parameters
            if "args" not in given:
                assert signature(theirs).parameters.keys() <= given.keys(), name
    others = {"PostgresErrorCode", "PostgresTransactionIsolation"}
    if not LINE.writable:
        others.add("PostgresModelMemory")
    assert {*draive.postgres.__all__} <= {*adapters.__all__, *others}


def test_names_of_other_releases_are_explained() -> None:
    others = {name for names in adapters.MODULES.values() for name in names} - {*HAS}
    for name in others:
        with pytest.raises(ImportError, match=rf"adapters.{name} needs draive 0\."):
            getattr(adapters, name)
    assert not hasattr(adapters, "PostgresNothing")
    assert PostgresConnection is adapters.PostgresConnection
