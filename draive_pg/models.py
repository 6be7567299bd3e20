"""Public records: frozen dataclasses with bounded reprs, and `Records`, a sequence of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from reprlib import Repr
from typing import TYPE_CHECKING, Any, Literal, Self, SupportsIndex, overload

from draive_pg.errors import warn

if TYPE_CHECKING:
    from pandas import DataFrame

MAX_SHOWN = 3  # records in a repr

REPR = Repr(maxstring=40, maxother=40, maxdict=3, maxlevel=2)


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """Base of all records: frozen, with a bounded repr, and an HTML table in a notebook."""

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={_short(value)}" for name, value in self._members())
        return f"{type(self).__name__}({members})"

    def _repr_html_(self) -> str:
        from draive_pg.display import html

        return html.table(("", type(self).__name__), self._members())

    def _members(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in _names(type(self))]


class Records[R: Record](tuple[R, ...]):
    """An immutable sequence of records: a table in a terminal and a notebook.

    Its slices are `Records` as well.

    Parameters
    ----------
    kind : type[Record]
        Class of the records; its fields are the columns of the table, also when it is empty.
    records : iterable of Record
        The records.
    limit : int | None
        Keep at most this many, and set ``truncated`` if there are more.

    Attributes
    ----------
    truncated : bool
        True if a limit cut the listing, so that the database has more.

    Examples
    --------
    >>> prompts = db.instructions.history("greeting")
    >>> prompts[:5].to_df()
    >>> print(prompts)
    """

    kind: type[R]
    truncated: bool

    def __new__(cls, kind: type[R], records: Iterable[R] = (), *, limit: int | None = None) -> Self:
        found = tuple(records)
        made = super().__new__(cls, found[:limit])
        made.kind = kind
        made.truncated = len(made) < len(found)
        return made

    def __getnewargs__(self) -> tuple[type[R], tuple[R, ...]]:
        return self.kind, tuple(self)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> R: ...
    @overload
    def __getitem__(self, index: slice, /) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> "R | Self":
        if not isinstance(index, slice):
            return super().__getitem__(index)
        part = type(self)(self.kind, super().__getitem__(index))
        part.truncated = self.truncated
        return part

    def to_df(self) -> "DataFrame":
        """Return a pandas DataFrame with one row per record and one column per field."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=list(_names(self.kind)))

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:MAX_SHOWN]))
        more = f", ... {len(self) - MAX_SHOWN} more" if len(self) > MAX_SHOWN else ""
        note = f"; {self._count()}" if self.truncated else ""
        return f"Records[{shown}{more}{note}]"

    def __str__(self) -> str:
        from draive_pg.display import text

        return text.table(_names(self.kind), self._rows(), caption=self._count())

    def _repr_html_(self) -> str:
        from draive_pg.display import html

        return html.table(_names(self.kind), self._rows(), caption=self._count())

    def _count(self) -> str:
        if self.truncated:
            return f"first {len(self):,}, there are more"
        return f"{len(self):,} in all"

    def _rows(self) -> list[list[object]]:
        names = _names(self.kind)
        return [[getattr(record, name) for name in names] for record in self]


def _names(kind: type[Record]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.repr)


def _short(value: object) -> str:
    return str(value) if isinstance(value, datetime) else REPR.repr(value)


@dataclass(frozen=True, slots=True, repr=False)
class Revision(Record):
    """One revision of instructions.

    Attributes
    ----------
    name : str
        Name of the instructions.
    revision : int
        Number among the revisions of the name, from 1 in order of ``created``. Numbering restarts
        if all revisions of a name are removed.
    created : datetime
        Time of the write, in UTC; unique among the revisions of a name.
    content : str
        The template.
    description : str | None
        The declared description.
    arguments : sequence of mappings
        The declared arguments: ``name``, ``description``, ``required``.
    meta : Mapping[str, Any]
        The declared metadata.
    author, message : str | None
        Who wrote it, and why; None if not given.
    labels : tuple[str, ...]
        The labels that point to it now.
    current : bool
        True if it is the newest of its name.
    """

    name: str
    revision: int
    created: datetime
    content: str
    description: str | None
    arguments: Sequence[Mapping[str, Any]]
    meta: Mapping[str, Any]
    author: str | None
    message: str | None
    labels: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True, repr=False)
class Snapshot(Record):
    """One revision of a configuration.

    Attributes
    ----------
    identifier : str
        Identifier of the configuration.
    revision : int
        Number among the snapshots of the identifier, from 1 in order of ``created``. Numbering
        restarts if all snapshots of an identifier are removed.
    created : datetime
        Time of the write, in UTC; unique among the snapshots of an identifier.
    content : Mapping[str, Any]
        The JSON document.
    author, message : str | None
        Who wrote it, and why; None if not given.
    labels : tuple[str, ...]
        The labels that point to it now.
    current : bool
        True if it is the newest of its identifier.
    """

    identifier: str
    revision: int
    created: datetime
    content: Mapping[str, Any]
    author: str | None
    message: str | None
    labels: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True, repr=False)
class LabelMove(Record):
    """One move of a label.

    Attributes
    ----------
    name, label : str
        The name of the document, and the label.
    revision : int | None
        The number of the revision that the label was moved to; None if the label was removed, or
        the revision was removed since.
    revision_created : datetime | None
        When that revision was written, in UTC; None if the label was removed.
    moved : datetime
        When the label was moved, in UTC; different for all moves of a label.
    author, message : str | None
        Who moved it, and why; None if not given.
    """

    name: str
    label: str
    revision: int | None
    revision_created: datetime | None
    moved: datetime
    author: str | None
    message: str | None

    @property
    def created(self) -> datetime | None:
        """Deprecated: use ``revision_created``."""
        warn("LabelMove.created is deprecated; use revision_created", DeprecationWarning)
        return self.revision_created


@dataclass(frozen=True, slots=True, repr=False)
class Diff[R: Revision | Snapshot](Record):
    """The difference between two revisions.

    ``str`` is a unified diff, and a notebook shows both sides. It is true if they differ.

    Attributes
    ----------
    a, b : Revision | Snapshot
        The revisions before and after.
    """

    a: R
    b: R

    def __str__(self) -> str:
        from draive_pg.display import diff

        return diff.unified(self._titles(), self._parts())

    def __repr__(self) -> str:
        from draive_pg.display import diff

        added, removed = diff.count_lines(self._parts())
        change = f"+{added:,} -{removed:,} lines" if self else "no difference"
        name = f"{_name_of(self.a):.80}"
        return f"Diff({name}: revision {self.a.revision} -> {self.b.revision}, {change})"

    def _repr_html_(self) -> str:
        from draive_pg.display import diff

        return diff.side_by_side(self._titles(), self._parts())

    def __bool__(self) -> bool:
        return any(before != after for _, before, after in self._parts())

    def _titles(self) -> tuple[str, str]:
        return (_titled(self.a), _titled(self.b))

    def _parts(self) -> list[tuple[str, str, str]]:
        before, after = _parts_of(self.a), _parts_of(self.b)
        return [(part, before[part], after[part]) for part in before]


@dataclass(frozen=True, slots=True, repr=False)
class Release(Record):
    """The result of a release, including what was unchanged.

    Attributes
    ----------
    prompts : Records[Revision]
        The newest revisions of the released prompts, in the given order, with the labels that
        they had before.
    configurations : Records[Snapshot]
        The newest snapshots of the released configurations, in the given order.
    labels, configuration_labels : Records[LabelMove]
        The newest moves of the released labels, in the given order.
    """

    prompts: Records[Revision]
    configurations: Records[Snapshot]
    labels: Records[LabelMove]
    configuration_labels: Records[LabelMove]


@dataclass(frozen=True, slots=True, repr=False)
class FolderChange(Record):
    """A difference between a folder and the database.

    Attributes
    ----------
    name : str
        Name of the prompt or the configuration.
    change : str
        ``new in folder``, ``changed in folder``, ``removed from folder``, ``new in database``,
        ``changed in database``, ``removed from database``, or ``conflict``: both sides changed
        since the last push or pull.
    file : str
        Path of its file, relative to the folder.
    action : str | None
        The action of a push or a pull: ``write``, ``remove``, ``keep`` (it would be removed with
        ``delete=True``), ``nothing`` or ``conflict``. None in a status.
    """

    name: str
    change: str
    file: str
    action: str | None


@dataclass(frozen=True, slots=True, repr=False)
class FolderStatus(Record):
    """The differences between a folder and the database, and whether they were carried over.

    Attributes
    ----------
    folder : Path
        The folder.
    changes : Records[FolderChange]
        The differences, in order of the names.
    unchanged : int
        How many names are equal on both sides.
    done : bool
        True if a push or a pull carried out its actions; False in a status, after a dry run, and
        if there are conflicts.
    drift : bool
        Whether there are differences.
    conflicts : tuple[str, ...]
        Names that changed on both sides. Unless ``force`` is given, one of them stops a push or
        a pull before anything is written.
    """

    folder: Path
    changes: Records[FolderChange]
    unchanged: int
    done: bool

    def __str__(self) -> str:
        return str(self.changes)

    @property
    def drift(self) -> bool:
        return bool(self.changes)

    @property
    def conflicts(self) -> tuple[str, ...]:
        return tuple(
            each.name
            for each in self.changes
            if each.change == "conflict" and each.action in (None, "conflict")
        )


@dataclass(frozen=True, slots=True, repr=False)
class FileDiff(Record):
    """A file as the database would write it, and as it is; None if there is none."""

    name: str
    file: str
    database: str | None
    folder: str | None


@dataclass(frozen=True, slots=True, repr=False)
class FolderDiff(Record):
    """The differences of a folder by line: a unified diff, side by side in a notebook.

    It is true if anything differs.

    Attributes
    ----------
    files : Records[FileDiff]
        The files that differ, in order of the names.
    """

    files: Records[FileDiff]

    def __str__(self) -> str:
        from difflib import unified_diff

        return "\n".join(
            line
            for each in self.files
            for line in unified_diff(
                (each.database or "").split("\n")[:-1],
                (each.folder or "").split("\n")[:-1],
                f"database/{each.file}",
                f"folder/{each.file}",
                lineterm="",
            )
        )

    def _repr_html_(self) -> str:
        from draive_pg.display import diff

        parts = [(each.file, each.database or "", each.folder or "") for each in self.files]
        return diff.side_by_side(("database", "folder"), parts)

    def __bool__(self) -> bool:
        return bool(self.files)


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
    """

    identifier: str
    created: datetime | None
    first: datetime | None
    last: datetime | None
    elements: int
    variables: int
    bytes: int


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
    """

    path: Path
    memories: int
    elements: int
    variables: int
    unchanged: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class AppliedMigration(Record):
    """The state of one migration, which is a file of ``schema/``.

    Attributes
    ----------
    name : str
        Name of the file, without its suffix.
    state : str
        ``applied``, ``missing``, ``changed`` (applied with another text than this version has) or
        ``unknown`` (to this version).
    applied : datetime | None
        When it was applied; None if it was not.
    """

    name: str
    state: str
    applied: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class TableState(Record):
    """The state of one table.

    Attributes
    ----------
    name : str
        Name of the table.
    present : bool
        True if it exists.
    rows : int | None
        Number of rows as PostgreSQL estimates it; None before the first ANALYZE.
    bytes : int | None
        Size on disk, including indexes.
    rights : tuple of str
        The privileges of the role among SELECT, INSERT, UPDATE and DELETE.
    missing : tuple of str
        Missing columns, indexes and triggers.
    """

    name: str
    present: bool
    rows: int | None
    bytes: int | None
    rights: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Listener(Record):
    """A session that listens for changes.

    Attributes
    ----------
    pid : int
        Process ID on the server.
    role, application : str
        Role and ``application_name`` of the session.
    since : datetime
        When it connected.
    """

    pid: int
    role: str
    application: str
    since: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Diagnosis(Record):
    """The state of a database.

    Attributes
    ----------
    version : str
        Version of the server.
    database, role, schema : str
        Name of the database, the role and the schema; the schema is None if the search path has
        none.
    standby, read_only : bool
        True if the server is a standby, and if transactions of this role are read-only.
    bytes : int
        Size of the whole database.
    migrations, tables, listeners : Records
        The migrations, the tables, and the listening sessions that this role may see.
    problems : tuple of str
        The problems, each with what to do about it; empty if there are none.
    """

    version: str
    database: str
    role: str
    schema: str | None
    standby: bool
    read_only: bool
    bytes: int
    migrations: Records[AppliedMigration]
    tables: Records[TableState]
    listeners: Records[Listener]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class OperationEvent(Record):
    """One operation that has ended, as ``Client(on_operation=...)`` receives it.

    Attributes
    ----------
    name : str
        Action and subject: ``remember in memory 'm'``.
    seconds : float
        The time it took, also waiting for a connection and for other callers.
    round_trips : int
        Number of round trips to the server, without connecting; 0 if cached.
    rows : int
        The number of rows received; 0 if cached.
    cached : bool
        True if the value was in the cache, or another caller was just reading it.
    error : BaseException | None
        The exception that it raised; None if it succeeded.
    """

    name: str
    seconds: float
    round_trips: int = 0
    rows: int = 0
    cached: bool = False
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class TranscriptImage:
    """Inline data with an image type.

    Attributes
    ----------
    mime_type : str
        For example ``image/png``.
    data : str
        Base64.
    """

    mime_type: str
    data: str


@dataclass(frozen=True, slots=True)
class TranscriptPiece:
    """A block of an element, or a part of a block.

    Attributes
    ----------
    kind : str
        ``text``, ``reasoning``, ``request``, ``response``, ``resource``, ``reference``,
        ``artifact`` or ``raw`` (not in draive's format).
    label : str
        Name of the tool, type or address.
    text : str
        Its text, or its JSON.
    inner : tuple of TranscriptPiece
        Parts of reasoning and of tool responses.
    image : TranscriptImage | None
        The image of a resource.
    call : str
        Id of a tool call.
    meta : Mapping[str, Any]
        Its metadata.
    notes : tuple of str
        What is wrong with it.
    """

    kind: Literal[
        "text", "reasoning", "request", "response", "resource", "reference", "artifact", "raw"
    ]
    label: str = ""
    text: str = ""
    inner: tuple["TranscriptPiece", ...] = ()
    image: TranscriptImage | None = None
    call: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: tuple[str, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """The notes of the piece and of the pieces in it."""
        return self.notes + tuple(mark for piece in self.inner for mark in piece.marks)


@dataclass(frozen=True, slots=True)
class TranscriptEntry:
    """An element of a conversation.

    Attributes
    ----------
    position : int
        Index in the memory, from 0.
    created : datetime | None
        When it was written; None for a time that Python cannot represent.
    who : str
        ``user``, ``model``, ``tool`` or ``unknown``.
    pieces : tuple of TranscriptPiece
        Its blocks.
    meta : Mapping[str, Any]
        Its metadata.
    notes : tuple of str
        What is wrong with it.
    pause : timedelta | None
        Time since the element before, if it is at least an hour.
    """

    position: int
    created: datetime | None
    who: str
    pieces: tuple[TranscriptPiece, ...]
    meta: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    pause: timedelta | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        """The notes of the element and of its pieces."""
        return self.notes + tuple(mark for piece in self.pieces for mark in piece.marks)


@dataclass(frozen=True, slots=True, repr=False)
class Transcript:
    """A conversation to read: all that is stored, also what draive cannot decode.

    A notebook shows it as HTML, ``print`` as text, and `to_html` returns a complete page. Slices
    are transcripts.

    Attributes
    ----------
    identifier : str
        Identifier of the memory.
    exists : bool
        Whether there is such a memory.
    variables : object
        The newest snapshot of its variables: a dict, unless another JSON value is stored.
    elements : int
        Number of elements of the memory; ``entries`` may have fewer.
    entries : tuple of TranscriptEntry
        The elements, in order.
    """

    identifier: str
    exists: bool
    variables: Any
    elements: int
    entries: tuple[TranscriptEntry, ...]

    @property
    def marks(self) -> tuple[tuple[int, str], ...]:
        """What is wrong with the elements: position and note of each problem."""
        return tuple((entry.position, mark) for entry in self.entries for mark in entry.marks)

    @property
    def facts(self) -> tuple[str, ...]:
        """The number of elements, the time of the first one, and the duration."""
        from draive_pg.display import transcript_text

        return transcript_text.facts(self)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, part: slice) -> "Transcript":
        if not isinstance(part, slice):
            raise TypeError(f"a transcript is cut by slices, not by {type(part).__name__}")
        return replace(self, entries=self.entries[part])

    def to_html(self) -> str:
        """Return a complete HTML page with every element in full."""
        from draive_pg.display import transcript_html

        return transcript_html.page(self)

    def __repr__(self) -> str:
        number = f"{self.elements:,} element{'' if self.elements == 1 else 's'}"
        shown = f"{len(self):,} of " if len(self) < self.elements else ""
        return f"Transcript({self.identifier!r:.80}, {shown}{number})"

    def __str__(self) -> str:
        from draive_pg.display import transcript_text

        return "\n".join(transcript_text.lines(self))

    def _repr_html_(self) -> str:
        from draive_pg.display import transcript_html

        return transcript_html.bounded(self)


def _name_of(revision: Revision | Snapshot) -> str:
    return revision.name if isinstance(revision, Revision) else revision.identifier


def _titled(revision: Revision | Snapshot) -> str:
    return f"{_name_of(revision)} {revision.revision} ({revision.created:%Y-%m-%d %H:%M:%S})"


def _parts_of(revision: Revision | Snapshot) -> dict[str, str]:
    if isinstance(revision, Snapshot):
        return {"content": _indented(revision.content)}
    return {
        "content": revision.content,
        "description": revision.description or "",
        "arguments": _indented(revision.arguments),
        "meta": _indented(revision.meta),
    }


def _indented(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
