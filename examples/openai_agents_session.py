"""A session of openai-agents in PostgreSQL.

    pip install openai-agents
    python examples/openai_agents_session.py

Each item is kept exactly, as JSON text in the meta of an element, which has its text for people.
The database is $DRAIVE_PG_DSN, or an embedded PostgreSQL without it.
"""

import asyncio
import json
from typing import Any

from agents.memory.session_settings import SessionSettings, resolve_session_limit

from draive_pg import AsyncClient


class PostgresSession:
    """A session, which is the memory of the same identifier."""

    def __init__(
        self, session_id: str, db: AsyncClient, settings: SessionSettings | None = None
    ) -> None:
        self.session_id = session_id
        self.session_settings: SessionSettings | None = settings or SessionSettings()
        self._memory = db.memory(session_id)

    async def get_items(self, limit: int | None = None) -> list[Any]:
        limit = resolve_session_limit(limit, self.session_settings)
        if limit is not None and limit <= 0:
            return []
        stored = await self._memory.elements(limit, documents=True)
        return [json.loads(each.element["meta"]["item"]) for each in stored]

    async def add_items(self, items: list[Any]) -> None:
        await self._memory.remember(*map(element_of, items), invalid="replace")

    async def pop_item(self) -> Any | None:
        popped = await self._memory.pop(documents=True)
        return json.loads(popped[0]["meta"]["item"]) if popped else None

    async def clear_session(self) -> None:
        await self._memory.clear()


def element_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return the document of an element for an item of the Responses API."""
    given = item.get("role") in ("user", "system", "developer") or str(item.get("type")).endswith(
        "_output"
    )
    content = item.get("content") or item.get("output") or item.get("arguments") or ""
    parts = [{"text": content}] if isinstance(content, str) else content
    texts = [{"text": str(part["text"])} for part in parts if "text" in part]
    return {
        "type": "model_input" if given else "model_output",
        "blocks": [{"type": "content", "parts": texts}],
        "meta": {"item": json.dumps(item)},
    }


async def main() -> None:
    async with AsyncClient() as db:
        await db.setup()
        session = PostgresSession("openai-agents-example", db)
        await session.clear_session()
        await session.add_items(
            [
                {"role": "user", "content": "Is it warm in Oslo?"},
                {"type": "function_call", "call_id": "c", "name": "warm", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "21 °C"},
            ]
        )
        print("The newest item:", await session.pop_item())
        print("The items:", await session.get_items())
        print(await db.memory(session.session_id).show())


if __name__ == "__main__":
    asyncio.run(main())
