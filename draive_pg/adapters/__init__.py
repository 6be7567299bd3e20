"""draive's interfaces over the same tables: a replacement of ``draive.postgres`` of draive 0.89.

Import from ``draive_pg.adapters`` what you imported from ``draive.postgres``; names, arguments and
types are the same. The repositories and the memory also work with haiway's asyncpg pool, and
draive's own with the pool of this module; ``PostgresVectorIndex`` is draive's own.
``FolderPrompts`` and ``FolderConfigurations`` are repositories of folders, without a database.
"""

from draive_pg.codec.draive_import import Importing

with Importing("draive_pg.adapters", "0.87 or newer", "draive_pg[draive]"):
    from draive.postgres import PostgresVectorIndex
    from haiway.postgres import (
        Postgres,
        PostgresConnection,
        PostgresException,
        PostgresRow,
        PostgresValue,
    )

    from draive_pg.adapters.folder import FolderConfigurations, FolderPrompts
    from draive_pg.adapters.pool import PostgresConnectionPool
    from draive_pg.adapters.repositories import (
        PostgresConfigurationRepository,
        PostgresInstructionsRepository,
        PostgresModelMemory,
    )

__all__ = (
    "FolderConfigurations",
    "FolderPrompts",
    "Postgres",
    "PostgresConfigurationRepository",
    "PostgresConnection",
    "PostgresConnectionPool",
    "PostgresException",
    "PostgresInstructionsRepository",
    "PostgresModelMemory",
    "PostgresRow",
    "PostgresValue",
    "PostgresVectorIndex",
)
