"""A draive service whose prompts and conversations live in PostgreSQL.

    python examples/async_service.py

It talks to a model that is only pretended, so it needs no key of any provider. It uses the database
of $DRAIVE_PG_DSN, or without one an embedded PostgreSQL.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from draive import (
    Conversation,
    GenerativeModel,
    Instructions,
    ModelInput,
    ModelOutput,
    ModelToolRequest,
    MultimodalContent,
    ctx,
    tool,
)

from draive_pg import Client

# The only line to change in a service that uses draive.postgres.
from draive_pg.adapters import (
    PostgresConnectionPool,
    PostgresInstructionsRepository,
    PostgresModelMemory,
)

SESSION = "async-service-example"
QUESTIONS = ("Is it warm in Oslo?", "And in Rome?")


def main() -> None:
    with Client() as db:
        db.setup()
        # So that it can be run again.
        db.memory(SESSION).remove()
        # Whoever looks after the prompts defines them, by a script such as this.
        db.instructions.define("forecaster", content="You tell {name} the weather.")

        asyncio.run(serve())

        # Whoever looks at the conversations reads the same tables.
        print("\nThe log of the conversation:")
        log = db.frames.conversation_log(SESSION)
        print(log[["position", "role", "text", "tools"]].to_string(index=False))
        print("\nThe tools that were called:")
        calls = db.frames.tool_calls(SESSION)
        print(calls[["tool", "arguments", "response"]].to_string(index=False))


async def serve() -> None:
    """Answer the questions, as a service answers its requests."""
    async with ctx.scope(
        "service",
        GenerativeModel(generating=pretend),
        PostgresInstructionsRepository(),
        disposables=(PostgresConnectionPool.of(),),
    ):
        memory = PostgresModelMemory(SESSION, recall_limit=20)
        await memory.maintenance(variables={"name": "Ada"})
        for question in QUESTIONS:
            # The memory is recalled before the model is asked, and remembers the turn after it.
            answer = await Conversation.completion(
                instructions=Instructions.of("forecaster"),
                tools=[temperature],
                memory=memory,
                input=question,
            )
            print(f"Ada: {question}\n  -> {answer.content.to_str()}")


@tool
async def temperature(city: str) -> str:
    """Tell the temperature of a city."""
    return {"Oslo": "4 °C", "Rome": "21 °C"}[city]


async def pretend(*, context: Sequence[ModelInput | ModelOutput], **_: Any) -> ModelOutput:
    """Do what a provider's model does: ask for a tool, and put its answer into words."""
    last = context[-1]
    if isinstance(last, ModelInput) and last.contains_tools:
        asked = sum(isinstance(each, ModelInput) and not each.contains_tools for each in context)
        told = last.tools[0].content.to_str()
        return ModelOutput.of(MultimodalContent.of(f"{told}. That was your question no. {asked}."))
    city = last.content.to_str().rstrip("?").split()[-1]
    request = ModelToolRequest.of(
        f"call-{len(context)}", tool="temperature", arguments={"city": city}
    )
    return ModelOutput.of(request)


if __name__ == "__main__":
    main()
