"""Conversations by our adapters and by those of draive 0.118, each on its own pool.

``python -m benchmarks.adapters DSN`` measures in a new database on a server, and needs that draive,
which needs Python 3.14: that of ``.venv-draive/0.118.0``, which ``./dev test --draive`` makes.
"""

# pyright knows the draive of the development environment, which has no turns.
# pyright: reportAttributeAccessIssue=false, reportUnknownVariableType=false

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

from draive import MultimodalContent, ctx
from haiway.postgres import PostgresConnectionPool
from psycopg.conninfo import conninfo_to_dict

from benchmarks import measure as measuring
from benchmarks.filling import database
from benchmarks.measure import RATIOS, Comparison, compare_async
from draive_pg import Client, adapters

RELEASE = "0.118.0"
PYTHON = Path(__file__).parent.parent / ".venv-draive" / RELEASE / "bin" / "python"
TURNS = 50

type Call = Callable[[], Awaitable[object]]


def measure_in_own_environment(dsn: str) -> list[Comparison]:
    """Measure in a new database on a server, with the Python of draive 0.118."""
    if not PYTHON.exists():
        sys.stderr.write(f"skipped: draive {RELEASE}; ./dev test --draive {RELEASE} installs it\n")
        return []
    command = [PYTHON, "-m", "benchmarks.adapters", dsn, "--json"]
    if measuring.quick:
        command.append("--quick")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603
    return [Comparison(**each) for each in json.loads(done.stdout)]


def measure(dsn: str) -> list[Comparison]:
    """Measure in a new database on a server."""
    with database(dsn) as own:
        with Client(own, draive=RELEASE) as db:
            db.setup()
        return asyncio.run(_measure(own))


async def _measure(dsn: str) -> list[Comparison]:
    from draive.postgres import PostgresConversationMemory

    threads = count()

    def calls(memory: Any) -> dict[str, Call]:
        """Return what is measured, in the pool of the current scope."""
        recalled, grown = (memory.prepare(thread=f"thread {next(threads)}") for _ in range(2))
        made = [
            (f"`remember` of {TURNS} turns", lambda: grown.remember(*turns(TURNS))),
            ("`remember` of a question and an answer", lambda: grown.remember(*turns(2))),
            (f"`recall` of {TURNS} turns", recalled.recall),
        ]
        context = copy_context()
        create = asyncio.get_running_loop().create_task
        return {
            "fill": lambda: create(recalled.remember(*turns(TURNS)), context=context),
            **{what: lambda call=call: create(call(), context=context) for what, call in made},
        }

    async with ctx.scope("theirs", disposables=(haiway_pool(dsn),)):
        theirs = calls(PostgresConversationMemory)
        async with ctx.scope("ours", disposables=(adapters.PostgresConnectionPool.of(dsn),)):
            ours = calls(adapters.PostgresConversationMemory)
            await theirs.pop("fill")()
            await ours.pop("fill")()
            return [
                await compare_async(f"{what}, adapters", call, f"draive {RELEASE}", theirs[what])
                for what, call in ours.items()
            ]


def turns(number: int) -> list[Any]:
    """Return questions and answers in turn."""
    from draive.conversation.types import ConversationAssistantTurn, ConversationUserTurn

    kinds = (ConversationUserTurn, ConversationAssistantTurn)
    text = "The parcel was sent on Monday. " * 5
    return [kinds[n % 2].of(MultimodalContent.of(f"{n}: {text}")) for n in range(number)]


def haiway_pool(dsn: str, connections: int = 1) -> PostgresConnectionPool:
    """Return a pool of haiway for a database."""
    address = conninfo_to_dict(dsn)
    return PostgresConnectionPool(
        host=str(address["host"]),
        port=str(address.get("port", 5432)),
        database=str(address["dbname"]),
        user=str(address.get("user", "postgres")),
        password=str(address.get("password", "")),
        ssl="disable",
        connection_limit=connections,
    )


if __name__ == "__main__":
    measuring.quick = "--quick" in sys.argv
    found = measure(sys.argv[1])
    if "--json" in sys.argv:
        json.dump([asdict(each) for each in found], sys.stdout)
    else:
        sys.stdout.write("\n".join([RATIOS, *(each.row() for each in found), ""]))
