"""A JSON document of a container, and what containers have in common."""

import itertools
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from draive_pg.errors import ChatInvalid

CHUNK = 1 << 20  # many documents, because one at its end is decoded twice
MAX_DOCUMENT = 1 << 28  # characters; a document of PostgreSQL has 256 MiB at most
REST = -1
NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class File:
    """A file with documents.

    Attributes
    ----------
    name : str
        Its name, for messages.
    stem : str
        Its name without its endings, for identifiers.
    number : int
        What distinguishes it from others of the same name.
    """

    name: str
    stem: str
    number: int = field(default_factory=NUMBERS.__next__)


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document in a container.

    Attributes
    ----------
    value : Any
        The document, or the ChatInvalid that explains why it cannot be read.
    file : File
        The file.
    place : str
        Place in the file, for messages: ``line 17``.
    array : int
        Number of the top-level array that contains the document; 0 outside of arrays, and
        `REST` for the rest of a file that cannot be read.
    """

    value: Any
    file: File
    place: str
    array: int = 0


def unreadable(file: File, error: ValueError) -> Document:
    """Return the document that stands for the rest of a file that cannot be read."""
    invalid = error if isinstance(error, ChatInvalid) else ChatInvalid(f"{file.name}: {error}")
    return Document(invalid, file, "", REST)


def printable(name: str) -> str:
    """Return a name for messages."""
    return name if name.isprintable() else repr(name)


def stem_of(name: str) -> str:
    """Return the name of a file without its endings."""
    path = PurePath(PurePath(name).name)
    if path.suffix in (".gz", ".zst", ".xz", ".bz2"):
        path = PurePath(path.stem)
    return path.stem


def path_stem(path: PurePath) -> str:
    """Return a path in a folder or archive without the endings of its name."""
    return (path.parent / stem_of(printable(path.name))).as_posix()
