"""draive's PostgreSQL tables for people: memory, prompts and configurations, sync and async.

`Client` and `AsyncClient` are all that a notebook or a script needs; `draive_pg.adapters` plugs the
same tables into draive. Importing this package loads neither pandas nor draive.
"""

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
)
from draive_pg.models import Diagnosis, Diff, Label, Release, Revision, Snapshot

__all__ = (
    "AsyncClient",
    "ChatInvalid",
    "Client",
    "ConnectionFailed",
    "Diagnosis",
    "Diff",
    "DraivePGError",
    "EmbeddedServerError",
    "ExportInvalid",
    "FileInvalid",
    "Label",
    "MemoryExists",
    "MemoryMissing",
    "OperationFailed",
    "PermissionDenied",
    "Release",
    "Revision",
    "RevisionConflict",
    "RevisionMissing",
    "SchemaInvalid",
    "Snapshot",
    "StoredDataInvalid",
    "StoredDataSkipped",
    "TableMissing",
    "TemplateInvalid",
)

__version__ = "0.1.0"
