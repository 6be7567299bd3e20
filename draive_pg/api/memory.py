"""One conversational memory: `db.memory(identifier)`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from draive_pg.api._method import Namespace, method
from draive_pg.codec.validation import check_limit, check_text
from draive_pg.database import AsyncDatabase, Database
from draive_pg.frames.conversations import CONVERSATION_LOG
from draive_pg.frames.query import read
from draive_pg.operations.conversations import (
    fork as forking,
)
from draive_pg.operations.conversations import (
    recall as recalling,
)
from draive_pg.operations.conversations import (
    transcript as transcripts,
)
from draive_pg.operations.conversations import (
    write as memory,
)
from draive_pg.operations.operation import Operation, Request

if TYPE_CHECKING:
    from draive import ModelInput, ModelMemoryRecall, ModelOutput
    from pandas import DataFrame

    from draive_pg.display.transcript import Transcript
    from draive_pg.operations.copy import Copy

__all__ = ("Memory",)


class Memory[D: Database | AsyncDatabase](Namespace[D]):
    """One conversational memory. Making this object does no I/O."""

    __slots__ = ("identifier", "recall_limit")

    def __init__(self, database: D, identifier: str, recall_limit: int | None) -> None:
        super().__init__(database)
        self.identifier = check_text(identifier, "identifier")
        self.recall_limit = check_limit(recall_limit, "recall_limit")

    @method
    def recall(
        self, *, limit: int | None = None, lenient: bool = False
    ) -> "Request[ModelMemoryRecall]":
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
            return recalling.recall_leniently(self.identifier, chosen)
        return recalling.recall(self.identifier, chosen)

    @method
    def remember(
        self, *items: "ModelInput | ModelOutput", variables: Mapping[str, Any] | None = None
    ) -> Operation[None]:
        """Append elements, and a snapshot of the variables if given, all or nothing.

        The elements stay together, in their order, after all that the memory holds, whoever else
        writes to it and whatever any clock says. The memory is made if it is new.
        """
        return memory.remember(self.identifier, items, variables)

    @method
    def maintenance(self, *, variables: Mapping[str, Any] | None = None) -> Operation[None]:
        """Make the memory if it is new, and seed those variables that it does not have yet."""
        return memory.maintain(self.identifier, variables)

    @method
    def log(self) -> "Copy[DataFrame]":
        """Return all that the memory holds, a row an element: `Frames.conversation_log` of it."""
        return read(CONVERSATION_LOG, self.identifier)

    @method
    def show(self, limit: int | None = None) -> "Operation[Transcript]":
        """Return the memory as a transcript, which a notebook or ``print`` shows.

        It has who spoke, what was said, thought, asked of tools and answered by them, the newest
        variables, and all else that is stored, also what draive cannot read. What is odd is
        marked: tool requests without a response and responses without a request, rows that are
        not as draive writes them, what `recall` leaves out, long pauses.

        Parameters
        ----------
        limit : int | None
            How many of the newest elements to read; None for all.

        Returns
        -------
        Transcript
            Of a long one, a notebook shows the beginning and the end; a slice shows what is
            between, and ``to_html()`` makes a page of all of it.
        """
        return transcripts.show(self.identifier, limit)

    @method
    def fork(self, new_identifier: str, *, position: int | None = None) -> "Operation[Memory[D]]":
        """Copy the memory, its times included, and return the copy.

        Parameters
        ----------
        new_identifier : str
            Of the copy.
        position : int | None
            Of the last element to copy, as in `log` and `show`; the variables are then those that
            held when the next one was written. None for all.

        Raises
        ------
        MemoryMissing
            If there is no such memory to copy.
        MemoryExists
            If there is a memory of the new identifier.
        ValueError
            If there is no element at the position.
        """
        copy = Memory(self._database, new_identifier, self.recall_limit)
        return forking.fork(self.identifier, new_identifier, position).returning(copy)

    @method
    def rename(self, new_identifier: str) -> "Operation[Memory[D]]":
        """Give the memory another identifier, and return it under that one.

        Raises
        ------
        MemoryMissing
            If there is no such memory.
        MemoryExists
            If there is a memory of the new identifier.
        """
        copy = Memory(self._database, new_identifier, self.recall_limit)
        return forking.rename(self.identifier, new_identifier).returning(copy)

    @method
    def remove(self) -> Operation[bool]:
        """Remove the memory with all it holds, and return whether there was one."""
        return memory.remove(self.identifier)

    def __repr__(self) -> str:
        limit = "" if self.recall_limit is None else f", recall_limit={self.recall_limit}"
        return f"{type(self).__name__}({self.identifier!r:.80}{limit})"
