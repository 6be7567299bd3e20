"""draive's PostgreSQL tables for people: memory, prompts and configurations, sync and async.

`Client` and `AsyncClient` are all that a notebook or a script needs; `draive_pg.adapters` plugs the
same tables into draive. Importing this package loads neither pandas nor draive.
"""

from draive_pg.api.memory import Memory
from draive_pg.client import AsyncClient, Client
from draive_pg.errors import (
    ChatInvalid,
    ConnectionFailed,
    DraivePGError,
    EmbeddedServerError,
    ExportInvalid,
    FileInvalid,
    MemoryExists,
    MemoryMissing,
    OperationFailed,
    PermissionDenied,
    RevisionConflict,
    RevisionMissing,
    SchemaInvalid,
    StoredDataInvalid,
    StoredDataSkipped,
    TableMissing,
    TemplateInvalid,
    TimedOut,
)
from draive_pg.models import (
    AppliedMigration,
    Diagnosis,
    Diff,
    FileDiff,
    FolderChange,
    FolderDiff,
    FolderStatus,
    Label,
    Listener,
    MemorySummary,
    OperationEvent,
    Record,
    Records,
    Release,
    Removal,
    Revision,
    Snapshot,
    TableState,
    Transfer,
)

__all__ = (
    "AppliedMigration",
    "AsyncClient",
    "ChatInvalid",
    "Client",
    "ConnectionFailed",
    "Diagnosis",
    "Diff",
    "DraivePGError",
    "EmbeddedServerError",
    "ExportInvalid",
    "FileDiff",
    "FileInvalid",
    "FolderChange",
    "FolderDiff",
    "FolderStatus",
    "Label",
    "Listener",
    "Memory",
    "MemoryExists",
    "MemoryMissing",
    "MemorySummary",
    "OperationEvent",
    "OperationFailed",
    "PermissionDenied",
    "Record",
    "Records",
    "Release",
    "Removal",
    "Revision",
    "RevisionConflict",
    "RevisionMissing",
    "SchemaInvalid",
    "Snapshot",
    "StoredDataInvalid",
    "StoredDataSkipped",
    "TableMissing",
    "TableState",
    "TemplateInvalid",
    "TimedOut",
    "Transfer",
)

__version__ = "0.1.0"

# Pickles, tracebacks and help() name the public path.
for _name in __all__:
    globals()[_name].__module__ = __name__
