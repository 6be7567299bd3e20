"""The message history of pydantic-ai in PostgreSQL.

    pip install pydantic-ai-slim
    python examples/pydantic_ai_history.py

Each message is kept exactly, as JSON text in the meta of an element, which has its text for people.
The model is simulated, so no provider's key is needed. The database is $DRAIVE_PG_DSN, or an
embedded PostgreSQL without it.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    ToolReturnPart,
)
from pydantic_ai.models.test import TestModel

from draive_pg import AsyncClient


class PostgresHistory:
    """The messages of a conversation, which is the memory of the same identifier."""

    def __init__(self, conversation: str, db: AsyncClient) -> None:
        self._memory = db.memory(conversation)

    async def load(self, limit: int | None = None) -> list[ModelMessage]:
        """Return the newest messages, for `message_history` of a run."""
        stored = await self._memory.elements(limit, documents=True)
        texts = [each.element["meta"]["item"] for each in stored]
        return ModelMessagesTypeAdapter.validate_json(f"[{','.join(texts)}]")

    async def add(self, messages: Sequence[ModelMessage], *, key: str | None = None) -> None:
        """Append messages, such as `new_messages()` of a run; with a key, once."""
        elements = map(element_of, messages)
        await self._memory.remember(*elements, key=key, invalid="replace")

    async def undo(self) -> None:
        """Remove the last question and everything after it."""
        await self._memory.undo(documents=True)


def element_of(message: ModelMessage) -> dict[str, Any]:
    """Return the document of an element for a message."""
    return {
        "type": "model_output" if isinstance(message, ModelResponse) else "model_input",
        "blocks": [block for part in message.parts for block in blocks_of(part)],
        "meta": {"item": ModelMessagesTypeAdapter.dump_json([message]).decode()[1:-1]},
    }


def blocks_of(part: object) -> list[dict[str, Any]]:
    """Return the text of a part as a block; a tool's makes no turn of its own."""
    text = part.model_response_str() if isinstance(part, ToolReturnPart) else None
    content = {"type": "content", "parts": [{"text": text or getattr(part, "content", "")}]}
    if isinstance(part, ToolReturnPart):
        names = {"identifier": part.tool_call_id, "tool": part.tool_name}
        return [{"type": "tool_response", **names, "content": content, "handling": "response"}]
    return [content] if isinstance(content["parts"][0]["text"], str) else []


async def main() -> None:
    agent = Agent(TestModel(custom_output_text="21 °C."))
    async with AsyncClient() as db:
        await db.setup()
        history = PostgresHistory("pydantic-ai-example", db)
        await db.memories.remove("pydantic-ai-example")
        for question in ("Is it warm in Oslo?", "And in Rome?"):
            run = await agent.run(question, message_history=await history.load())
            await history.add(run.new_messages(), key=run.run_id)
        await history.undo()
        print("The messages:", len(await history.load()))
        print(await db.memory("pydantic-ai-example").show())


if __name__ == "__main__":
    asyncio.run(main())
