"""`Client` and `AsyncClient`; the namespaces they share are in `api`."""

from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from draive_pg.api._method import Namespace, method
from draive_pg.api.analysis import Analysis
from draive_pg.api.annotations import Annotations
from draive_pg.api.configurations import Configurations
from draive_pg.api.frames import Frames
from draive_pg.api.instructions import Instructions
from draive_pg.api.memories import Memories
from draive_pg.api.memory import Memory
from draive_pg.api.templates import Templates
from draive_pg.codec.validation import check_size, check_text, check_timeout
from draive_pg.database import AsyncDatabase, Database
from draive_pg.database.cache import Cache
from draive_pg.database.endpoint import endpoint_of, schema_of
from draive_pg.database.errors import short_argument_errors, short_tracebacks
from draive_pg.database.external_pool import external_endpoint
from draive_pg.database.replica import diagnose_replica, replica_of
from draive_pg.frames import views
from draive_pg.lines.line import chosen_line
from draive_pg.models.admin import AppliedMigrations, Diagnosis, OperationEvent
from draive_pg.models.changes import Change
from draive_pg.models.conversion import Conversion
from draive_pg.models.documents import Release, Revision, Snapshot, TemplateRevision
from draive_pg.operations.admin import migrations
from draive_pg.operations.documents import load, promotion
from draive_pg.operations.documents import release as releases
from draive_pg.operations.documents.instruction_reference import InstructionsReference
from draive_pg.operations.documents.kind import KINDS, TemplateReference
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.release import LabelTargets
from draive_pg.operations.operation import Request, Workflow
from draive_pg.operations.sql import sql

if TYPE_CHECKING:
    from draive import Configuration
    from pandas import DataFrame
    from psycopg import AsyncConnection, Connection


ALL: Mapping[str, None] = dict.fromkeys(promotion.NAMED)


class BaseClient[D: Database | AsyncDatabase](Namespace[D]):
    """Everything that both clients share.

    Attributes
    ----------
    configurations, instructions, templates, memories, frames, analysis, annotations
        The namespaces, by subject.
    """

    _database_type: type[D]

    def __init__(  # noqa: PLR0913 - each is an argument of the clients
        self,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        draive: str | None = None,
        cache_limit: int = 32,
        cache_expiration: float = 600.0,
        stale_if_error: float = 3600.0,
        max_size: int = 4,
        live: bool = False,
        timeout: float | None = 300.0,
        on_operation: Callable[[OperationEvent], object] | None = None,
        pool: object | None = None,
        prepare: bool | None = None,
        replica: str | None = None,
    ) -> None:
        with short_argument_errors:  # also removes frames whose variables contain the DSN
            if pool is None:
                endpoint = endpoint_of(dsn)
            elif dsn is not None or live or prepare or replica is not None:
                raise ValueError(
                    "pool excludes a dsn, and live=True, prepare=True and replica, which need a dsn"
                )
            else:
                endpoint = external_endpoint(
                    pool, asynchronous=self._database_type is AsyncDatabase
                )
                if endpoint.single:
                    cache_limit = 0  # it may be in a transaction that is rolled back
            database = self._database_type(
                endpoint,
                Cache(cache_limit, cache_expiration, stale_if_error),
                schema=schema_of(schema),
                line=chosen_line(draive),
                max_size=check_size(max_size, "max_size"),
                live=live,
                timeout=check_timeout(timeout),
                on_operation=on_operation,
                prepare=None if prepare is None else bool(prepare),
                replica=None if replica is None else replica_of(check_text(replica, "replica")),
            )
        super().__init__(database)
        self.configurations: Configurations[D] = Configurations(database)
        self.instructions: Instructions[D] = Instructions(database)
        self.templates: Templates[D] = Templates(database)
        self.memories: Memories[D] = Memories(database)
        self.frames: Frames[D] = Frames(database)
        self.analysis: Analysis[D] = Analysis(database)
        self.annotations: Annotations[D] = Annotations(database)

    def memory(self, identifier: str, recall_limit: int | None = None) -> Memory[D]:
        """Return the memory of an identifier, which need not exist yet; no I/O.

        Parameters
        ----------
        identifier : str
            The memory.
        recall_limit : int | None
            How many of the newest elements its `recall` considers; None: all.
        """
        return Memory(self._database, identifier, recall_limit)

    @method
    def setup(self) -> Workflow[AppliedMigrations]:
        """Create or upgrade the tables, and return the names of the migrations applied now.

        These are the tables of one line of draive's releases, and those of draive_pg: of the line
        ``draive=``, else of that of the existing tables; in an empty database, of the line of the
        installed draive, or 0.89 without one. It can be repeated, and run by many processes at
        once. Tables that draive created are adopted. If nothing is missing, no privilege to create
        tables is needed. Writers wait while an index is created on a large table.

        Returns
        -------
        AppliedMigrations
            A tuple of ``001_configurations`` and so on; empty if the tables were up to date.

        Raises
        ------
        PermissionDenied
            If something is missing and the role may not create it.
        SchemaInvalid
            If the text of an applied migration differs from that of this version, or another
            table or view has the name of one of the tables.

        Examples
        --------
        >>> print(db.setup())
        The tables are up to date.
        """
        return migrations.setup(self._database.schema, self._database.line)

    @method
    def diagnose(self) -> Workflow[Diagnosis]:
        """Inspect the server, the tables and the migrations; change nothing.

        Returns
        -------
        Diagnosis
            The server, the tables with their sizes and the role's privileges, the migrations, the
            views and the listeners. ``problems`` says what to do; it is empty if all is well, also
            with the replica.

        Examples
        --------
        >>> db.diagnose().problems
        ()
        """
        from draive_pg.operations.admin.doctor import diagnose

        return diagnose(self._database.schema, views.find, self._database.line, diagnose_replica())

    @method
    def sql(
        self,
        query: str,
        parameters: Sequence[object] | Mapping[str, object] | None = None,
    ) -> "Request[DataFrame]":
        """Return the result of a query as a DataFrame.

        The query cannot change anything: it runs in a read-only transaction. In a `transaction`
        it sees what that wrote. ``timeout`` limits it.

        Parameters
        ----------
        query : str
            One SELECT, VALUES or WITH query.
        parameters : Sequence[object] | Mapping[str, object] | None
            Values for ``%s`` or ``%(name)s`` in it, as in psycopg; then a percent sign is ``%%``.

        Returns
        -------
        DataFrame
            Integers are int64, or Int64 with missing values; bool likewise; floats are float64,
            texts str, times datetime64 in UTC. Other types are Python objects: JSON as dicts and
            lists, numeric as Decimal.

        Raises
        ------
        TypeError, ValueError
            For an argument of a wrong type or value.
        OperationFailed
            If PostgreSQL refuses the query.

        Examples
        --------
        >>> db.sql("SELECT count(*) FROM memories WHERE identifier LIKE %s", ["support-%"])
           count
        0     16
        """
        from draive_pg.frames.query_result import data_frame

        return sql(query, parameters, data_frame)

    @method
    def preload(self, label: str | None = None) -> Request[int]:
        """Load all prompts and configurations into the cache, in one round trip.

        The cache grows to hold them. A service that does so at its start has all of them also if an
        outage follows.

        Parameters
        ----------
        label : str | None
            Load the revisions with this label, for calls with ``label=``; None: the newest ones.

        Returns
        -------
        int
            How many were loaded.

        Examples
        --------
        >>> db.preload("production")
        60
        """
        return load.preload(KINDS, label)

    @method
    def release(  # noqa: PLR0913 - three kinds of documents with their labels
        self,
        *,
        prompts: Mapping[str, str] | Mapping[InstructionsReference, str] | None = None,
        templates: Mapping[str, str] | Mapping[TemplateReference, str] | None = None,
        configurations: "Mapping[str, Configuration | Mapping[str, Any]] | None" = None,
        labels: LabelTargets[Revision] | None = None,
        template_labels: LabelTargets[TemplateRevision] | None = None,
        configuration_labels: LabelTargets[Snapshot] | None = None,
        message: str | None = None,
        author: str | None = None,
        expected: Mapping[str, Expected[Revision]] | None = None,
        expected_templates: Mapping[str, Expected[TemplateRevision]] | None = None,
        expected_configurations: Mapping[str, Expected[Snapshot]] | None = None,
    ) -> Workflow[Release]:
        """Define prompts, templates and configurations and move labels, in one transaction.

        Concurrent releases of the same documents wait for each other, and cannot deadlock.

        Parameters
        ----------
        prompts : Mapping[str | Instructions | InstructionsDeclaration, str]
            Their new contents, as `instructions.define` takes them.
        templates : Mapping[str | TemplateDeclaration, str]
            Their new contents, as `templates.define` takes them.
        configurations : Mapping[str, Configuration | Mapping]
            Their new documents by identifier.
        labels : Mapping[str, Iterable[str] | Mapping[str, int | str | datetime | Revision | None]]
            For each label, the names of prompts, to whose newest revisions it is moved, those of
            this release included; or a mapping of names to revisions.
        template_labels, configuration_labels : Mapping[str, Iterable[str] | Mapping[str, ...]]
            The same for templates and configurations.
        message, author : str | None
            Kept with each new revision and each move of a label.
        expected : Mapping[str, int | Revision | None]
            For each released prompt, the revision that must be the newest; 0 for none. If only
            labels of the prompt are moved, the revision that they must be on.
        expected_templates, expected_configurations : Mapping[str, int | ... | None]
            The same for templates and configurations, by identifier.

        Returns
        -------
        Release
            The newest revisions, snapshots and moves of what was released. Unchanged ones are
            included, but were not written again.

        Raises
        ------
        RevisionConflict
            If an expected revision is not the newest; nothing is released.
        RevisionMissing, DocumentMissing
            If a revision to label does not exist; nothing is released.
        """
        return releases.release(
            prompts=prompts,
            templates=templates,
            configurations=configurations,
            labels=labels,
            template_labels=template_labels,
            configuration_labels=configuration_labels,
            message=message,
            author=author,
            expected=expected,
            expected_templates=expected_templates,
            expected_configurations=expected_configurations,
        )

    @method
    def promote(
        self,
        source_label: str,
        target_label: str,
        names: Mapping[str, Iterable[str] | None] | None = None,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Mapping[str, Mapping[str, int]] | None = None,
    ) -> Workflow[Release]:
        """Move a label to where another label is, for all kinds of documents in one transaction.

        Parameters
        ----------
        source_label : str
            The label whose revisions are promoted.
        target_label : str
            The label to move.
        names : Mapping[str, Iterable[str] | None] | None
            The names of ``"prompts"``, ``"templates"`` and ``"configurations"``; None for those
            that have the source label. A kind that is not in the mapping is not promoted.
        message, author : str | None
            Why it is moved, and by whom.
        expected : Mapping[str, Mapping[str, int]] | None
            By kind and name, the number of the revision that the target label must be on; 0: none.

        Returns
        -------
        Release
            The newest moves of the target label.

        Raises
        ------
        RevisionMissing, DocumentMissing
            If one of the names lacks the source label, or no document has it; nothing is moved.
        RevisionConflict
            If the target label is not on an expected revision; nothing is moved.

        Examples
        --------
        >>> db.promote("staging", "production", message="Release 7").labels
        >>> db.promote("staging", "production", {"prompts": ["greeting"], "configurations": None})
        """
        moves = promotion.promote(
            source_label,
            target_label,
            promotion.by_kind(ALL if names is None else names, "names"),
            message=message,
            author=author,
            expected=promotion.by_kind(expected or {}, "expected"),
        )
        return promotion.as_release(moves)

    @method
    def rollback(
        self,
        label: str,
        names: Mapping[str, Iterable[str] | None] | None = None,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Mapping[str, Mapping[str, int]] | None = None,
    ) -> Workflow[Release]:
        """Move a label to where it was before, for all kinds of documents in one transaction.

        A second call moves it back again.

        Parameters
        ----------
        label : str
            The label.
        names : Mapping[str, Iterable[str] | None] | None
            The names of ``"prompts"``, ``"templates"`` and ``"configurations"``; None for those
            whose label the newest release or move moved. A kind that is not in the mapping is not
            rolled back.
        message, author : str | None
            Why it is moved, and by whom.
        expected : Mapping[str, Mapping[str, int]] | None
            By kind and name, the number of the revision that the label must be on now.

        Returns
        -------
        Release
            The newest moves of the label.

        Raises
        ------
        RevisionMissing
            If it was on no other revision that exists; nothing is moved.
        RevisionConflict
            If it is not on an expected revision, or somebody moves it at the same time; nothing is
            moved.

        Examples
        --------
        >>> db.rollback("production", message="People did not like it").labels
        """
        moves = promotion.rollback(
            label,
            promotion.by_kind(ALL if names is None else names, "names"),
            message=message,
            author=author,
            expected=promotion.by_kind(expected or {}, "expected"),
        )
        return promotion.as_release(moves)

    @method
    def convert(
        self,
        to: str,
        *,
        source: str | None = None,
        into: "Client | None" = None,
        dry_run: bool = True,
    ) -> Workflow[Conversion]:
        """Copy conversations, prompts and configurations to the tables of another draive.

        Prompts are copied with their revisions, times, labels, authors and messages, and
        conversations with the times of their elements. What is there already is not written again,
        so that a conversion can be interrupted, and repeated when the source has grown. The source
        is not changed. A progress bar appears in a terminal or a notebook.

        Parameters
        ----------
        to : str
            The release of draive to convert to: ``"0.118"``. Its tables must exist, see `setup`,
            except for a dry run.
        source : str | None
            The release of draive to convert from: ``"0.89"``; None: that of this client.
        into : Client | None
            The client of another database or schema to write to, also for an `AsyncClient`; None:
            the tables of both are in this one.
        dry_run : bool
            Whether to write nothing, but return what would be written; the default.

        Returns
        -------
        Conversion
            What was converted, and what has no counterpart.

        Raises
        ------
        ValueError
            If a release is unknown, or its tables cannot be written to.
        SchemaInvalid
            If the tables are of another release than ``source``.
        TableMissing
            If the target lacks a table.

        Examples
        --------
        >>> db.convert("0.118", source="0.89").losses
        >>> db.convert("0.118", source="0.89", dry_run=False)
        """
        from draive_pg.operations.convert.convert import convert

        if into is not None and not isinstance(into, Client):
            raise TypeError(f"into must be a Client, not {type(into).__name__}")
        target: Database | None = into and into._database  # noqa: SLF001 - of this class
        return convert(
            to,
            source=source,
            schema=self._database.schema,
            target_schema=(target or self._database).schema,
            run_on_target=target and target.run,
            dry_run=dry_run,
        )


class Client(BaseClient[Database]):
    """draive's PostgreSQL tables, synchronously; threads may share one.

    Parameters
    ----------
    dsn : str | None
        A URI or keywords, as libpq reads them; None: ``$DRAIVE_PG_DSN``, else an embedded
        PostgreSQL under ``$DRAIVE_PG_HOME``.
    schema : str | None
        The schema of the tables; None: ``$DRAIVE_PG_SCHEMA``, else the search path of the
        connection.
    draive : str | None
        The release of draive whose conversations to use, such as ``"0.118"``; None:
        ``$DRAIVE_PG_DRAIVE``, else that of the tables, which must be of one line of releases.
    cache_limit : int
        The most configurations, and the most instructions, to cache; 0 disables the cache.
    cache_expiration : float
        Seconds until a cached value is read again, so the longest time for which a change by
        another process stays unseen.
    stale_if_error : float
        Seconds for which a cached value is still used after it expired, while the server does not
        answer; 0: not at all. The logger ``draive_pg`` warns of the first use.
    max_size : int
        The most connections.
    live : bool
        Listen, on one more connection, for changes that any process makes to prompts and
        configurations, to see them at once. This needs the triggers that `setup` creates.
    timeout : float | None
        Seconds that an operation may take, connecting included; None: no limit. When it is
        exceeded, the statement is cancelled, and `TimedOut` raised.
    on_operation : callable | None
        Called after each operation with an `OperationEvent`, in the thread or task that ran it.
        Its exceptions are logged by the logger ``draive_pg``.
    pool : ConnectionPool | Connection | Engine | None
        Use the connections of a pool of psycopg_pool, of a SQLAlchemy engine whose driver is
        psycopg, or a single connection of psycopg, instead of a DSN; `AsyncClient` takes an
        AsyncConnectionPool, AsyncEngine or AsyncConnection. They are never closed. A call on a
        connection that is in a transaction is a savepoint of it and commits nothing; any other call
        is a transaction of its own, whatever ``autocommit`` is. Use READ COMMITTED: at a stricter
        level, a write does not see what others committed since the transaction began. A single
        connection is used by one call at a time, without the cache; do not use it yourself in
        another thread or task during a call.
    prepare : bool | None
        Prepare the statements of calls, which saves the server their planning. Behind a pooler that
        does not support that, the logger ``draive_pg`` warns once, and none are prepared. None:
        only on the embedded PostgreSQL.
    replica : str | None
        The address of a streaming replica, which answers long reads outside of transactions:
        `frames`, `analysis`, `memories.search` and `sql`. They see all that this client has written
        or read: the client waits up to 2 seconds for the replica to have it. If it does not, or
        the replica does not answer, was promoted, or cancels the read, the primary answers, for
        the next 10 seconds, and the logger ``draive_pg`` warns of it. The primary also answers
        while open streams use all ``max_size`` connections to the replica.

    Attributes
    ----------
    configurations, instructions, templates, memories, frames, analysis, annotations
        The namespaces, by subject.

    Raises
    ------
    TypeError, ValueError
        For arguments of a wrong type or value. No connection is opened yet.

    Examples
    --------
    >>> with Client() as db:
    ...     db.setup()
    ...     db.instructions.define("greeting", content="Hello {name}!")
    ...     db.instructions.resolve("greeting", arguments={"name": "Ada"})
    'Hello Ada!'
    """

    _database_type = Database

    def transaction(self) -> AbstractContextManager[Self]:
        """Run all calls of this thread in the block in one transaction.

        Nested blocks are savepoints. Inside, nothing is read from the cache.

        Returns
        -------
        context manager
            Provides this client.

        Raises
        ------
        ConnectionFailed
            If the connection is lost; then nothing is kept.
        OperationFailed
            If an operation in the block has failed, and its error did not leave the block; if a
            generator still holds a nested block; or in a process that was forked in the block.
            Nothing is kept then.

        Examples
        --------
        >>> with db.transaction():
        ...     db.instructions.define("greeting", content="Hi {name}!")
        ...     db.configurations.define("chat", {"temperature": 0.2})
        """
        return _TransactionBlock(self, self._database.transaction())

    @property
    def connection(self) -> "Connection[Any]":
        """psycopg's connection of the current `transaction` block, for statements of your own.

        What they write is committed together with the calls of the block, which ends the
        transaction: do not call ``commit`` or ``rollback``.

        Raises
        ------
        OperationFailed
            Outside of a block.

        Examples
        --------
        >>> with db.transaction() as tx:
        ...     tx.memory("visit-1").remember(answer)
        ...     tx.connection.execute("UPDATE visits SET answered = TRUE WHERE id = %s", (1,))
        """
        return self._database.connection()

    def changes(self) -> Generator[Change]:
        """Yield committed changes of prompts and configurations, of all processes, as they happen.

        It listens, on one more connection, from the first iteration until `close` or the end of the
        iteration, without polling. After an outage it connects again, and yields a `Change` that is
        ``missed``. It needs the triggers that `setup` creates, and no transaction pooler.

        Yields
        ------
        Change
            The kind and the name of the document that was written or removed, or whose label was
            moved.

        Raises
        ------
        ConnectionFailed
            If the server cannot be reached at the first iteration.

        Examples
        --------
        >>> for change in db.changes():
        ...     print(change.kind, change.name)
        """
        return self._database.changes()

    def close(self) -> None:
        """Close the connections; it can be repeated, and the next use opens new ones."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(BaseClient[AsyncDatabase]):
    """draive's PostgreSQL tables, asynchronously; tasks may share one.

    It takes the arguments of `Client`, and has the same namespaces and methods, to be awaited.

    Examples
    --------
    >>> async with AsyncClient() as db:
    ...     await db.setup()
    ...     await db.instructions.load("greeting")
    """

    _database_type = AsyncDatabase

    def transaction(self) -> AbstractAsyncContextManager[Self]:
        """Run all calls of this task, and of those it starts, in the block in one transaction.

        Nested blocks are savepoints. Inside, nothing is read from the cache. The end of the block
        waits for calls and nested blocks of other tasks, at most the client's ``timeout``.

        The calls of a task that outlives the block are transactions of their own after a commit,
        and fail after a rollback. Start a task that is independent of the block before it, or with
        ``asyncio.create_task(..., context=contextvars.Context())``.

        Returns
        -------
        async context manager
            Provides this client.

        Raises
        ------
        ConnectionFailed
            If the connection is lost; then nothing is kept.
        OperationFailed
            If an operation in the block has failed, and its error did not leave the block; or if
            another task still uses it after the timeout. Nothing is kept then.

        Examples
        --------
        >>> async with db.transaction():
        ...     await db.instructions.define("greeting", content="Hi {name}!")
        """
        return _AsyncTransactionBlock(self, self._database.transaction())

    @property
    def connection(self) -> "AsyncConnection[Any]":
        """psycopg's connection of the current `transaction` block, as that of `Client`."""
        return self._database.connection()

    def changes(self) -> AsyncGenerator[Change]:
        """Yield committed changes of prompts and configurations, of all processes, as they happen.

        It listens, on one more connection, from the first iteration until `close` or the end of the
        iteration, without polling. After an outage it connects again, and yields a `Change` that is
        ``missed``. It needs the triggers that `setup` creates, and no transaction pooler.

        Yields
        ------
        Change
            The kind and the name of the document that was written or removed, or whose label was
            moved.

        Raises
        ------
        ConnectionFailed
            If the server cannot be reached at the first iteration.

        Examples
        --------
        >>> async for change in db.changes():
        ...     print(change.kind, change.name)
        """
        return self._database.changes()

    async def close(self) -> None:
        """Close the connections of this event loop; the next use opens new ones."""
        await self._database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class _TransactionBlock[T]:
    """A transaction whose errors have short tracebacks."""

    __slots__ = ("_client", "_transaction")

    def __init__(self, client: T, transaction: AbstractContextManager[None]) -> None:
        self._client = client
        self._transaction = transaction

    def __enter__(self) -> T:
        try:
            with short_tracebacks:
                self._transaction.__enter__()
            return self._client
        except BaseException as error:  # an interrupt may come when it has been entered
            self._transaction.__exit__(type(error), error, error.__traceback__)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        with short_tracebacks:
            return self._transaction.__exit__(kind, error, traceback)


class _AsyncTransactionBlock[T]:
    """Async version of `_TransactionBlock`."""

    __slots__ = ("_client", "_transaction")

    def __init__(self, client: T, transaction: AbstractAsyncContextManager[None]) -> None:
        self._client = client
        self._transaction = transaction

    async def __aenter__(self) -> T:
        with short_tracebacks:
            await self._transaction.__aenter__()
            return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        with short_tracebacks:
            return await self._transaction.__aexit__(kind, error, traceback)
