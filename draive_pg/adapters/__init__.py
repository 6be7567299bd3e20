"""draive's interfaces over the same tables: a replacement of ``draive.postgres``.

Import from ``draive_pg.adapters`` what you imported from ``draive.postgres``; names, arguments and
types are those of the installed draive. The repositories and memories also work with haiway's
asyncpg pool, and draive's own with the pool of this module; ``PostgresVectorIndex`` is draive's.
With draive 0.89, ``FolderPrompts`` and ``FolderConfigurations`` are repositories of folders,
without a database.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from draive_pg.codec.draive_import import Importing
from draive_pg.lines.line import LINE_89, LINES, Line, installed_line

with Importing("draive_pg.adapters", "0.87 or newer", "draive_pg[draive]"):
    from draive.postgres import PostgresVectorIndex
    from haiway.postgres import (
        Postgres,
        PostgresConnection,
        PostgresException,
        PostgresRow,
        PostgresValue,
    )

    from draive_pg.adapters.pool import PostgresConnectionPool

if TYPE_CHECKING:
    from draive_pg.adapters.configurations import PostgresConfigurationRepository
    from draive_pg.adapters.folder import FolderConfigurations, FolderPrompts
    from draive_pg.adapters.instructions import PostgresInstructionsRepository
    from draive_pg.adapters.memories import PostgresModelMemory

# The modules of the names that not every draive has, by the line of draive.
MODULES: Mapping[str, Mapping[str, str]] = {
    "0.89": {
        "FolderConfigurations": "folder",
        "FolderPrompts": "folder",
        "PostgresConfigurationRepository": "configurations",
        "PostgresInstructionsRepository": "instructions",
        "PostgresModelMemory": "memories",
    },
    "0.92": {
        "PostgresConfigurationRepository": "configurations",
        "PostgresModelMemory": "memories",
        "PostgresTemplatesRepository": "templates",
    },
    "0.99": {
        "PostgresConfigurationRepository": "class_configurations",
        "PostgresTemplatesRepository": "templates",
    },
    "0.103": {
        "PostgresConfigurationRepository": "class_configurations",
        "PostgresConversationMemory": "conversations",
        "PostgresTemplatesRepository": "templates",
    },
    "0.118": {
        "PostgresAgentMemory": "agents",
        "PostgresConfigurationRepository": "class_configurations",
        "PostgresConversationMemory": "conversations",
        "PostgresTemplatesRepository": "templates",
    },
}


LINE = installed_line() or LINE_89


def __getattr__(name: str) -> object:
    """Import what only some releases of draive have.

    Raises
    ------
    ImportError
        If the installed draive has it not; the message names the releases that have it.
    """
    module = MODULES[LINE.name].get(name)
    if module is not None:
        return getattr(import_module(f"{__name__}.{module}"), name)
    if others := _lines_with(name):
        raise ImportError(
            f"draive_pg.adapters.{name} needs {' or '.join(map(str, others))}; with {LINE} "
            f"there are {', '.join(MODULES[LINE.name])}"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _lines_with(name: str) -> list[Line]:
    return [line for line in LINES if name in MODULES[line.name]]


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
if LINE is not LINE_89:
    missing = MODULES["0.89"].keys() - MODULES[LINE.name].keys()
    # Type checkers read the assignment above.
    globals()["__all__"] = (*sorted({*__all__} - missing), *MODULES[LINE.name])
