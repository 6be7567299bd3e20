"""A service on the adapters of draive, and on ours by one changed line."""

from typing import Any

import pytest

from benchmarks import adapters, measure
from draive_pg.lines.line import LINE_89, installed_line
from tests.draive_scope import asyncpg_pool, psycopg_pool, run_in_scope

pytestmark = pytest.mark.skipif(
    (installed_line() or LINE_89).oldest < 113, reason="draive 0.113 or newer"
)

SERVICE = """
from draive import (
    Configuration,
    ConfigurationRepository,
    Meta,
    ModelInput,
    MultimodalContent,
    Template,
    TemplateDeclaration,
    TemplatesRepository,
    ctx,
)
from draive.conversation.types import ConversationAssistantTurn, ConversationUserTurn
from haiway.postgres import Postgres

from draive.postgres import (
    PostgresConfigurationRepository,
    PostgresConversationMemory,
    PostgresTemplatesRepository,
)


class Model(Configuration):
    name: str = "small"


async def migrate():
    async with Postgres.acquire_connection() as connection:
        with ctx.updating(connection):
            await PostgresConfigurationRepository.migrate()
            await PostgresConversationMemory.migrate()
            await PostgresTemplatesRepository.migrate()


async def publish(greeting, model):
    await ConfigurationRepository.define(Model(name=model))
    declaration = TemplateDeclaration(
        identifier="greeting", description="", variables={"name": "who"}, meta=Meta.empty
    )
    await TemplatesRepository.define(declaration, content=greeting)


async def answer(question):
    memory = PostgresConversationMemory.prepare(thread="visit")
    model = await ConfigurationRepository.load(Model, required=True)
    greeting = Template.of("greeting", arguments={"name": "Ada"})
    reply = f"{model.name}: {await TemplatesRepository.resolve_str(greeting)}"
    await memory.remember(
        ConversationUserTurn.of(MultimodalContent.of(question)),
        ConversationAssistantTurn.of(MultimodalContent.of(reply)),
    )
    return [
        block.to_str()
        for element in await memory.recall()
        for block in (element.input if isinstance(element, ModelInput) else element.output)
    ]


async def serve(greeting, model, question):
    async with ctx.scope(
        "service",
        PostgresConfigurationRepository.prepare(),
        PostgresTemplatesRepository.prepare(),
    ):
        await migrate()
        await publish(greeting, model)
        return await answer(question)
"""


def service(source: str) -> Any:
    """Return the function of a service."""
    defined: dict[str, Any] = {"__name__": "service"}
    exec(source, defined)
    return defined["serve"]


@pytest.mark.parametrize("pool", [asyncpg_pool, psycopg_pool])
def test_service_works_on_our_adapters_by_one_changed_line(empty_dsn: str, pool: Any) -> None:
    changed = SERVICE.replace("from draive.postgres import", "from draive_pg.adapters import")
    theirs, ours = service(SERVICE), service(changed)
    answers = [
        run_in_scope(pool(empty_dsn), serve("Hello {%name%}", model, "Who?"))
        for serve, model in ((theirs, "small"), (ours, "large"), (theirs, "small"))
    ]
    dialogue = ["Who?", "small: Hello Ada", "Who?", "large: Hello Ada", "Who?", "small: Hello Ada"]
    assert answers == [dialogue[:2], dialogue[:4], dialogue]


def test_adapters_are_compared_in_a_benchmark(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "quick", True)
    compared = adapters.measure(empty_dsn)
    assert [each.what.split(",")[0] for each in compared] == [
        "`remember` of 50 turns",
        "`remember` of a question and an answer",
        "`recall` of 50 turns",
    ]
