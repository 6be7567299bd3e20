"""Conversations in draive_pg, langgraph's PostgresSaver and openai-agents' SQLAlchemySession.

``python -m benchmarks.conversations DSN [LENGTH]`` measures in a new database on a server, with a
conversation of LENGTH messages (default: 200).
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from agents.extensions.memory import SQLAlchemySession
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.filling import ELEMENTS, database
from benchmarks.measure import RATIOS, Comparison, compare_async
from draive_pg import Client

TARGET = 1.2
PAGE = 50

LANGGRAPH = "langgraph's PostgresSaver"
AGENTS = "openai-agents' SQLAlchemySession"

type Call = Callable[[], object]

TEXTS = [element.content.to_str() for element in ELEMENTS]


def measure(dsn: str, *, length: int = 200) -> list[Comparison]:
    """Measure in a new database on a server."""
    with database(dsn) as own, Client(own) as db:
        db.setup()
        return asyncio.run(against_peers(db, own, length))


async def against_peers(db: Client, dsn: str, length: int) -> list[Comparison]:
    ours = db.memory("conversation")
    for start in range(0, length, len(ELEMENTS)):
        ours.remember(*ELEMENTS[: length - start])
    with PostgresSaver.from_conn_string(dsn) as saver:
        graph = Graph(saver, length)
        async with session(dsn) as theirs:
            await theirs.add_items(items(length))
            ways: list[tuple[str, Call, list[tuple[str, Call]]]] = [
                (
                    f"`recall()` of a conversation of {length}",
                    ours.recall,
                    [(LANGGRAPH, graph.read), (AGENTS, theirs.get_items)],
                ),
                (
                    f"`elements(limit={PAGE})` of {length}",
                    lambda: ours.elements(PAGE),
                    [(LANGGRAPH, graph.read), (AGENTS, lambda: theirs.get_items(PAGE))],
                ),
                (
                    f"`remember` of a turn, after {length}",
                    lambda: ours.remember(*ELEMENTS[:2]),
                    [(LANGGRAPH, graph.write), (AGENTS, lambda: theirs.add_items(items(2)))],
                ),
            ]
            return [
                await compare_async(what, call, name, rival, calls=20)
                for what, call, rivals in ways
                for name, rival in rivals
            ]


class Graph:
    """A conversation as a graph of langgraph stores it: each step writes all of its state."""

    def __init__(self, saver: PostgresSaver, length: int) -> None:
        saver.setup()
        self._saver = saver
        self._config: Any = {"configurable": {"thread_id": "conversation", "checkpoint_ns": ""}}
        self._versions = count(1)
        self._messages = [
            (HumanMessage if number % 2 == 0 else AIMessage)(TEXTS[number % 100], id=str(number))
            for number in range(length)
        ]
        self.write()

    def read(self) -> object:
        return self._saver.get_tuple(self._config)

    def write(self) -> None:
        version = f"{next(self._versions):032}"
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"messages": self._messages}
        checkpoint["channel_versions"] = {"messages": version}
        self._saver.put(
            self._config,
            checkpoint,
            {"source": "loop", "step": 1, "parents": {}},
            {"messages": version},
        )


@asynccontextmanager
async def session(dsn: str) -> AsyncGenerator[SQLAlchemySession]:
    address = conninfo_to_dict(dsn)
    url = URL.create(
        "postgresql+asyncpg",
        username=str(address.get("user", "postgres")),
        password=str(address.get("password", "")) or None,
        database=str(address["dbname"]),
        query={"host": str(address["host"]), "port": str(address.get("port", 5432))},
    )
    engine = create_async_engine(url)
    try:
        yield SQLAlchemySession("conversation", engine=engine, create_tables=True)
    finally:
        await engine.dispose()


def items(length: int) -> list[Any]:
    return [
        {"role": "user" if number % 2 == 0 else "assistant", "content": TEXTS[number % 100]}
        for number in range(length)
    ]


if __name__ == "__main__":
    dsn, length = [*sys.argv[1:], "200"][:2]
    compared = measure(dsn, length=int(length))
    sys.stdout.write("\n".join([RATIOS, *(each.row_with_target(TARGET) for each in compared), ""]))
