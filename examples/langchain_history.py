"""A chat history of LangChain in PostgreSQL.

    pip install langchain-core
    python examples/langchain_history.py

Each message is kept exactly, as JSON text in the meta of an element, which has its text for people.
The database is $DRAIVE_PG_DSN, or an embedded PostgreSQL without it.
"""

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    message_to_dict,
    messages_from_dict,
)

from draive_pg import Client


class PostgresHistory(BaseChatMessageHistory):
    """A history, which is the memory of a session."""

    def __init__(self, session_id: str, db: Client) -> None:
        self._memory = db.memory(session_id)

    @property
    def messages(self) -> list[BaseMessage]:  # pyright: ignore[reportIncompatibleVariableOverride]
        stored = self._memory.elements(documents=True)
        return messages_from_dict([json.loads(each.element["meta"]["item"]) for each in stored])

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        self._memory.remember(*map(element_of, messages), invalid="replace")

    def clear(self) -> None:
        self._memory.clear()


def element_of(message: BaseMessage) -> dict[str, Any]:
    """Return the document of an element for a message."""
    return {
        "type": "model_output" if isinstance(message, AIMessage) else "model_input",
        "blocks": [{"type": "content", "parts": [{"text": message.text}]}],
        "meta": {"item": json.dumps(message_to_dict(message))},
    }


def main() -> None:
    with Client() as db:
        db.setup()
        history = PostgresHistory("langchain-example", db)
        history.clear()
        history.add_messages([HumanMessage("Is it warm in Oslo?"), AIMessage("21 °C.")])
        print("The messages:", [message.text for message in history.messages])
        print(db.memory("langchain-example").show())


if __name__ == "__main__":
    main()
