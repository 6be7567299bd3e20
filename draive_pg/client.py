"""The clients: `Client` and its async twin `AsyncClient`. What they can do is in `namespaces`."""

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from draive_pg.content.checks import check_schema, check_size, check_timeout
from draive_pg.database.asynchronous import AsyncDatabase
from draive_pg.database.cache import Cache
from draive_pg.database.sync import Database
from draive_pg.database.target import target_of
from draive_pg.namespaces.analysis import Analysis, AsyncAnalysis
from draive_pg.namespaces.configurations import AsyncConfigurations, Configurations
from draive_pg.namespaces.frames import AsyncFrames, Frames
from draive_pg.namespaces.instructions import AsyncInstructions, Instructions
from draive_pg.namespaces.memories import AsyncMemories, Memories
from draive_pg.namespaces.memory import AsyncMemory, Memory
from draive_pg.namespaces.twins import documented_as
from draive_pg.operations import doctor, migrations, releases
from draive_pg.operations.defining import Expected
from draive_pg.operations.diagnosis import Diagnosis
from draive_pg.operations.instructions import Reference
from draive_pg.operations.releases import Release, Released
from draive_pg.operations.snapshots import Snapshot

if TYPE_CHECKING:
    from draive import Configuration

__all__ = ("AsyncClient", "Client")


class Client:
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
        self._database = Database(
            target_of(dsn),
            Cache(cache_limit, cache_expiration),
            schema=check_schema(schema),
            max_size=check_size(max_size),
            live=live,
            timeout=check_timeout(timeout),
        )
        self.configurations = Configurations(self._database)
        self.instructions = Instructions(self._database)
        self.memories = Memories(self._database)
        self.frames = Frames(self._database)
        self.analysis = Analysis(self._database)

    def memory(self, identifier: str, recall_limit: int | None = None) -> Memory:
        """Return the memory of an identifier, whether it exists yet or not; no I/O.

        Parameters
        ----------
        identifier : str
            Which memory.
        recall_limit : int | None
            How many of the newest elements its `recall` considers; None for all.
        """
        return Memory(self._database, identifier, recall_limit)

    def setup(self) -> tuple[str, ...]:
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
        return self._database.carry_out(migrations.setup(self._database.schema))

    def diagnose(self) -> Diagnosis:
        """Look at what is there and what is missing, make nothing, and say what to do.

        Returns
        -------
        Diagnosis
            Of the server, the tables with their sizes and the role's rights, the migrations and
            the listeners; its ``problems`` are empty where all is well.
        """
        return self._database.carry_out(doctor.diagnose(self._database.schema))

    @contextmanager
    def transaction(self) -> Generator[Self]:
        """Let what this thread does with the client in the block take effect together or not.

        Nested blocks are savepoints. Within, nothing is read from the cache.
        """
        with self._database.transaction():
            yield self

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
    ) -> Release:
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
        plan = releases.release(
            prompts=prompts or {},
            configurations=configurations or {},
            labels=labels or {},
            message=message,
            author=author,
            expected=expected or {},
            expected_configurations=expected_configurations or {},
        )
        with self._database.transaction():
            return self._database.carry_out(plan)

    def close(self) -> None:
        """Close the connections; safe to repeat, and the next use opens new ones."""
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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._database!r})"


@documented_as(Client)
class AsyncClient:
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
        self._database = AsyncDatabase(
            target_of(dsn),
            Cache(cache_limit, cache_expiration),
            schema=check_schema(schema),
            max_size=check_size(max_size),
            live=live,
            timeout=check_timeout(timeout),
        )
        self.configurations = AsyncConfigurations(self._database)
        self.instructions = AsyncInstructions(self._database)
        self.memories = AsyncMemories(self._database)
        self.frames = AsyncFrames(self._database)
        self.analysis = AsyncAnalysis(self._database)

    def memory(self, identifier: str, recall_limit: int | None = None) -> AsyncMemory:
        return AsyncMemory(self._database, identifier, recall_limit)

    async def setup(self) -> tuple[str, ...]:
        return await self._database.carry_out(migrations.setup(self._database.schema))

    async def diagnose(self) -> Diagnosis:
        return await self._database.carry_out(doctor.diagnose(self._database.schema))

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Self]:
        async with self._database.transaction():
            yield self

    async def release(
        self,
        *,
        prompts: Mapping[Reference, str] | None = None,
        configurations: "Mapping[str, Configuration | Mapping[str, Any]] | None" = None,
        labels: Released | None = None,
        message: str | None = None,
        author: str | None = None,
        expected: Mapping[str, Expected] | None = None,
        expected_configurations: Mapping[str, int | Snapshot | None] | None = None,
    ) -> Release:
        plan = releases.release(
            prompts=prompts or {},
            configurations=configurations or {},
            labels=labels or {},
            message=message,
            author=author,
            expected=expected or {},
            expected_configurations=expected_configurations or {},
        )
        async with self._database.transaction():
            return await self._database.carry_out(plan)

    async def close(self) -> None:
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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._database!r})"
