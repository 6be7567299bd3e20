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
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

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
    with database(dsn) as own, Client(own, prepare=True) as db:  # the others prepare, too
        db.setup()
        return asyncio.run(against_peers(db, own, length))


async def against_peers(db: Client, dsn: str, length: int) -> list[Comparison]:
    ours = db.memory("conversation")
    for start in range(0, length, len(ELEMENTS)):
        ours.remember(*ELEMENTS[: length - start])
    with PostgresSaver.from_conn_string(dsn) as saver:
        saver.setup()
        graph = Graph(saver, "conversation", length)
        graph.write()
        async with engine(dsn) as connected:
            theirs = SQLAlchemySession("conversation", engine=connected, create_tables=True)
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
                await compare_async(what, call, name, rival, calls=20, target=TARGET)
                for what, call, rivals in ways
                for name, rival in rivals
            ]


class Graph[Saver: PostgresSaver | AsyncPostgresSaver]:
    """A conversation as a graph of langgraph stores it: each step writes all of its state."""

    def __init__(self, saver: Saver, name: str, length: int) -> None:
        self.saver = saver
        self.config: Any = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
        self._versions = count(1)
        self._messages = [
            (HumanMessage if number % 2 == 0 else AIMessage)(TEXTS[number % 100], id=str(number))
            for number in range(length)
        ]

    def step(self) -> tuple[Any, ...]:
        """Return the arguments of `put` for the next step."""
        version = f"{next(self._versions):032}"
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"messages": self._messages}
        checkpoint["channel_versions"] = {"messages": version}
        metadata = {"source": "loop", "step": 1, "parents": {}}
        return self.config, checkpoint, metadata, {"messages": version}

    def read(self: "Graph[PostgresSaver]") -> object:
        return self.saver.get_tuple(self.config)

    def write(self: "Graph[PostgresSaver]") -> None:
        self.saver.put(*self.step())


@asynccontextmanager
async def engine(dsn: str, **options: Any) -> AsyncGenerator[AsyncEngine]:
    """Open an engine of SQLAlchemy with asyncpg."""
    address = conninfo_to_dict(dsn)
    url = URL.create(
        "postgresql+asyncpg",
        username=str(address.get("user", "postgres")),
        password=str(address.get("password", "")) or None,
        database=str(address["dbname"]),
        query={"host": str(address["host"]), "port": str(address.get("port", 5432))},
    )
    connected = create_async_engine(url, **options)
    try:
        yield connected
    finally:
        await connected.dispose()


def items(length: int) -> list[Any]:
    return [
        {"role": "user" if number % 2 == 0 else "assistant", "content": TEXTS[number % 100]}
        for number in range(length)
    ]


if __name__ == "__main__":
    dsn, length = [*sys.argv[1:], "200"][:2]
    compared = measure(dsn, length=int(length))
    sys.stdout.write("\n".join([RATIOS, *(each.row() for each in compared), ""]))
