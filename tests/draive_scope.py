"""Run coroutines in a draive scope, with the pool of draive_pg or of haiway."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import haiway.postgres
from draive import ctx
from haiway.postgres import Postgres
from psycopg.conninfo import conninfo_to_dict

from draive_pg import adapters

type Pool = AbstractAsyncContextManager[Postgres]
type InScope = Callable[..., Any]


def psycopg_pool(dsn: str) -> Pool:
    return adapters.PostgresConnectionPool.of(dsn)


def asyncpg_pool(dsn: str) -> Pool:
    # Not .of(), which supports only TCP.
    given = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
    return haiway.postgres.PostgresConnectionPool(
        host=given["host"],
        port=given["port"],
        database=given["dbname"],
        user=given["user"],
        password=given.get("password", ""),
        ssl="disable",
    )


def run_in_scope(pool: Pool, body: Coroutine[Any, Any, Any], *states: Any) -> Any:
    """Run a coroutine in a draive scope with a pool."""

    async def main() -> Any:
        async with ctx.scope("test", *states, disposables=(pool,)):
            return await body

    return asyncio.run(main())
