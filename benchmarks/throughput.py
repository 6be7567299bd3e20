"""Throughput of 32 threads and of 32 tasks on 8 connections, which read and write conversations.

``python -m benchmarks.throughput DSN [TURNS]`` measures in new databases on a server: each worker
reads the newest 20 elements of a conversation of its own and writes two, TURNS times (default: 50).
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

import psycopg
from agents.extensions.memory import SQLAlchemySession
from draive.postgres import PostgresModelMemory
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from benchmarks.calls import draive
from benchmarks.conversations import AGENTS, LANGGRAPH, Graph, engine, items
from benchmarks.filling import ELEMENTS, database
from benchmarks.measure import backends, format_seconds
from draive_pg import AsyncClient, Client

WORKERS = 32
CONNECTIONS = 8
LENGTH = 20
NAMES = [f"conversation-{number}" for number in range(WORKERS)]

HEADER = (
    "| what | store | operations per second | client CPU of one | server CPU of one |"
    "\n|---|---|---|---|---|"
)

type Turn = Callable[[], object]
type AsyncTurn = Callable[[], Awaitable[object]]


@dataclass
class Throughput:
    """The time and the CPU time of a number of operations, in seconds.

    Attributes
    ----------
    server : float | None
        That of the server's processes; None if they are not on this machine.
    """

    what: str
    store: str
    operations: int
    wall: float = 0.0
    client: float = 0.0
    server: float | None = None

    def row(self) -> str:
        """Return a row of a Markdown table, under `HEADER`."""
        server = "" if self.server is None else format_seconds(self.server / self.operations)
        return (
            f"| {self.what} | {self.store} | {self.operations / self.wall:,.0f} "
            f"| {format_seconds(self.client / self.operations)} | {server} |"
        )


def measure(dsn: str, *, turns: int = 50) -> list[Throughput]:
    """Measure in new databases on a server, one after the other."""
    return [
        *(threads(dsn, store, opened, turns) for store, opened in OPEN.items()),
        *(asyncio.run(tasks(dsn, store, opened, turns)) for store, opened in OPEN_ASYNC.items()),
    ]


def threads(dsn: str, store: str, opened: Any, turns: int) -> Throughput:
    with (
        database(dsn) as own,
        opened(own) as workers,
        ThreadPoolExecutor(WORKERS) as executor,
    ):

        def run(times: int) -> None:
            def work(turn: Turn) -> None:
                for _ in range(times):
                    turn()

            list(executor.map(work, workers))

        run(1)  # opens the connections
        with measured(own, f"{WORKERS} threads", store, turns) as found:
            run(turns)
    return found


async def tasks(dsn: str, store: str, opened: Any, turns: int) -> Throughput:
    with database(dsn) as own:
        async with opened(own) as workers:

            async def run(times: int) -> None:
                async def work(turn: AsyncTurn) -> None:
                    for _ in range(times):
                        await turn()

                async with asyncio.TaskGroup() as group:
                    for turn in workers:
                        group.create_task(work(turn))

            await run(1)
            with measured(own, f"{WORKERS} tasks", store, turns) as found:
                await run(turns)
    return found


@contextmanager
def measured(dsn: str, what: str, store: str, turns: int) -> Generator[Throughput]:
    """Measure the block, in which each turn of each worker is two operations."""
    found = Throughput(what, store, 2 * WORKERS * turns)
    with psycopg.connect(dsn, autocommit=True) as connection:
        server, client, wall = backends(connection), process_time(), perf_counter()
        yield found
        found.wall, found.client = perf_counter() - wall, process_time() - client
        if server is not None:
            found.server = (backends(connection) or 0.0) - server


# --- Stores: each yields what each worker does in a turn


@contextmanager
def open_ours(dsn: str) -> Generator[Sequence[Turn]]:
    with Client(dsn, max_size=CONNECTIONS, prepare=True) as db:
        db.setup()

        def worker(name: str) -> Turn:
            memory = db.memory(name)
            memory.remember(*ELEMENTS[:LENGTH])
            return lambda: (memory.recall(limit=LENGTH), memory.remember(*ELEMENTS[:2]))

        yield [worker(name) for name in NAMES]


@contextmanager
def open_langgraph(dsn: str) -> Generator[Sequence[Turn]]:
    pool: Any = ConnectionPool(dsn, max_size=CONNECTIONS, kwargs=PREPARING, open=False)
    with pool:
        saver = PostgresSaver(pool)
        saver.setup()

        def worker(name: str) -> Turn:
            graph = Graph(saver, name, LENGTH)
            graph.write()
            return lambda: (graph.read(), graph.write())

        yield [worker(name) for name in NAMES]


async def turn_of(memory: Any) -> AsyncTurn:
    """Fill a memory of draive_pg or draive, and return a turn on it."""
    await memory.remember(*ELEMENTS[:LENGTH])

    async def turn() -> None:
        await memory.recall(limit=LENGTH)
        await memory.remember(*ELEMENTS[:2])

    return turn


@asynccontextmanager
async def open_ours_async(dsn: str) -> AsyncGenerator[Sequence[AsyncTurn]]:
    async with AsyncClient(dsn, max_size=CONNECTIONS, prepare=True) as db:
        await db.setup()
        yield [await turn_of(db.memory(name)) for name in NAMES]


@asynccontextmanager
async def open_draive(dsn: str) -> AsyncGenerator[Sequence[AsyncTurn]]:
    with Client(dsn) as db:
        db.setup()
    async with draive(dsn, connections=CONNECTIONS):

        async def worker(name: str) -> AsyncTurn:
            memory = PostgresModelMemory(name)
            await memory.maintenance()
            return await turn_of(memory)

        yield [await worker(name) for name in NAMES]


@asynccontextmanager
async def open_langgraph_async(dsn: str) -> AsyncGenerator[Sequence[AsyncTurn]]:
    pool: Any = AsyncConnectionPool(dsn, max_size=CONNECTIONS, kwargs=PREPARING, open=False)
    async with pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()

        async def worker(name: str) -> AsyncTurn:
            graph = Graph(saver, name, LENGTH)
            await saver.aput(*graph.step())

            async def turn() -> None:
                await saver.aget_tuple(graph.config)
                await saver.aput(*graph.step())

            return turn

        yield [await worker(name) for name in NAMES]


@asynccontextmanager
async def open_agents(dsn: str) -> AsyncGenerator[Sequence[AsyncTurn]]:
    async with engine(dsn, pool_size=CONNECTIONS, max_overflow=0) as connected:

        async def worker(name: str) -> AsyncTurn:
            session = SQLAlchemySession(name, engine=connected, create_tables=True)
            await session.add_items(items(LENGTH))

            async def turn() -> None:
                await session.get_items(LENGTH)
                await session.add_items(items(2))

            return turn

        yield [await worker(name) for name in NAMES]


# As langgraph opens its own connections.
PREPARING = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}

OPEN = {"draive_pg": open_ours, LANGGRAPH: open_langgraph}
OPEN_ASYNC = {
    "draive_pg": open_ours_async,
    "draive": open_draive,
    LANGGRAPH: open_langgraph_async,
    AGENTS: open_agents,
}


if __name__ == "__main__":
    dsn, turns = [*sys.argv[1:], "50"][:2]
    rows = [HEADER, *(each.row() for each in measure(dsn, turns=int(turns)))]
    sys.stdout.write("\n".join([*rows, ""]))
