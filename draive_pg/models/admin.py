"""Records of the state of a database, and of operations on it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from draive_pg.models.record import Record, Records


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


class AppliedMigrations(tuple[str, ...]):
    """The names of the migrations that `setup` applied; as text, how many.

    Examples
    --------
    >>> print(db.setup())
    The tables are up to date; 20 migrations were applied: 000_migrations to 026_time_to_live.
    """

    __slots__ = ()

    def __str__(self) -> str:
        if not self:
            return "The tables are up to date."
        from draive_pg.display.text import plural

        last = f" to {self[-1]}" if self[1:] else ""
        were = "were" if self[1:] else "was"
        applied = f"{plural(len(self), 'migration')} {were} applied: {self[0]}{last}"
        return f"The tables are up to date; {applied}."

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002, FBT001 - of IPython
        printer.text(str(self))


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
class ViewState(Record):
    """The state of one view of a frame.

    Attributes
    ----------
    schema, name : str
        Its schema, and the name of the frame.
    state : str
        ``current``, ``stale`` (with other columns than those of the frame) or ``missing`` (while
        the schema has other views).
    """

    schema: str
    name: str
    state: str


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
    draive : str | None
        The line of draive's releases that the conversations are of, by its newest tested release;
        None if there are conversations of several and none is chosen.
    standby, read_only : bool
        True if the server is a standby, and if transactions of this role are read-only.
    bytes : int
        Size of the whole database.
    migrations, tables, views, listeners : Records
        The migrations, the tables, the views that `Frames.create_views` created of them, and the
        listening sessions that this role may see.
    problems : tuple of str
        The problems, each with what to do about it; empty if there are none.
    """

    _first = ("problems",)

    version: str
    database: str
    role: str
    schema: str | None
    draive: str | None
    standby: bool
    read_only: bool
    bytes: int
    migrations: Records[AppliedMigration]
    tables: Records[TableState]
    views: Records[ViewState]
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
    stale : bool
        True if the cached value had expired or may have changed, and was used because the server
        does not answer.
    """

    name: str
    seconds: float
    round_trips: int = 0
    rows: int = 0
    cached: bool = False
    error: BaseException | None = None
    stale: bool = False
