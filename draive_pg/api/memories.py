"""All conversational memories: `db.memories`."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any

from draive_pg.api._method import Namespace, method
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.frames.query import Filters, OneOrMany
from draive_pg.frames.search import SearchCriteria, search
from draive_pg.models import MemorySummary, Records, Removal, Transfer
from draive_pg.operations.conversations import (
    listing as memories,
)
from draive_pg.operations.conversations import (
    removal,
    search_index,
    transfer,
)
from draive_pg.operations.conversations import (
    write as memory,
)
from draive_pg.operations.conversations.listing import Order
from draive_pg.operations.operation import Operation, Workflow

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ("Memories",)


class Memories[D: Database | AsyncDatabase](Namespace[D]):
    """All conversational memories."""

    __slots__ = ()

    @method
    def identifiers(self) -> Operation[tuple[str, ...]]:
        """Return the identifiers of all memories, in order."""
        return memories.identifiers()

    @method
    def list(
        self,
        prefix: str | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        order: Order = "identifier",
        descending: bool = False,
        limit: int | None = 100,
        offset: int = 0,
    ) -> Operation[Records[MemorySummary]]:
        """Return a page of the memories, with how much each one holds and since when.

        Parameters
        ----------
        prefix : str | None
            What their identifiers begin with.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of when a memory was last written to; UTC unless they have
            an offset.
        order : str
            ``identifier``, ``created``, ``last``, ``elements`` or ``bytes``. By the last three,
            all memories are looked into, and not only those of the page.
        descending : bool
            Whether the largest comes first.
        limit, offset : int
            How many at most (None for all), and how many are skipped before.
        """
        return memories.list_(prefix, since, until, order, limit, offset, descending=descending)

    @method
    def count(
        self,
        prefix: str | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
    ) -> Operation[int]:
        """Return how many memories there are; the arguments are those of `list`."""
        return memories.count(prefix, since, until)

    @method
    def search(  # noqa: PLR0913
        self,
        text: str | None = None,
        *,
        identifier: OneOrMany | None = None,
        role: str | None = None,
        tool: OneOrMany | None = None,
        meta: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        error: bool | None = None,
        variables: Mapping[str, Any] | None = None,
        language: str = "simple",
        limit: int | None = 100,
    ) -> "Workflow[DataFrame]":
        """Find elements of which all that is given holds, the best first, else the newest.

        Parameters
        ----------
        text : str | None
            Words that were said, as web search engines take them: ``bike -rental "two of them"``,
            ``bike or scooter``. What is said is the text of user and model: neither that of tools
            nor reasoning nor artifacts. Of a text over 250 kB only the beginning is searched.
        identifier : str | Sequence[str] | None
            In which memories.
        role : str | None
            ``input`` or ``output``.
        tool : str | Sequence[str] | None
            A tool, or several, of which the element requests or holds a response of one.
        meta : Mapping[str, Any] | None
            What the element's meta contains.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of when it was written; UTC unless they have an offset.
        error : bool | None
            Whether it holds a tool response that is an error, or does not.
        variables : Mapping[str, Any] | None
            What the newest variables of its memory contain.
        language : str
            PostgreSQL's text search configuration: ``simple`` takes words as they are, while
            ``english`` and others find other forms of a word, too.
        limit : int | None
            The most rows; None for all.

        Returns
        -------
        DataFrame
            Columns: ``identifier``, ``position`` (as in `Memory.log`), ``created``, ``role``,
            ``excerpt`` (with the words that were found between ``**``; without ``text`` the
            beginning, and where nothing is said, of what tools were asked and answered) and
            ``rank`` (0 without ``text``).
        """
        filters: Filters = {
            "identifier": identifier,
            "since": since,
            "until": until,
            "limit": limit,
            "role": role,
            "tool": tool,
        }
        return search(SearchCriteria(text, language, meta, error, variables), filters)

    @method
    def index_search(self, *, language: str = "simple") -> Workflow[bool]:
        """Make the index that makes `search` for texts fast, and return whether it was missing.

        Nothing needs it. On a large table it takes long (about a minute for a million elements),
        so give the client a ``timeout`` that is long enough; nobody waits meanwhile, except on a
        partitioned table, where writers do. It can be repeated, and not in a transaction. It takes
        the owner of the tables. From then on each element that is written is indexed, too.

        Parameters
        ----------
        language : str
            That `search` is to be given; each has an index of its own.
        """
        return search_index.index_search(language, self._database.schema)

    @method
    def import_chat(
        self, identifier: str, messages: Iterable[Mapping[str, Any]], *, append: bool = False
    ) -> Operation[int]:
        """Write a log of OpenAI-style chat messages into a memory, all or nothing.

        Parameters
        ----------
        identifier : str
            Of the memory, which is made if it is new.
        messages : Iterable[Mapping[str, Any]]
            Messages of the roles system, developer, user, assistant and tool; the text of system
            messages becomes the variable ``system``.
        append : bool
            Write after what the memory holds; without it a memory that has elements is refused,
            so that importing twice does not write twice.

        Returns
        -------
        int
            How many elements were written. Consecutive tool messages make one element.

        Raises
        ------
        ChatInvalid
            If a message cannot be read; the error names it, and nothing is written.
        MemoryExists
            If the memory has elements, without ``append``.
        """
        return memory.import_chat(identifier, messages, append=append)

    @method
    def remove(self, identifier: str) -> Operation[bool]:
        """Remove a memory with all it holds, and return whether there was one."""
        return memory.remove(identifier)

    @method
    def export(
        self,
        path: str | PathLike[str],
        identifiers: str | Iterable[str] | None = None,
        *,
        prefix: str | None = None,
    ) -> Workflow[Transfer]:
        """Write whole memories to a file: variables, elements, and all their times.

        Parameters
        ----------
        path : str | PathLike
            Of the file: JSON Lines, a memory a line, and gzipped if its name ends in ``.gz``. It
            is replaced when all is written, and not before.
        identifiers : str | Iterable[str] | None
            Which memories; None for all.
        prefix : str | None
            What their identifiers begin with.

        Returns
        -------
        Transfer
            How much was written. Each memory is of one instant; the largest must fit in memory.

        Raises
        ------
        MemoryMissing
            If there is no memory of a given identifier; no file is written.
        """
        return transfer.export(path, identifiers, prefix)

    @method
    def import_file(self, path: str | PathLike[str]) -> Workflow[Transfer]:
        """Write the memories of a file that `export` wrote, in this or another database.

        Each memory is written whole or not at all, and one that is there already as it is in the
        file is left alone: importing twice adds nothing, and an import that was interrupted goes
        on where it was when it is called again.

        Returns
        -------
        Transfer
            How much was written now, and how many memories were there already.

        Raises
        ------
        ExportInvalid
            If a line cannot be read; the error names it, and what stands before is written.
        MemoryExists
            If memories exist with other content; all others are written.
        """
        return transfer.import_file(path)

    @method
    def prune(
        self,
        older_than: timedelta | Timestamp | None = None,
        *,
        keep: int | None = None,
        prefix: str | None = None,
        dry_run: bool = False,
    ) -> Workflow[Removal]:
        """Remove memories that nobody has written to for long, or all but so many.

        They go some at a time, so nobody else waits for long, and one that is written to meanwhile
        stays. If it is interrupted, what is removed by then is removed.

        Parameters
        ----------
        older_than : timedelta | datetime | date | str | None
            For how long they were not written to (by the server's clock), or since when.
        keep : int | None
            How many of those last written to stay, whatever their age.
        prefix : str | None
            What their identifiers begin with; no others are removed, or counted by ``keep``.
        dry_run : bool
            Remove nothing, and tell what would be removed.
        """
        return removal.prune(older_than, keep, prefix, dry_run=dry_run)

    @method
    def erase(
        self,
        identifiers: str | Iterable[str] | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
        dry_run: bool = True,
    ) -> Operation[Removal]:
        """Remove the memories of a person, all of them in one transaction or none.

        Whose a memory is can be told by its identifier, by any of its snapshots of variables, or
        by the meta of any of its elements. Memories of which all that is given holds are removed
        whole. Only ``dry_run=False`` removes anything: look at what it would be first.

        It does not reach what is said about the person in the memories of others, in prompts and
        configurations, files that were exported, backups, and logs of the server. The room that
        the rows took is written over when PostgreSQL vacuums the tables.

        Parameters
        ----------
        identifiers : str | Iterable[str] | None
            Of the memories.
        prefix : str | None
            What their identifiers begin with.
        variables, meta : Mapping[str, Any] | None
            What a snapshot of the variables, or the meta of an element, contains.
        dry_run : bool
            Remove nothing, and tell what would be removed.
        """
        return removal.erase(identifiers, prefix, variables, meta, dry_run=dry_run)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._database!r})"
