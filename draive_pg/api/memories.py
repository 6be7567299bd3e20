"""All conversational memories: `db.memories`."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal
from warnings import deprecated

from draive_pg.api._method import Namespace, method
from draive_pg.chat import Branches, ExportFormat, OnError
from draive_pg.codec.embedding import EmbeddingModel
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.errors import warn
from draive_pg.frames.query import Filters, OneOrMany, Role, Speaker
from draive_pg.frames.search import SearchCriteria, check_match, search, search_near
from draive_pg.models.conversations import (
    ChatExport,
    ChatImport,
    MemorySummary,
    Removal,
    TimeToLive,
    Transfer,
)
from draive_pg.models.record import Records
from draive_pg.operations.conversations import (
    listing,
    removal,
    search_index,
    transfer,
    write,
)
from draive_pg.operations.conversations import ttl as times_to_live
from draive_pg.operations.conversations.listing import Order
from draive_pg.operations.operation import Operation, Request, Workflow

if TYPE_CHECKING:
    from pandas import DataFrame


class Memories[D: Database | AsyncDatabase](Namespace[D]):
    """All conversational memories."""

    __slots__ = ()

    @method
    def identifiers(self) -> Operation[tuple[str, ...]]:
        """Return the identifiers of all memories, sorted.

        Examples
        --------
        >>> db.memories.identifiers()
        ('visit-1', 'visit-2')
        """
        return listing.identifiers()

    @method
    def list(  # noqa: PLR0913 - filters
        self,
        prefix: str | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        variables: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
        order: Order = "identifier",
        descending: bool = False,
        limit: int | None = 100,
        offset: int = 0,
    ) -> Request[Records[MemorySummary]]:
        """Return one page of memories, with how much each holds and when it was written.

        Parameters
        ----------
        prefix : str | None
            Beginning of the identifiers.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of the time of the last write; UTC unless they have an
            offset.
        variables : Mapping[str, Any] | None
            Part of the newest variables of the memory.
        meta : Mapping[str, Any] | None
            Part of the meta of any of its elements.
        order : str
            ``identifier``, ``created``, ``last``, ``elements`` or ``bytes``. The last two aggregate
            all memories, not only those of the page.
        descending : bool
            Largest first.
        limit : int | None
            Maximum number of memories; None for all. The result's ``truncated`` is True if there
            are more.
        offset : int
            Number of memories to skip.

        Returns
        -------
        Records[MemorySummary]
            One record per memory; ``to_df()`` makes a DataFrame of them.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid.

        Examples
        --------
        >>> db.memories.list("ada/", since="2026-11-01", order="last", descending=True)
        """
        return listing.list_(
            order,
            limit,
            offset,
            descending=descending,
            prefix=prefix,
            since=since,
            until=until,
            variables=variables,
            meta=meta,
        )

    @method
    def count(
        self,
        prefix: str | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        variables: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Operation[int]:
        """Count memories.

        Parameters
        ----------
        prefix : str | None
            Beginning of the identifiers.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of the time of the last write; UTC unless they have an
            offset.
        variables : Mapping[str, Any] | None
            Part of the newest variables of the memory.
        meta : Mapping[str, Any] | None
            Part of the meta of any of its elements.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid.

        Examples
        --------
        >>> db.memories.count("ada/", since="2026-11-01")
        3
        """
        return listing.count(
            prefix=prefix, since=since, until=until, variables=variables, meta=meta
        )

    @method
    def find(
        self,
        prefix: str | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        variables: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
        limit: int | None = 100,
    ) -> Request[tuple[str, ...]]:
        """Return the identifiers of memories, last written first.

        Unlike `list`, it does not read how much they hold; unlike `search`, it finds memories.

        Parameters
        ----------
        prefix : str | None
            Beginning of the identifiers.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of the time of the last write; UTC unless they have an
            offset.
        variables : Mapping[str, Any] | None
            Part of the newest variables of the memory.
        meta : Mapping[str, Any] | None
            Part of the meta of any of its elements.
        limit : int | None
            Maximum number of memories; None for all.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid.

        Examples
        --------
        >>> db.memories.find(variables={"user": "ada"}, limit=10)
        ('visit-7', 'visit-2')
        """
        return listing.find(
            limit, prefix=prefix, since=since, until=until, variables=variables, meta=meta
        )

    @method
    def search(  # noqa: PLR0913
        self,
        text: str | None = None,
        *,
        identifier: OneOrMany | None = None,
        prefix: str | None = None,
        role: Role | None = None,
        speaker: Speaker | None = None,
        tool: OneOrMany | None = None,
        meta: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        error: bool | None = None,
        variables: Mapping[str, Any] | None = None,
        match: Literal["words", "substring"] | None = None,
        language: str = "simple",
        near: str | None = None,
        model: EmbeddingModel | None = None,
        limit: int | None = 100,
    ) -> "Workflow[DataFrame]":
        """Find elements that match all given conditions, nearest, best match or newest first.

        Parameters
        ----------
        text : str | None
            Words in the syntax of web search engines: ``bike -rental "two of them"``,
            ``bike or scooter``. Searches the text of user and model, not that of tools, reasoning
            or artifacts. At most 5,000 words.
        identifier : str | Sequence[str] | None
            One or several memories.
        prefix : str | None
            Memories whose identifiers start with it.
        role : {"input", "output"} | None
            One of draive's roles.
        speaker : {"user", "assistant", "tool"} | None
            Who spoke; an input with a tool response is of a tool.
        tool : str | Sequence[str] | None
            One or several tools that the element requests or has a response of.
        meta : Mapping[str, Any] | None
            Part of the element's meta.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of ``created``; UTC unless they have an offset.
        error : bool | None
            True for elements with a tool response that is an error or begins like one, as in
            `Frames.tool_calls`; False for all others.
        variables : Mapping[str, Any] | None
            Part of the newest variables of the memory.
        match : {"words", "substring"} | None
            ``words`` finds whole words. ``substring`` finds words and phrases anywhere, also
            inside longer words; it supports ``-``, but not ``or``. None is ``substring`` for a
            text with a URL or with letters of Chinese, Japanese, Korean, Thai, Lao, Burmese or
            Khmer, which PostgreSQL does not split into words, else ``words``.
        language : str
            PostgreSQL text search configuration: ``simple`` compares words as they are,
            ``english`` and others also find other forms of a word. Only for ``words``, which
            search the beginning of a text over 250 kB.
        near : str | None
            Sort by nearness in meaning to this text, with the embeddings of `embed`; elements
            without are left out. Without other conditions and up to 1,000 rows, an index is used,
            which is approximate.
        model : EmbeddingModel | None
            The model of the embeddings, for ``near``.
        limit : int | None
            Maximum number of rows; None for all.

        Returns
        -------
        DataFrame
            ``attrs["truncated"]`` is True if the limit cut the result. With ``near``, there is also
            ``distance``, the cosine distance from 0 to 2 (float64). The columns:

            | column | dtype | content |
            |---|---|---|
            | identifier | str | identifier of the memory |
            | position | int64 | index of the element in its memory, from 0 |
            | created | datetime64[us, UTC] | when it was written |
            | role | str | `input` or `output` |
            | speaker | str | `user`, `assistant` or `tool` |
            | excerpt | str | its text around the words, each as `[[word]]`; else its start |
            | rank | float64 | how well the words match; 0 for substrings and without `text` |

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.
        OperationFailed
            If there are no embeddings of the model.

        Examples
        --------
        >>> found = db.memories.search('"red bike" -rental', role="input")
        >>> found.attrs["truncated"]
        """
        filters: Filters = {
            "identifier": identifier,
            "prefix": prefix,
            "variables": variables,
            "since": since,
            "until": until,
            "limit": limit,
            "role": role,
            "speaker": speaker,
            "tool": tool,
        }
        criteria = SearchCriteria(text, match, language, meta, error)
        if near is not None:
            return search_near(near, model, criteria, filters, self._database.schema)
        if model is not None:
            raise ValueError("model is for near, the text to compare with")
        return search(criteria, filters)

    @method
    def embed(
        self,
        model: EmbeddingModel,
        *,
        identifier: OneOrMany | None = None,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        batch: int = 100,
        progress: bool | None = None,
    ) -> Workflow[int]:
        """Compute and store the missing embeddings of elements, for ``search(near=…)``.

        It needs the extension pgvector 0.8 or newer. The first call creates the extension, the
        table ``draive_pg_embeddings`` (of draive 0.100 and newer ``draive_pg_turn_embeddings``)
        and triggers, as the owner of the tables of draive. Equal texts are embedded once per 5,000
        texts. Each batch is stored at once, so an interrupted call can be repeated. The triggers
        remove an embedding when its text is removed, edited or erased in its memory, whoever does
        that. `Memory.rename` removes those of the memory.

        Parameters
        ----------
        model : EmbeddingModel
            The model, which is called with batches of texts of users and assistants.
        identifier : str | Sequence[str] | None
            Only of these memories.
        prefix : str | None
            Only of memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only of memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of ``created``; UTC unless they have an offset.
        batch : int
            Maximum number of texts per call of the model.
        progress : bool | None
            Show a progress bar; by default in a terminal or notebook.

        Returns
        -------
        int
            Number of texts whose embeddings were computed.

        Raises
        ------
        TypeError, ValueError
            For an invalid argument, or if the model does not return one vector per text, of the
            length of its stored ones.
        OperationFailed
            If the server does not have pgvector.

        Examples
        --------
        >>> model = EmbeddingModel("all-MiniLM-L6-v2", transformer.encode)
        >>> db.memories.embed(model)
        20118
        >>> db.memories.search(near="the parcel never arrived", model=model, limit=10)
        """
        from draive_pg.operations.conversations import embeddings

        return embeddings.embed(
            model,
            self._database.schema,
            identifier=identifier,
            prefix=prefix,
            variables=variables,
            since=since,
            until=until,
            batch=batch,
            wanted=progress,
        )

    @method
    def create_search_index(
        self, *, match: Literal["words", "substring"] = "words", language: str = "simple"
    ) -> Workflow[bool]:
        """Create the GIN index that makes `search` for text fast.

        Search works without it. Creating it takes about a minute per million elements, so give the
        client a sufficient ``timeout``. Writers are not blocked, except on a partitioned table. It
        needs the owner of the tables, cannot run in a transaction, and can be repeated.

        Parameters
        ----------
        match : {"words", "substring"}
            The ``match`` of `search`; each has its own index. The one for ``substring`` needs the
            extension pg_trgm, which is created if the server has it, and speeds up searches for
            words of three or more letters.
        language : str
            The ``language`` of `search`; each has its own index for words.

        Returns
        -------
        bool
            True if the index was missing.

        Raises
        ------
        TypeError, ValueError
            If the language is no valid name, or for an unknown ``match``.
        OperationFailed
            If the server does not have pg_trgm, or the role lacks a privilege.

        Examples
        --------
        >>> db.memories.create_search_index(language="english")
        True
        """
        if check_match(match) == "substring":
            return search_index.create_substring_index(self._database.schema)
        return search_index.create_search_index(language, self._database.schema)

    @method
    def index_search(self, *, language: str = "simple") -> Workflow[bool]:
        """Create the search index; deprecated name of `create_search_index`."""
        warn("index_search() is deprecated, use create_search_index()", DeprecationWarning)
        return search_index.create_search_index(language, self._database.schema)

    @method
    def import_chat(
        self, identifier: str, messages: Iterable[Mapping[str, Any]], *, append: bool = False
    ) -> Workflow[int]:
        """Import a log of OpenAI-style chat messages into a memory, all or nothing.

        For files, other formats and several conversations there is `import_chats`.

        Parameters
        ----------
        identifier : str
            Identifier of the memory, which is created if it does not exist.
        messages : Iterable[Mapping[str, Any]]
            Messages of the roles system, developer, user, assistant and tool, or of another format
            of chat logs. The text of system messages becomes the variable ``system``, and times of
            messages become those of the elements. Tables of draive 0.100 and newer have no
            variables, so it is left out there, with a `StoredDataSkipped` warning.
        append : bool
            Append to a memory that has elements; otherwise it is refused, so that importing twice
            does not write twice.

        Returns
        -------
        int
            Number of elements written; consecutive tool messages make one element.

        Raises
        ------
        ChatInvalid
            If a message is invalid; the error names it, and nothing is written.
        MemoryExists
            If the memory has elements, without ``append``.

        Examples
        --------
        >>> db.memories.import_chat("visit-1", [{"role": "user", "content": "Hello"}])
        1
        """
        from draive_pg.operations.conversations import import_chats

        return import_chats.import_chat(identifier, messages, append=append)

    @method
    def import_chats(  # noqa: PLR0913 - options
        self,
        source: Any,
        *,
        identifier: str | None = None,
        prefix: str = "",
        variables: Iterable[str] | None = None,
        meta: Iterable[str] | None = None,
        branches: Branches = "active",
        on_error: OnError = "refuse",
        append: bool = False,
        dry_run: bool = False,
    ) -> Workflow[ChatImport]:
        """Import chat logs of other tools: one memory per conversation.

        The format is detected; ``draive-pg import formats`` lists them. Each conversation is
        written completely or not at all. Importing again adds only what is new: a conversation that
        has grown gets its new messages, and one with other messages is refused.

        Times of messages become those of the elements, in the order of the log; without any, it is
        the time of the import. What is known about a conversation (title, model, metadata) becomes
        its variables, and other fields of messages their meta. The record lists what is nested, and
        therefore not read, and variables, for which tables of draive 0.100 and newer have no place.

        Parameters
        ----------
        source : str | PathLike | bytes | IO[bytes] | DataFrame | Iterable[Mapping]
            File or folder, ``-`` for standard input, several paths, the content of a file, rows, or
            documents. Files are JSON, JSON Lines, CSV or Parquet, also compressed (gzip, zstd, xz,
            bzip2) and in ZIP archives.
        identifier : str | None
            Field with the identifier of a conversation; None for the usual ones (``id``,
            ``conversation_id``, ``session_id``, ...). Without one, the name of the file and the
            content identify a conversation.
        prefix : str
            Prefix of the identifiers of the memories.
        variables : Iterable[str] | None
            Fields of conversations that become variables; None for all that are not nested.
        meta : Iterable[str] | None
            Fields of messages that become meta; None for all.
        branches : {"active", "all"}
            Import the active branch of a conversation that was edited, or each as its own.
        on_error : {"refuse", "skip", "repair"}
            Refuse a conversation with a malformed message, leave the message out, or keep what can
            be kept of it: the text of malformed tool arguments, results without their calls,
            replacements for characters that PostgreSQL cannot store.
        append : bool
            Append to memories that have elements, without a comparison.
        dry_run : bool
            Check everything, write nothing.

        Returns
        -------
        ChatImport
            What was imported, refused, repaired and ignored.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid.

        Examples
        --------
        >>> db.memories.import_chats("export.zip", prefix="ada/")
        >>> db.memories.import_chats(frame, on_error="repair").refused
        """
        from draive_pg.operations.conversations import import_chats

        rules = import_chats.rules(
            identifier, prefix, variables, meta, branches, on_error, append=append
        )
        return import_chats.import_chats(source, rules, dry_run=dry_run)

    @method
    def export_chats(
        self,
        path: str | PathLike[str],
        identifiers: str | Iterable[str] | None = None,
        *,
        prefix: str | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        format: ExportFormat = "openai",  # noqa: A002
        metadata: bool = False,
        only_valid: bool = False,
    ) -> Workflow[ChatExport]:
        """Write conversations as a chat log, such as a file for fine-tuning.

        The system message is the variable ``system``, where `import_chats` keeps it, and the tools
        are the variable ``tools``. Names of tools and participants get ``_`` in place of characters
        that model APIs refuse.

        Parameters
        ----------
        path : str | PathLike
            JSON Lines file, one conversation per line, gzipped if the name ends in ``.gz``. It
            appears, or is replaced, when it is complete.
        identifiers : str | Iterable[str] | None
            One or several memories; None for all.
        prefix : str | None
            Beginning of the identifiers.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of the time of the last write; UTC unless they have an
            offset.
        format : {"openai", "anthropic", "sharegpt", "responses"}
            OpenAI chat messages, Anthropic messages, ShareGPT, or items of the Responses API.
        metadata : bool
            Write identifiers, times, variables, reasoning and meta as well, so that an import of
            the file makes the same memories if ``ignored`` is empty; and annotations, each with the
            index of its message. Fine-tuning tools may refuse such fields.
        only_valid : bool
            Leave out conversations that the API of a model would refuse, and messages after the
            last answer, which files for fine-tuning may not have.

        Returns
        -------
        ChatExport
            What was written, and what could not be represented.

        Raises
        ------
        MemoryMissing
            If a given memory does not exist; no file is written.
        TypeError, ValueError
            If an argument is invalid.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> db.memories.export_chats("tuning.jsonl", prefix="ada/", only_valid=True)
        """
        from draive_pg.operations.conversations import export_chats

        selection = transfer.select(identifiers, prefix, since, until)
        rules = export_chats.Rules(format, metadata, only_valid)
        return export_chats.export_chats(path, selection, rules)

    @method
    def remove(self, identifier: str) -> Operation[bool]:
        """Remove a memory with its elements and variables.

        Parameters
        ----------
        identifier : str
            Identifier of the memory.

        Returns
        -------
        bool
            True if it existed.

        Examples
        --------
        >>> db.memories.remove("visit-1")
        True
        """
        return write.remove(identifier)

    @method
    def export_memories(
        self,
        path: str | PathLike[str],
        identifiers: str | Iterable[str] | None = None,
        *,
        prefix: str | None = None,
    ) -> Workflow[Transfer]:
        """Write whole memories to a file: elements, variables and annotations with their times.

        Each memory is of one database snapshot; the largest must fit in memory.

        Parameters
        ----------
        path : str | PathLike
            JSON Lines file, one memory per line, gzipped if the name ends in ``.gz``. It appears,
            or is replaced, when it is complete.
        identifiers : str | Iterable[str] | None
            One or several memories; None for all.
        prefix : str | None
            Beginning of the identifiers.

        Returns
        -------
        Transfer
            What was written.

        Raises
        ------
        MemoryMissing
            If a given memory does not exist; no file is written.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> db.memories.export_memories("ada.jsonl.gz", prefix="ada/")
        """
        return transfer.export(path, transfer.select(identifiers, prefix))

    @method
    def report(
        self,
        path: str | PathLike[str],
        prefix: str | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        order: Order = "identifier",
        descending: bool = False,
        limit: int | None = 1000,
        title: str = "Conversations",
    ) -> Workflow[Transfer]:
        """Write conversations to one web page, to read and search them in a browser.

        The page needs no other file, makes no request, and shows everything that `Memory.show`
        does. It is written one memory at a time; the largest must fit in memory.

        Parameters
        ----------
        path : str | PathLike
            File whose name ends in ``.html``. It appears, or is replaced, when it is complete.
        prefix : str | None
            Beginning of the identifiers.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of the time of the last write; UTC unless they have an
            offset.
        order : str
            ``identifier``, ``created``, ``last``, ``elements`` or ``bytes``.
        descending : bool
            Largest first.
        limit : int | None
            Maximum number of memories; None for all. The page says if there are more. A browser
            opens about 1,000 quickly.
        title : str
            Title of the page.

        Returns
        -------
        Transfer
            What was written; of variables, only the newest snapshot of each memory is.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> db.memories.report("week.html", since="2026-11-01", order="last", descending=True)
        """
        from draive_pg.operations.conversations.report import report

        return report(path, prefix, since, until, order, limit, descending=descending, title=title)

    @method
    def import_memories(self, path: str | PathLike[str]) -> Workflow[Transfer]:
        """Import the memories of a file that `export_memories` wrote, in this or another database.

        Each memory is written completely or not at all, and one that exists with the same content
        is skipped: importing twice adds nothing, and an interrupted import can be repeated.

        Parameters
        ----------
        path : str | PathLike
            The file.

        Returns
        -------
        Transfer
            What was written, how many memories existed already, and what was left out: tables of
            draive 0.100 and newer have no variables, and no memories without elements.

        Raises
        ------
        ExportInvalid
            If a line is invalid; the error names it, and the lines before it are imported.
        MemoryExists
            If memories exist with other content; all others are imported.
        OSError
            If the file cannot be read.

        Examples
        --------
        >>> db.memories.import_memories("ada.jsonl.gz")
        """
        return transfer.import_file(path)

    @method
    @deprecated("db.memories.export() is deprecated: write export_memories()", stacklevel=2)
    def export(
        self,
        path: str | PathLike[str],
        identifiers: str | Iterable[str] | None = None,
        *,
        prefix: str | None = None,
    ) -> Workflow[Transfer]:
        """Write whole memories to a file; deprecated name of `export_memories`."""
        return transfer.export(path, transfer.select(identifiers, prefix))

    @method
    @deprecated("db.memories.import_file() is deprecated: write import_memories()", stacklevel=2)
    def import_file(self, path: str | PathLike[str]) -> Workflow[Transfer]:
        """Import a file of memories; deprecated name of `import_memories`."""
        return transfer.import_file(path)

    @method
    def prune(
        self,
        older_than: timedelta | Timestamp | None = None,
        *,
        keep: int | None = None,
        prefix: str | None = None,
        expired: bool = False,
        dry_run: bool | None = None,
    ) -> Workflow[Removal]:
        """Remove memories that were not written to for some time, or all but the newest.

        With several conditions, those are removed for which all hold.

        They are removed in batches, so that other writers do not wait for long; a memory that is
        written to meanwhile is kept, and so is one whose last write has an infinite time. After an
        interruption, what was removed stays removed.

        Parameters
        ----------
        older_than : timedelta | datetime | date | str | None
            Age of the last write by the server's clock, or a time that it is before.
        keep : int | None
            Number of most recently written memories to keep, whatever their age.
        prefix : str | None
            Beginning of the identifiers; other memories are neither removed nor counted.
        expired : bool
            Remove only memories that have outlived the time to live that `set_ttl` gave them.
        dry_run : bool | None
            Only ``dry_run=False`` removes anything. None is True, with a DeprecationWarning: until
            version 0.1 it was False.

        Returns
        -------
        Removal
            What was removed, or would be.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid, or none of ``older_than``, ``keep`` and ``expired`` is given.

        Examples
        --------
        >>> db.memories.prune(timedelta(days=90), dry_run=True).identifiers
        >>> db.memories.prune(timedelta(days=90), dry_run=False)
        """
        request = removal.prune(
            older_than, keep, prefix, expired=expired, dry_run=dry_run is not False
        )
        if dry_run is None:
            warn(
                "prune() without dry_run now removes nothing; write dry_run=False to remove",
                DeprecationWarning,
            )
        return request

    @method
    def set_ttl(
        self,
        ttl: timedelta | None,
        *,
        identifier: str | None = None,
        prefix: str | None = None,
    ) -> Operation[None]:
        """Set the time to live of a memory, or of all with a prefix.

        It begins with the last write. ``prune(expired=True)`` removes what has outlived it. A
        memory's own time to live has precedence, then that of the longest prefix. It belongs to the
        identifier: a renamed memory has that of its new one.

        Parameters
        ----------
        ttl : timedelta | None
            The time to live; None removes it.
        identifier : str | None
            The memory, which need not exist.
        prefix : str | None
            The beginning of the identifiers; ``""`` for all memories.

        Raises
        ------
        TypeError, ValueError
            If the time to live is not positive, or not one of ``identifier`` and ``prefix`` is
            given.

        Examples
        --------
        >>> db.memories.set_ttl(timedelta(days=1), prefix="anonymous/")
        >>> db.memories.prune(expired=True, dry_run=False)
        """
        return times_to_live.set_ttl(ttl, identifier, prefix)

    @method
    def ttls(self) -> Operation[Records[TimeToLive]]:
        """Return the times to live: those of single memories, then those of prefixes.

        Returns
        -------
        Records of TimeToLive
            Sorted by name.

        Examples
        --------
        >>> db.memories.ttls().to_df()
        """
        return times_to_live.ttls()

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
        """Remove the memories of a person, in one transaction.

        Memories that match all given conditions are removed whole. What others' memories, prompts,
        configurations, exported files, backups and server logs say about the person stays, and
        PostgreSQL reuses the space of the rows only after a vacuum.

        Parameters
        ----------
        identifiers : str | Iterable[str] | None
            One or several memories.
        prefix : str | None
            Beginning of the identifiers.
        variables : Mapping[str, Any] | None
            Part of any snapshot of the variables.
        meta : Mapping[str, Any] | None
            Part of the meta of any element.
        dry_run : bool
            Remove nothing, only return what would be removed.

        Returns
        -------
        Removal
            What was removed, or would be.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid or empty, or none is given.

        Examples
        --------
        >>> db.memories.erase(variables={"user": "ada"}).identifiers
        >>> db.memories.erase(variables={"user": "ada"}, dry_run=False)
        """
        return removal.erase(identifiers, prefix, variables, meta, dry_run=dry_run)
