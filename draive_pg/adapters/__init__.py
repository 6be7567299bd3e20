"""draive's own interfaces over the same tables: a stand-in for ``draive.postgres`` of draive 0.89.

``from draive_pg.adapters import …`` in place of ``from draive.postgres import …``; the names, the
arguments and the types stay. The repositories and the memory work over haiway's asyncpg pool too,
and draive's own over the pool of this module.
"""

from haiway.postgres import (
    Postgres,
    PostgresConnection,
    PostgresException,
    PostgresRow,
    PostgresValue,
)

from draive_pg.adapters.pool import PostgresConnectionPool
from draive_pg.adapters.repositories import (
    PostgresConfigurationRepository,
    PostgresInstructionsRepository,
    PostgresModelMemory,
)

__all__ = (
    "Postgres",
    "PostgresConfigurationRepository",
    "PostgresConnection",
    "PostgresConnectionPool",
    "PostgresException",
    "PostgresInstructionsRepository",
    "PostgresModelMemory",
    "PostgresRow",
    "PostgresValue",
)
