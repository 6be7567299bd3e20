"""A draive service whose prompts and conversations live in PostgreSQL.

    python examples/async_service.py

The model is simulated, so no provider's key is needed. The database is $DRAIVE_PG_DSN, or an
embedded PostgreSQL without it.
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
        # Allow repeated runs.
        db.memory(SESSION).remove()
        # In practice another script or person defines the prompts.
        db.instructions.define("forecaster", content="You tell {name} the weather.")

        asyncio.run(serve())

        # Analysts read the same tables.
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
        GenerativeModel(generating=pretend),  # pyright: ignore[reportArgumentType]
        PostgresInstructionsRepository(),
        disposables=(PostgresConnectionPool.of(),),
    ):
        memory = PostgresModelMemory(SESSION, recall_limit=20)
        await memory.maintenance(variables={"name": "Ada"})
        for question in QUESTIONS:
            # draive recalls the memory before it calls the model, and remembers the turn after it.
            answer = await Conversation.completion(
                instructions=Instructions.of("forecaster"),
                tools=[temperature],
                memory=memory,
                input=question,
            )
            print(f"Ada: {question}\n  -> {answer.content.to_str()}")


@tool
async def temperature(city: str) -> str:
    """Return the temperature of a city."""
    return {"Oslo": "4 °C", "Rome": "21 °C"}[city]


async def pretend(*, context: Sequence[ModelInput | ModelOutput], **_: Any) -> ModelOutput:
    """Simulate a model: request a tool, then answer with its response."""
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
