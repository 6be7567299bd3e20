"""The exception hierarchy.

::

    DraivePGError
    ├── ConnectionFailed         a connection was impossible, refused or lost
    │   └── TimedOut             a time limit of the client was exceeded (also a TimeoutError)
    ├── OperationFailed          the server refused a statement
    │   ├── TableMissing         a table does not exist: run setup()
    │   └── PermissionDenied     the role lacks a privilege
    ├── StoredDataInvalid        a stored row is not what draive writes
    ├── TemplateInvalid          a prompt and its arguments do not match (also a ValueError)
    ├── DocumentMissing          there are no instructions or no configuration of that name
    ├── DocumentExists           a document would be renamed to a name that is in use
    ├── RevisionMissing          there is no such revision, or no such label
    ├── RevisionConflict         a conditional write found another revision than expected
    ├── RevisionLabelled         a revision with a label would be removed
    ├── MemoryMissing            there is no memory of the given identifier
    ├── MemoryExists             an import or a copy would change an existing memory
    ├── ChatInvalid              a chat log cannot be read (also a ValueError)
    ├── ExportInvalid            a file is not a complete export (also a ValueError)
    ├── FileInvalid              a file of prompts or configurations cannot be read (also a
    │                            ValueError)
    ├── SchemaInvalid            the tables or recorded migrations are not those of this package
    └── EmbeddedServerError      the local PostgreSQL cannot be found, started or stopped

Arguments of a wrong type or value raise plain ``TypeError`` or ``ValueError`` before any I/O.
A `DocumentMissing` is also draive's ``InstructionsMissing`` or ``ConfigurationMissing``;
``ConfigurationInvalid`` is draive's own. ``StoredDataSkipped`` is a warning for each row that is
left out, with ``lenient=True`` or because Python cannot represent its time. ``TimesMissing`` is a
warning of an analysis.
"""

import os
import re
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

PACKAGE = f"{Path(__file__).parent}{os.sep}"
MAX_SIMILAR = 3  # names suggested for a missing one


def hide_passwords(text: str) -> str:
    """Replace the password of each database address in a text."""
    return re.sub(r"://\S*@", "://…@", re.sub(r"(password\s*=\s*)('[^']*'|\S+)", r"\1…", text))


class DraivePGError(Exception):
    """Base of every error of this package.

    Attributes
    ----------
    sqlstate : str | None
        PostgreSQL's error code of five characters; None if the server did not answer.
    """

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        super().__init__(hide_passwords(message))
        self.sqlstate = sqlstate


class ConnectionFailed(DraivePGError):
    """The server cannot be reached, refuses the connection, or the connection was lost."""


class TimedOut(ConnectionFailed, TimeoutError):
    """A time limit of the client was exceeded: to connect, for an operation, or for a lock.

    A limit of the server (``statement_timeout``, ``lock_timeout``) raises `OperationFailed`.
    """


class OperationFailed(DraivePGError):
    """The server refused a statement."""


class TableMissing(OperationFailed):
    """A table does not exist in the schema, or the schema does not exist."""


class PermissionDenied(OperationFailed):
    """The role lacks a privilege."""


class StoredDataInvalid(DraivePGError):
    """A stored row is not what draive writes."""


class StoredDataSkipped(UserWarning):
    """A stored row cannot be read, and was left out of the result."""


class TimesMissing(UserWarning):
    """Elements of an imported chat log have no times, so what depends on them is missing."""


class TemplateInvalid(DraivePGError, ValueError):
    """A prompt cannot be rendered with the given arguments, or does not match the declared ones."""


class DocumentMissing(DraivePGError):
    """There are no instructions, or there is no configuration, of the given name.

    It is also draive's ``InstructionsMissing`` or ``ConfigurationMissing``.
    """


class DocumentExists(DraivePGError):
    """A document cannot be renamed: there are revisions of the new name."""


class RevisionMissing(DraivePGError):
    """A document exists, but does not have the revision or label."""


class RevisionConflict(DraivePGError):
    """A conditional write found another revision than the expected one."""


class RevisionLabelled(DraivePGError):
    """A revision cannot be removed, because a label is on it."""


class MemoryMissing(DraivePGError):
    """There is no memory of the given identifier."""


class MemoryExists(DraivePGError):
    """An import or a copy would change an existing memory."""


class ChatInvalid(DraivePGError, ValueError):
    """A chat log cannot be read as OpenAI-style messages."""


class ExportInvalid(DraivePGError, ValueError):
    """A file was not written by an export of memories, or is incomplete."""


class FileInvalid(DraivePGError, ValueError):
    """A file or a folder cannot be read or written."""


class SchemaInvalid(DraivePGError):
    """The tables or the recorded migrations in the schema are not those of this package."""


class EmbeddedServerError(DraivePGError):
    """The local PostgreSQL cannot be found, started or stopped."""


def warn(message: str, category: type[Warning]) -> None:
    """Issue a warning at the line that called this package."""
    warnings.warn(message, category, stacklevel=2, skip_file_prefixes=(PACKAGE,))


def similar_names(name: str, others: Sequence[str]) -> str:
    """Return the end of a message about a missing name: similar names, or nothing."""
    similar = ", ".join(f"{each!r:.80}" for each in get_close_matches(name, others, MAX_SIMILAR))
    return f"; similar: {similar}" if similar else ""
