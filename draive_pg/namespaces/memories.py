"""Conversational memories: `db.memory(identifier)` and `db.memories`."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from draive_pg.content.documents import check_limit, check_text
from draive_pg.database.asynchronous import AsyncDatabase
from draive_pg.database.sync import Database
from draive_pg.frames import definitions as frames
from draive_pg.frames.reading import read
from draive_pg.namespaces.twins import documented_as
from draive_pg.operations import memory

if TYPE_CHECKING:
    from draive import ModelInput, ModelMemoryRecall, ModelOutput
    from pandas import DataFrame

__all__ = ("AsyncMemories", "AsyncMemory", "Memories", "Memory")


class Memory:
    """One conversational memory. Making this object does no I/O."""

    __slots__ = ("_database", "identifier", "recall_limit")

    def __init__(self, database: Database, identifier: str, recall_limit: int | None) -> None:
        self._database = database
        self.identifier = check_text(identifier, "identifier")
        self.recall_limit = check_limit(recall_limit, "recall_limit")

    def recall(self, *, limit: int | None = None, lenient: bool = False) -> "ModelMemoryRecall":
        """Return the newest variables and the elements that can be replayed to a model.

        Parameters
        ----------
        limit : int | None
            How many of the newest elements to consider; None for the memory's ``recall_limit``.
        lenient : bool
            Leave out stored rows that cannot be read, with a `StoredDataSkipped` warning for each
            that names it. The limit then counts those that can; where one cannot, the whole
            memory is read to find them.

        Returns
        -------
        ModelMemoryRecall
            ``context`` starts with a user turn (an input without tool responses) and has no
            unanswered tool request. A limit that falls inside the newest turn returns that whole
            turn. ``variables`` have the types that went in. Both are of the same instant.

        Raises
        ------
        StoredDataInvalid
            If a row is not what draive 0.89 writes, without ``lenient``; the message names it.
        """
        chosen = self.recall_limit if limit is None else limit
        if lenient:
            return self._database.carry_out(memory.recall_leniently(self.identifier, chosen))
        return self._database.run(memory.recall(self.identifier, chosen))

    def remember(
        self, *items: "ModelInput | ModelOutput", variables: Mapping[str, Any] | None = None
    ) -> None:
        """Append elements, and a snapshot of the variables if given, all or nothing.

        The elements stay together, in their order, after all that the memory holds, whoever else
        writes to it and whatever any clock says. The memory is made if it is new.
        """
        self._database.run(memory.remember(self.identifier, items, variables))

    def maintenance(self, *, variables: Mapping[str, Any] | None = None) -> None:
        """Make the memory if it is new, and seed those variables that it does not have yet."""
        self._database.run(memory.maintain(self.identifier, variables))

    def log(self) -> "DataFrame":
        """Return all that the memory holds, a row an element: `Frames.conversation_log` of it."""
        return self._database.read(read(frames.CONVERSATION_LOG, self.identifier))

    def fork(self, new_identifier: str) -> "Memory":
        """Copy the memory, its times included, and return the copy.

        Raises
        ------
        MemoryMissing
            If there is no such memory to copy.
        MemoryExists
            If there is a memory of the new identifier.
        """
        self._database.run(memory.fork(self.identifier, new_identifier))
        return Memory(self._database, new_identifier, self.recall_limit)

    def remove(self) -> bool:
        """Remove the memory with all it holds, and return whether there was one."""
        return self._database.run(memory.remove(self.identifier))

    def __repr__(self) -> str:
        limit = "" if self.recall_limit is None else f", recall_limit={self.recall_limit}"
        return f"{type(self).__name__}({self.identifier!r:.80}{limit})"


class Memories:
    """All conversational memories."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def identifiers(self) -> tuple[str, ...]:
        """Return the identifiers of all memories, in order."""
        return self._database.run(memory.identifiers())

    def import_chat(
        self, identifier: str, messages: Iterable[Mapping[str, Any]], *, append: bool = False
    ) -> int:
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
        return self._database.run(memory.import_chat(identifier, messages, append=append))

    def remove(self, identifier: str) -> bool:
        """Remove a memory with all it holds, and return whether there was one."""
        return self._database.run(memory.remove(identifier))


@documented_as(Memory)
class AsyncMemory:
    __slots__ = ("_database", "identifier", "recall_limit")

    def __init__(self, database: AsyncDatabase, identifier: str, recall_limit: int | None) -> None:
        self._database = database
        self.identifier = check_text(identifier, "identifier")
        self.recall_limit = check_limit(recall_limit, "recall_limit")

    async def recall(
        self, *, limit: int | None = None, lenient: bool = False
    ) -> "ModelMemoryRecall":
        chosen = self.recall_limit if limit is None else limit
        if lenient:
            return await self._database.carry_out(memory.recall_leniently(self.identifier, chosen))
        return await self._database.run(memory.recall(self.identifier, chosen))

    async def remember(
        self, *items: "ModelInput | ModelOutput", variables: Mapping[str, Any] | None = None
    ) -> None:
        await self._database.run(memory.remember(self.identifier, items, variables))

    async def maintenance(self, *, variables: Mapping[str, Any] | None = None) -> None:
        await self._database.run(memory.maintain(self.identifier, variables))

    async def log(self) -> "DataFrame":
        return await self._database.read(read(frames.CONVERSATION_LOG, self.identifier))

    async def fork(self, new_identifier: str) -> "AsyncMemory":
        await self._database.run(memory.fork(self.identifier, new_identifier))
        return AsyncMemory(self._database, new_identifier, self.recall_limit)

    async def remove(self) -> bool:
        return await self._database.run(memory.remove(self.identifier))

    def __repr__(self) -> str:
        limit = "" if self.recall_limit is None else f", recall_limit={self.recall_limit}"
        return f"{type(self).__name__}({self.identifier!r:.80}{limit})"


@documented_as(Memories)
class AsyncMemories:
    __slots__ = ("_database",)

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database

    async def identifiers(self) -> tuple[str, ...]:
        return await self._database.run(memory.identifiers())

    async def import_chat(
        self, identifier: str, messages: Iterable[Mapping[str, Any]], *, append: bool = False
    ) -> int:
        return await self._database.run(memory.import_chat(identifier, messages, append=append))

    async def remove(self, identifier: str) -> bool:
        return await self._database.run(memory.remove(identifier))
