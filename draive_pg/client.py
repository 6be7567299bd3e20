"""`Client` and `AsyncClient`; the namespaces they share are in `api`."""

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from draive_pg.api._method import Namespace, method
from draive_pg.api.analysis import Analysis
from draive_pg.api.configurations import Configurations
from draive_pg.api.frames import Frames
from draive_pg.api.instructions import Instructions
from draive_pg.api.memories import Memories
from draive_pg.api.memory import Memory
from draive_pg.codec.validation import check_schema, check_size, check_timeout
from draive_pg.database import AsyncDatabase, Database
from draive_pg.database.cache import Cache
from draive_pg.database.endpoint import target_of
from draive_pg.database.errors import short_tracebacks
from draive_pg.models import Diagnosis, Release, Snapshot
from draive_pg.operations.admin import doctor, migrations
from draive_pg.operations.documents import release as releases
from draive_pg.operations.documents.define import Expected
from draive_pg.operations.documents.instructions import Reference
from draive_pg.operations.documents.release import Released
from draive_pg.operations.operation import Workflow

if TYPE_CHECKING:
    from draive import Configuration

__all__ = ("AsyncClient", "Client")


class BaseClient[D: Database | AsyncDatabase](Namespace[D]):
    """Everything that both clients share.

    Attributes
    ----------
    configurations, instructions, memories, frames, analysis
        The namespaces, by subject.
    """

    def __init__(self, database: D) -> None:
        super().__init__(database)
        self.configurations: Configurations[D] = Configurations(database)
        self.instructions: Instructions[D] = Instructions(database)
        self.memories: Memories[D] = Memories(database)
        self.frames: Frames[D] = Frames(database)
        self.analysis: Analysis[D] = Analysis(database)

    def memory(self, identifier: str, recall_limit: int | None = None) -> Memory[D]:
        """Return the memory of an identifier, whether it exists yet or not; no I/O.

        Parameters
        ----------
        identifier : str
            Which memory.
        recall_limit : int | None
            How many of the newest elements its `recall` considers; None for all.
        """
        return Memory(self._database, identifier, recall_limit)

    @method
    def setup(self) -> Workflow[tuple[str, ...]]:
        """Make or upgrade the tables, and return the names of the migrations applied now.

        It can be repeated, many processes may start it at once, and tables that draive made are
        adopted as they are. Where nothing is missing it needs no right to make tables. Indexes
        that are missing on large tables are made while writers to them wait.

        Raises
        ------
        PermissionDenied
            If something is missing and the role may not make it.
        SchemaInvalid
            If a migration was applied with another text than this version has.
        """
        return migrations.setup(self._database.schema)

    @method
    def diagnose(self) -> Workflow[Diagnosis]:
        """Look at what is there and what is missing, make nothing, and say what to do.

        Returns
        -------
        Diagnosis
            Of the server, the tables with their sizes and the role's rights, the migrations and
            the listeners; its ``problems`` are empty where all is well.
        """
        return doctor.diagnose(self._database.schema)

    @method
    def release(
        self,
        *,
        prompts: Mapping[Reference, str] | None = None,
        configurations: "Mapping[str, Configuration | Mapping[str, Any]] | None" = None,
        labels: Released | None = None,
        message: str | None = None,
        author: str | None = None,
        expected: Mapping[str, Expected] | None = None,
        expected_configurations: Mapping[str, int | Snapshot | None] | None = None,
    ) -> Workflow[Release]:
        """Define prompts and configurations and move labels, all of it at once or none of it.

        Releases of the same things take turns, whatever order they name them in.

        Parameters
        ----------
        prompts : Mapping[str | Instructions | InstructionsDeclaration, str]
            Their new contents, as `instructions.define` takes them.
        configurations : Mapping[str, Configuration | Mapping]
            Their new documents by identifier.
        labels : Mapping[str, Iterable[str] | Mapping[str, int | str | datetime | Revision | None]]
            By label, the names of prompts: it is moved to their newest revisions, those of this
            release included; or to the revisions that a mapping has by name.
        message, author : str | None
            Kept with each new revision and each move of a label.
        expected : Mapping[str, int | Revision | None]
            By name of released prompts, which revision must be the newest, or 0 for none.
        expected_configurations : Mapping[str, int | Snapshot | None]
            The same of released configurations, by identifier.

        Returns
        -------
        Release
            The newest revisions, snapshots and moves of what was released; where something was
            so already, nothing new was written for it.

        Raises
        ------
        RevisionConflict
            If something else than was expected is the newest; nothing is released.
        RevisionMissing, InstructionsMissing
            If there is no revision that a label is to be moved to; nothing is released.
        """
        return releases.release(
            prompts=prompts or {},
            configurations=configurations or {},
            labels=labels or {},
            message=message,
            author=author,
            expected=expected or {},
            expected_configurations=expected_configurations or {},
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._database!r})"


class Client(BaseClient[Database]):
    """draive's PostgreSQL tables, synchronously; threads may share one.

    Parameters
    ----------
    dsn : str | None
        A URI or keywords, as libpq reads them; None for ``$DRAIVE_PG_DSN``, and without that for
        an embedded PostgreSQL under ``$DRAIVE_PG_HOME``.
    schema : str | None
        The PostgreSQL schema of the tables; None for the search path of the connection.
    cache_limit : int
        How many configurations, and how many instructions, are kept in memory; 0 reads through.
    cache_expiration : float
        Seconds after which a kept value is read again, so the longest time for which a change
        made by another process stays unseen.
    max_size : int
        The most connections.
    live : bool
        Listen, over one more connection, for the changes that any process makes to prompts and
        configurations, so that they are seen at once. It takes the triggers that `setup` makes.
    timeout : float | None
        Seconds for which the answer to a call is waited for, whatever keeps the server; None for
        as long as it takes. The call is then cancelled, and its connection closed.

    Attributes
    ----------
    configurations, instructions, memories, frames, analysis
        What can be done, by what it is done to.

    Raises
    ------
    TypeError, ValueError
        For arguments of a wrong type or value. Making a client opens nothing.

    Examples
    --------
    >>> with Client() as db:
    ...     db.setup()
    ...     db.instructions.define("greeting", content="Hello {name}!")
    ...     db.instructions.resolve("greeting", arguments={"name": "Ada"})
    'Hello Ada!'
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        cache_limit: int = 32,
        cache_expiration: float = 600.0,
        max_size: int = 4,
        live: bool = False,
        timeout: float | None = 300.0,
    ) -> None:
        super().__init__(
            Database(
                target_of(dsn),
                Cache(cache_limit, cache_expiration),
                schema=check_schema(schema),
                max_size=check_size(max_size),
                live=live,
                timeout=check_timeout(timeout),
            )
        )

    @contextmanager
    def transaction(self) -> Generator[Self]:
        """Run all calls of this thread in the block in one transaction.

        Nested blocks are savepoints. Inside, nothing is read from the cache.

        Examples
        --------
        >>> with db.transaction():
        ...     db.instructions.define("greeting", content="Hi {name}!")
        ...     db.configurations.define("chat", {"temperature": 0.2})
        """
        with short_tracebacks(), self._database.transaction():
            yield self

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

    def __init__(
        self,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        cache_limit: int = 32,
        cache_expiration: float = 600.0,
        max_size: int = 4,
        live: bool = False,
        timeout: float | None = 300.0,
    ) -> None:
        super().__init__(
            AsyncDatabase(
                target_of(dsn),
                Cache(cache_limit, cache_expiration),
                schema=check_schema(schema),
                max_size=check_size(max_size),
                live=live,
                timeout=check_timeout(timeout),
            )
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Self]:
        """Run all calls of this task, and of those it starts, in the block in one transaction.

        Nested blocks are savepoints. Inside, nothing is read from the cache.
        """
        with short_tracebacks():
            async with self._database.transaction():
                yield self

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
