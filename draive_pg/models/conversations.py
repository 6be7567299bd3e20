"""Records of memories: their sizes, and what was removed, exported or imported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from draive_pg.models.record import Record


@dataclass(frozen=True, slots=True, repr=False)
class MemorySummary(Record):
    """Size and times of a memory.

    Attributes
    ----------
    identifier : str
        Identifier of the memory.
    created : datetime | None
        Creation time in UTC; None, here as below, if Python cannot represent it.
    first : datetime | None
        Time of its first element, if it has one.
    last : datetime | None
        Time of the last write.
    elements, variables : int
        Number of elements, and of snapshots of variables.
    bytes : int
        Size of both in their tables, compressed.
    title : str | None
        The variable ``title``, where imported chat logs have their titles.
    """

    _first = ("identifier", "title", "elements", "variables", "bytes")

    identifier: str
    created: datetime | None
    first: datetime | None
    last: datetime | None
    elements: int
    variables: int
    bytes: int
    title: str | None


@dataclass(frozen=True, slots=True, repr=False)
class StoredElement(Record):
    """An element of a memory.

    Attributes
    ----------
    position : int
        Its index in the memory, from 0, when it was read.
    created : datetime | None
        When it was written, in UTC; None if Python cannot represent it.
    cursor : str
        Its place in the memory, which stays the same whatever other writers do.
    element : ModelInput | ModelOutput | Mapping
        The element, or its document.
    """

    position: int
    created: datetime | None
    cursor: str
    element: Any


@dataclass(frozen=True, slots=True, repr=False)
class Annotation(Record):
    """A score, comment or tags that a person or an evaluator gave to a memory or an element.

    Attributes
    ----------
    identifier : str
        The memory.
    id : str
        Name of the annotation, unique in the memory.
    position : int | None
        Index of the element when it was read; None: it is of the whole memory, or the element does
        not exist any more.
    name : str
        What is judged: ``"helpful"``.
    score : float | None
        The score.
    comment : str | None
        The comment.
    tags : tuple of str
        The tags.
    author : str | None
        Who gave it.
    annotated : datetime | None
        When, in UTC.
    """

    _first = ("identifier", "position", "name", "score", "comment", "tags", "author", "annotated")

    identifier: str
    id: str
    position: int | None
    name: str
    score: float | None
    comment: str | None
    tags: tuple[str, ...]
    author: str | None
    annotated: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class Removal(Record):
    """What was removed, or would be.

    Attributes
    ----------
    memories, elements, variables : int
        Number of rows removed from each table.
    dry_run : bool
        True if nothing was removed.
    identifiers : tuple of str
        Identifiers of the memories.
    """

    memories: int
    elements: int
    variables: int
    dry_run: bool
    identifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class TimeToLive(Record):
    """How long after its last write `Memories.prune` keeps a memory.

    Attributes
    ----------
    name : str
        Identifier of a memory, or the beginning of those of several.
    is_prefix : bool
        Whether it is the beginning of identifiers.
    ttl : timedelta
        The time to live.
    """

    name: str
    is_prefix: bool
    ttl: timedelta


@dataclass(frozen=True, slots=True, repr=False)
class Transfer(Record):
    """What an export or an import wrote.

    Attributes
    ----------
    path : Path
        The file.
    memories, elements, variables : int
        Number of memories, elements and snapshots of variables written.
    unchanged : int
        Number of memories that an import skipped, since they exist with the same content.
    ignored : Mapping[str, int]
        What an import left out because the tables of draive 0.100 and newer have no place for it,
        and in how many memories: variables, or memories without elements.
    annotations : int
        Number of annotations in the file, also of memories that exist with the same content.
    """

    path: Path
    memories: int
    elements: int
    variables: int
    unchanged: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict[str, int])
    annotations: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class ChatImport(Record):
    """What an import of chat logs did.

    Attributes
    ----------
    imported, extended, unchanged : int
        Number of conversations that are new, that got further elements or other variables, and that
        were there.
    elements : int
        Number of elements written.
    refused : tuple of str
        Conversations that were not imported, each with its place in the log and the reason.
    repaired : tuple of str
        Messages that were repaired or left out, each with its place and the reason; of these and of
        the refused, after the first 10,000 only their number.
    ignored : Mapping[str, int]
        Names of fields and files that were not read, and in how many conversations.
    untimed : int
        Number of conversations with messages that have no time in the log; see `Analysis`.
    failed : int
        Number of reasons for refusals, also of those that ``refused`` leaves out.
    """

    imported: int
    extended: int
    unchanged: int
    elements: int
    refused: tuple[str, ...]
    repaired: tuple[str, ...]
    ignored: Mapping[str, int]
    untimed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class ChatExport(Record):
    """What an export of chat logs did.

    Attributes
    ----------
    path : Path
        The file.
    conversations, messages : int
        Number of conversations and messages written.
    refused : tuple of str
        Memories that were not written, each with the reason.
    problems : tuple of str
        Conversations that were written although the API of a model would refuse them, such as one
        with a tool call without a result, each with its first problem.
    ignored : Mapping[str, int]
        What the format does not represent, such as reasoning, and in how many conversations.
    """

    path: Path
    conversations: int
    messages: int
    refused: tuple[str, ...]
    problems: tuple[str, ...]
    ignored: Mapping[str, int]
