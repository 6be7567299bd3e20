"""draive's PostgreSQL tables for people: memory, prompts and configurations, sync and async.

`Client` and `AsyncClient` are all that a notebook or a script needs; `draive_pg.adapters` plugs the
same tables into draive. Importing this package loads neither pandas nor draive.
"""

from draive_pg.api.memory import Memory
from draive_pg.chat import Branches, ExportFormat, OnError
from draive_pg.client import AsyncClient, Client
from draive_pg.codec.draive_turns import Turn
from draive_pg.codec.embedding import EmbeddingModel
from draive_pg.codec.json import OnInvalid
from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.tokenizer import CountTokens
from draive_pg.display.transcript_parts import TranscriptEntry, TranscriptImage, TranscriptPiece
from draive_pg.errors import (
    ChatInvalid,
    ConnectionFailed,
    DocumentExists,
    DocumentMissing,
    DraivePGError,
    EmbeddedServerError,
    ExportInvalid,
    FileInvalid,
    MemoryExists,
    MemoryMissing,
    OperationFailed,
    PermissionDenied,
    RevisionConflict,
    RevisionLabelled,
    RevisionMissing,
    SchemaInvalid,
    StoredDataInvalid,
    StoredDataSkipped,
    TableMissing,
    TemplateInvalid,
    TimedOut,
    TimesMissing,
    warn,
)
from draive_pg.frames.frame import Format, PartitionBy
from draive_pg.frames.query import Backend, Filters, JsonColumns, OneOrMany, Role, Speaker
from draive_pg.models.admin import (
    AppliedMigration,
    AppliedMigrations,
    Diagnosis,
    Listener,
    OperationEvent,
    TableState,
    ViewState,
)
from draive_pg.models.changes import Change
from draive_pg.models.conversations import (
    Annotation,
    ChatExport,
    ChatImport,
    MemorySummary,
    Removal,
    StoredElement,
    TimeToLive,
    Transfer,
)
from draive_pg.models.conversion import Conversion, ConversionLoss, ConversionRefusal
from draive_pg.models.documents import (
    Diff,
    LabelMove,
    Release,
    Revision,
    ServedRevision,
    Snapshot,
    TemplateRevision,
)
from draive_pg.models.folders import (
    FileDiff,
    FileProblem,
    FolderChange,
    FolderCheck,
    FolderDiff,
    FolderStatus,
)
from draive_pg.models.record import Record, Records
from draive_pg.models.transcript import Transcript
from draive_pg.operations.conversations.listing import Order
from draive_pg.operations.documents.instruction_reference import InstructionsReference
from draive_pg.operations.documents.kind import ConfigurationReference, TemplateReference
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.release import LabelTargets
from draive_pg.operations.documents.selectors import RevisionRef
from draive_pg.operations.documents.served import served_revisions

__all__ = (
    "Annotation",
    "AppliedMigration",
    "AppliedMigrations",
    "AsyncClient",
    "Backend",
    "Branches",
    "Change",
    "ChatExport",
    "ChatImport",
    "ChatInvalid",
    "Client",
    "ConfigurationReference",
    "ConnectionFailed",
    "Conversion",
    "ConversionLoss",
    "ConversionRefusal",
    "CountTokens",
    "Diagnosis",
    "Diff",
    "DocumentExists",
    "DocumentMissing",
    "DraivePGError",
    "EmbeddedServerError",
    "EmbeddingModel",
    "Expected",
    "ExportFormat",
    "ExportInvalid",
    "FileDiff",
    "FileInvalid",
    "FileProblem",
    "Filters",
    "FolderChange",
    "FolderCheck",
    "FolderDiff",
    "FolderStatus",
    "Format",
    "InstructionsReference",
    "JsonColumns",
    "LabelMove",
    "LabelTargets",
    "Listener",
    "Memory",
    "MemoryExists",
    "MemoryMissing",
    "MemorySummary",
    "OnError",
    "OnInvalid",
    "OneOrMany",
    "OperationEvent",
    "OperationFailed",
    "Order",
    "PartitionBy",
    "PermissionDenied",
    "Record",
    "Records",
    "Release",
    "Removal",
    "Revision",
    "RevisionConflict",
    "RevisionLabelled",
    "RevisionMissing",
    "RevisionRef",
    "Role",
    "SchemaInvalid",
    "ServedRevision",
    "Snapshot",
    "Speaker",
    "StoredDataInvalid",
    "StoredDataSkipped",
    "StoredElement",
    "TableMissing",
    "TableState",
    "TemplateInvalid",
    "TemplateReference",
    "TemplateRevision",
    "TimeToLive",
    "TimedOut",
    "TimesMissing",
    "Timestamp",
    "Transcript",
    "TranscriptEntry",
    "TranscriptImage",
    "TranscriptPiece",
    "Transfer",
    "Turn",
    "ViewState",
    "served_revisions",
)

__version__ = "0.1.0"

# Pickles, tracebacks and help() name the public path.
for _public in [globals()[name] for name in __all__]:
    if isinstance(_public, type):
        _public.__module__ = __name__


def __getattr__(name: str) -> object:
    if name == "Label":
        warn("draive_pg.Label is deprecated; use LabelMove", DeprecationWarning)
        return LabelMove
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
