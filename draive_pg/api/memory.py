"""One conversational memory: `db.memory(identifier)`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from draive_pg.api._method import Namespace, method
from draive_pg.codec.draive_turns import Turn, is_turn
from draive_pg.codec.validation import check_limit, check_text
from draive_pg.database import AsyncDatabase, Database
from draive_pg.frames.conversations import CONVERSATION_LOG
from draive_pg.frames.read import read
from draive_pg.operations.conversations import fork, listing, recall, transcript, turns, write
from draive_pg.operations.operation import Operation, Request, Workflow

if TYPE_CHECKING:
    from draive import ModelInput, ModelMemoryRecall, ModelOutput
    from pandas import DataFrame

    from draive_pg.models.transcript import Transcript
    from draive_pg.operations.copy import Copy


class Memory[D: Database | AsyncDatabase](Namespace[D]):
    """One conversational memory. Creating this object does no I/O.

    Attributes
    ----------
    identifier : str
        Identifier of the memory.
    recall_limit : int | None
        Default limit of `recall`; None for all elements.
    """

    __slots__ = ("identifier", "recall_limit")

    def __init__(self, database: D, identifier: str, recall_limit: int | None) -> None:
        super().__init__(database)
        self.identifier = check_text(identifier, "identifier")
        self.recall_limit = check_limit(recall_limit, "recall_limit")

    @method
    def recall(
        self, *, limit: int | None = None, lenient: bool = False
    ) -> "Request[ModelMemoryRecall]":
        """Return the newest variables, and the elements that can be replayed to a model.

        Both are of one database snapshot. Needs draive, of the line of the database. With tables of
        draive 0.100 or newer, a tuple of turns is returned instead, which begins with the user's;
        turns with a tool request without a response are left out, and ``limit`` counts turns.

        Parameters
        ----------
        limit : int | None
            Maximum number of newest elements to consider; None for the memory's ``recall_limit``.
            A limit inside the newest turn returns that whole turn.
        lenient : bool
            Skip stored rows that draive cannot read, with a `StoredDataSkipped` warning for each.
            ``limit`` then counts readable rows; if one is unreadable, the whole memory is read.

        Returns
        -------
        ModelMemoryRecall
            ``context`` starts with a user turn (an input without tool responses). A tool request
            without a response, or whose id is used twice, is left out with its element.
            ``variables`` have the types that were stored.

        Raises
        ------
        StoredDataInvalid
            If draive 0.89 cannot read a row, unless ``lenient``; the message names the row.

        Examples
        --------
        >>> recalled = db.memory("visit-1").recall(limit=20)
        >>> recalled.context, recalled.variables
        """
        chosen = self.recall_limit if limit is None else limit
        return recall.recall_by_line(self.identifier, chosen, lenient=lenient)

    @method
    def remember(
        self, *items: "ModelInput | ModelOutput | Turn", variables: Mapping[str, Any] | None = None
    ) -> Operation[None]:
        """Append elements, and a snapshot of the variables if given, all or nothing.

        The elements stay together and in order, after everything the memory holds, whatever other
        writers do and whatever any clock says. The memory is created if it does not exist.
        Needs draive, of the line of the database.

        Parameters
        ----------
        *items : ModelInput | ModelOutput | ConversationUserTurn | ConversationAssistantTurn
            Elements in order; turns for tables of draive 0.100 or newer.
        variables : Mapping[str, Any] | None
            New values of all variables, which turns have not; None keeps the current ones.

        Raises
        ------
        TypeError
            If an item is no element, or a value has no JSON type.
        ValueError
            If PostgreSQL cannot store a value (NaN, NUL, lone surrogates, more than 256 levels or
            256 MB); the message names its place.
        SchemaInvalid
            If the tables are not of the line of draive that has such items.

        Examples
        --------
        >>> memory.remember(ModelInput.of(MultimodalContent.of("Hello")), variables={"turn": 1})
        """
        if any(map(is_turn, items)):
            if variables is not None:
                raise TypeError("turns have no variables")
            return turns.remember(self.identifier, items)
        elements = cast("Sequence[ModelInput | ModelOutput]", items)
        return write.remember(self.identifier, elements, variables)

    @method
    def maintenance(self, *, variables: Mapping[str, Any] | None = None) -> Operation[None]:
        """Create the memory if it does not exist, and set variables that it does not have yet.

        Parameters
        ----------
        variables : Mapping[str, Any] | None
            Defaults: existing values win.

        Raises
        ------
        TypeError, ValueError
            If the variables cannot be stored as JSON; the message names the place.

        Examples
        --------
        >>> memory.maintenance(variables={"language": "en"})
        """
        return write.maintain(self.identifier, variables)

    @method
    def log(self) -> "Copy[DataFrame]":
        """Return all elements, one row per element, oldest first.

        Returns
        -------
        DataFrame
            The columns of `Frames.conversation_log`, which also documents their dtypes.

        Examples
        --------
        >>> log = db.memory("visit-1").log()
        >>> log[log.role == "input"].text
        """
        return read(CONVERSATION_LOG, self.identifier)

    @method
    def chat(self, *, metadata: bool = False) -> "Workflow[list[dict[str, Any]]]":
        """Return the conversation as OpenAI chat messages, oldest first.

        What `Memories.import_chats` imported from OpenAI messages is returned equal, except for
        spelling: a missing text with tool calls is None, a list of one text is the text, and the
        role developer is system. Arguments of tools are equal as JSON.

        Parameters
        ----------
        metadata : bool
            Add the times (``created_at``), reasoning (``reasoning_content``) and meta of messages.

        Returns
        -------
        list of dict
            The messages. A system message has the text of the variable ``system``.

        Raises
        ------
        MemoryMissing
            If the memory does not exist.
        StoredDataInvalid
            If draive 0.89 cannot read a row; the message names it.

        Examples
        --------
        >>> db.memory("visit-1").chat()
        [{'role': 'user', 'content': 'Hello'}, {'role': 'assistant', 'content': 'Good morning!'}]
        """
        from draive_pg.operations.conversations import export_chats

        return export_chats.chat(self.identifier, metadata=metadata)

    @method
    def show(self, limit: int | None = None) -> "Operation[Transcript]":
        """Return a transcript, which a notebook renders and ``print`` writes as text.

        It has everything that is stored, including what draive cannot read: text, reasoning, tool
        calls and responses, images, the newest variables. It marks tool requests without a
        response, responses without a request, unusual rows, what `recall` leaves out, and pauses
        of an hour or more.

        Parameters
        ----------
        limit : int | None
            Maximum number of newest elements to read; None for all.

        Returns
        -------
        Transcript
            A notebook shows the beginning and the end of a long one; a slice shows a part, and
            ``to_html()`` returns a complete page.

        Examples
        --------
        >>> print(db.memory("visit-1").show(limit=20))
        """
        return transcript.show(self.identifier, limit)

    @method
    def fork(self, new_identifier: str, *, position: int | None = None) -> "Workflow[Memory[D]]":
        """Copy the memory with all timestamps, and return the copy.

        Parameters
        ----------
        new_identifier : str
            Identifier of the copy.
        position : int | None
            Position of the last element to copy, as in `log` and `show`; the variables are those
            that were current when the next element was written. None copies all.

        Returns
        -------
        Memory
            The copy, with the same ``recall_limit``.

        Raises
        ------
        MemoryMissing
            If the memory does not exist.
        MemoryExists
            If there is a memory with the new identifier.
        ValueError
            If there is no element at the position.

        Examples
        --------
        >>> retry = db.memory("visit-1").fork("visit-1-retry", position=3)
        """
        copy = Memory(self._database, new_identifier, self.recall_limit)
        return listing.require_memory(
            fork.fork(self.identifier, new_identifier, position), "fork", self.identifier, copy
        )

    @method
    def rename(self, new_identifier: str) -> "Workflow[Memory[D]]":
        """Move the memory to another identifier, and return it.

        Parameters
        ----------
        new_identifier : str
            The new identifier.

        Returns
        -------
        Memory
            The memory, with the same ``recall_limit``.

        Raises
        ------
        MemoryMissing
            If the memory does not exist.
        MemoryExists
            If there is a memory with the new identifier.

        Examples
        --------
        >>> memory = db.memory("visit-1").rename("ada/visit-1")
        """
        moved = Memory(self._database, new_identifier, self.recall_limit)
        return listing.require_memory(
            fork.rename(self.identifier, new_identifier), "rename", self.identifier, moved
        )

    @method
    def remove(self) -> Operation[bool]:
        """Remove the memory with its elements and variables.

        Returns
        -------
        bool
            True if it existed.

        Examples
        --------
        >>> db.memory("visit-1").remove()
        True
        """
        return write.remove(self.identifier)

    def __repr__(self) -> str:
        limit = "" if self.recall_limit is None else f", recall_limit={self.recall_limit}"
        return f"{type(self).__name__}({self.identifier!r:.80}{limit})"
