"""What is found out about a database, as its users get it."""

from dataclasses import dataclass
from datetime import datetime

from draive_pg.records import Record, Records

__all__ = ("AppliedMigration", "Diagnosis", "Listener", "TableState")


@dataclass(frozen=True, slots=True, repr=False)
class AppliedMigration(Record):
    """Whether one file of ``schema/`` is applied.

    Attributes
    ----------
    name : str
        Its name.
    state : str
        ``applied``, ``missing``, ``changed`` (applied with another text than this version has) or
        ``unknown`` (to this version).
    applied : datetime | None
        When, if it was.
    """

    name: str
    state: str
    applied: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class TableState(Record):
    """What there is of one table.

    Attributes
    ----------
    name : str
        Its name.
    present : bool
        Whether it is there.
    rows : int | None
        PostgreSQL's estimate; None before the table was analysed for the first time.
    bytes : int | None
        On disk, with its indexes; exact.
    rights : tuple of str
        Which of SELECT, INSERT, UPDATE and DELETE the role has.
    missing : tuple of str
        Columns, indexes and triggers that should be there.
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
        Its process on the server.
    role, application : str
        Who it is.
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
        Of the server.
    database, role, schema : str
        Where it was looked, and as whom; the schema is None where the search path has none.
    standby, read_only : bool
        Whether it is a standby, and whether this role's transactions may write nothing.
    bytes : int
        The size of the whole database.
    migrations, tables, listeners : Records
        What is applied, what is there, and who hears of changes as far as this role may see it.
    problems : tuple of str
        What is wrong, each with what to do about it; empty where all is well.
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
