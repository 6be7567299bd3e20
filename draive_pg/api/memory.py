"""One conversational memory: `db.memory(identifier)`."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from draive_pg.api._method import Namespace, method
from draive_pg.codec.draive_turns import Turn, is_turn
from draive_pg.codec.json import OnInvalid
from draive_pg.codec.validation import check_limit, check_text
from draive_pg.database import AsyncDatabase, Database
from draive_pg.frames.conversations import CONVERSATION_LOG
from draive_pg.frames.read import read
from draive_pg.models.conversations import StoredElement
from draive_pg.models.record import Records
from draive_pg.operations.conversations import (
    edit,
    elements,
    fork,
    listing,
    recall,
    transcript,
    turns,
    write,
)
from draive_pg.operations.conversations.keys import EXPIRATION
from draive_pg.operations.operation import Operation, Request, Workflow

if TYPE_CHECKING:
    from draive import ModelInput, ModelMemoryRecall, ModelOutput
    from pandas import DataFrame

    from draive_pg.models.transcript import Transcript


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
        self,
        *items: "ModelInput | ModelOutput | Turn | Mapping[str, Any]",
        variables: Mapping[str, Any] | None = None,
        key: str | None = None,
        key_expiration: timedelta = EXPIRATION,
        invalid: OnInvalid = "refuse",
    ) -> Operation[None]:
        """Append elements, and a snapshot of the variables if given, all or nothing.

        The elements stay together and in order, after everything the memory holds, whatever other
        writers do and whatever any clock says. The memory is created if it does not exist.
        Needs draive, of the line of the database, unless the elements are documents.

        Parameters
        ----------
        *items : ModelInput | ModelOutput | Mapping | Turn
            Elements, or their documents, in order; turns (ConversationUserTurn,
            ConversationAssistantTurn) for tables of draive 0.100 or newer.
        variables : Mapping[str, Any] | None
            New values of all variables, which turns have not; None keeps the current ones.
        key : str | None
            Write at most once: a call with a key that was used for this memory writes nothing,
            whatever its items. So a call whose outcome is unknown, after a lost connection, can be
            repeated. The key stays used if the memory is cleared, renamed or removed: take a new
            one for each write, such as a UUID. This needs the tables of `setup` of draive_pg 0.2.
        key_expiration : timedelta
            How long the key is remembered.
        invalid : {"refuse", "replace"}
            Raise for characters that PostgreSQL cannot store, or replace each with U+FFFD.

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
            return turns.remember(
                self.identifier, items, key=key, key_expiration=key_expiration, invalid=invalid
            )
        return write.remember(
            self.identifier,
            cast("Sequence[write.Element]", items),
            variables,
            key=key,
            key_expiration=key_expiration,
            invalid=invalid,
        )

    @method
    def elements(
        self,
        limit: int | None = None,
        *,
        before: str | None = None,
        after: str | None = None,
        lenient: bool = True,
        documents: bool = False,
    ) -> Workflow[Records[StoredElement]]:
        """Return the newest elements as they are stored, oldest first, in pages.

        A page before the first element of another one, or after its last, repeats and leaves out
        nothing, whatever other writers do meanwhile.

        Parameters
        ----------
        limit : int | None
            Maximum number of elements; None for all. The result's ``truncated`` is True if there
            are more in its direction.
        before : str | None
            Cursor of an element: return the newest elements before it.
        after : str | None
            Cursor of an element: return the oldest elements after it.
        lenient : bool
            Skip elements that cannot be read, with a `StoredDataSkipped` warning for each.
        documents : bool
            Return JSON documents, in the form of draive 0.89, which needs no draive.

        Returns
        -------
        Records[StoredElement]
            Position, time, cursor and element of each, in order.

        Raises
        ------
        StoredDataInvalid
            If an element cannot be read, unless ``lenient``; the message names it.
        TypeError, ValueError
            If an argument is invalid.

        Examples
        --------
        >>> page = memory.elements(limit=50)
        >>> [stored.element for stored in page]
        >>> older = memory.elements(limit=50, before=page[0].cursor)
        """
        return elements.elements(
            self.identifier, limit, before, after, lenient=lenient, documents=documents
        )

    @method
    def pop(
        self, n: int = 1, *, erase: bool = False, documents: bool = False
    ) -> Operation[tuple[Any, ...]]:
        """Remove the newest elements, and return them in order.

        Of concurrent calls, each gets other elements. In tables of draive 0.100 or newer, a turn of
        the assistant can be several elements; it is removed whole, or the call is refused.

        Parameters
        ----------
        n : int
            How many to remove; fewer if the memory has fewer.
        erase : bool
            Do not keep the removed elements for `Frames.removed_elements`.
        documents : bool
            Return JSON documents, which needs no draive. What draive cannot read is always returned
            as a document.

        Returns
        -------
        tuple of ModelInput, ModelOutput or Mapping
            The removed elements, oldest first.

        Raises
        ------
        SchemaInvalid
            If the tables are of draive 0.93 to 0.99.
        ValueError
            If it would remove a part of a turn, or of the context of an agent; here as below.

        Examples
        --------
        >>> memory.pop()
        (ModelOutput(...),)
        """
        return edit.pop(self.identifier, n, erase=erase, documents=documents)

    @method
    def undo(self, *, erase: bool = False, documents: bool = False) -> Operation[tuple[Any, ...]]:
        """Remove the last turn: the newest input of the user, and everything after it.

        Parameters
        ----------
        erase, documents : bool
            As for `pop`.

        Returns
        -------
        tuple of ModelInput, ModelOutput or Mapping
            The removed elements, oldest first; empty if there is no input of the user.

        Raises
        ------
        SchemaInvalid
            If the tables are of draive 0.93 to 0.99.

        Examples
        --------
        >>> question, *answers = memory.undo()
        """
        return edit.undo(self.identifier, erase=erase, documents=documents)

    @method
    def truncate(self, position: int | str, *, erase: bool = False) -> Operation[int]:
        """Remove an element and all after it.

        Parameters
        ----------
        position : int | str
            Position of the element as in `log` and `show`, which is the number of elements to keep;
            or its cursor, see `elements`, which cannot mean another one because of other writers.
        erase : bool
            As for `pop`.

        Returns
        -------
        int
            Number of elements removed.

        Raises
        ------
        SchemaInvalid
            If the tables are of draive 0.93 to 0.99.
        TypeError, ValueError
            If the position is invalid.

        Examples
        --------
        >>> memory.truncate(4)
        2
        """
        return edit.truncate(self.identifier, position, erase=erase)

    @method
    def replace(
        self,
        position: int | str,
        element: "ModelInput | ModelOutput | Mapping[str, Any]",
        *,
        reason: str | None = None,
        author: str | None = None,
        erase: bool = False,
        documents: bool = False,
        invalid: OnInvalid = "refuse",
    ) -> Request[Any]:
        """Replace one element, for example to redact it; its time stays the same.

        Parameters
        ----------
        position : int | str
            As for `truncate`.
        element : ModelInput | ModelOutput | Mapping
            The new element, or its document.
        reason, author : str | None
            Kept with the previous element.
        erase, documents : bool
            As for `pop`.
        invalid : {"refuse", "replace"}
            As for `remember`.

        Returns
        -------
        ModelInput | ModelOutput | Mapping
            The previous element.

        Raises
        ------
        SchemaInvalid
            If the tables are of draive 0.93 or newer: turns are not replaced.
        TypeError, ValueError
            If there is no element at the position, or the new one cannot be stored.

        Examples
        --------
        >>> memory.replace(3, ModelInput.of(MultimodalContent.of("[redacted]")), reason="GDPR")
        """
        return edit.replace(
            self.identifier,
            position,
            element,
            reason=reason,
            author=author,
            erase=erase,
            documents=documents,
            invalid=invalid,
        )

    @method
    def remove_element(
        self,
        position: int | str,
        *,
        reason: str | None = None,
        author: str | None = None,
        erase: bool = False,
        documents: bool = False,
    ) -> Operation[Any]:
        """Remove one element; those after it get the position before theirs.

        Parameters
        ----------
        position : int | str
            As for `truncate`.
        reason, author : str | None
            Kept with the removed element.
        erase, documents : bool
            As for `pop`.

        Returns
        -------
        ModelInput | ModelOutput | Mapping
            The removed element.

        Raises
        ------
        SchemaInvalid
            If the tables are of draive 0.93 to 0.99.
        ValueError
            If there is no element at the position.

        Examples
        --------
        >>> memory.remove_element(3, reason="wrong patient")
        """
        return edit.remove_element(
            self.identifier,
            position,
            reason=reason,
            author=author,
            erase=erase,
            documents=documents,
        )

    @method
    def clear(self, *, keep_variables: bool = False, erase: bool = False) -> Operation[int]:
        """Remove all elements and the variables, but not the memory itself.

        Parameters
        ----------
        keep_variables : bool
            Keep the variables.
        erase : bool
            As for `pop`.

        Returns
        -------
        int
            Number of elements removed.

        Raises
        ------
        SchemaInvalid
            If the tables are of draive 0.93 to 0.99.

        Examples
        --------
        >>> memory.clear(keep_variables=True)
        6
        """
        return edit.clear(self.identifier, keep_variables=keep_variables, erase=erase)

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
    def log(self) -> "Request[DataFrame]":
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
        return read(CONVERSATION_LOG, {"identifier": self.identifier})

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
