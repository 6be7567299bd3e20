"""Annotations of memories and of their elements: `db.annotations`."""

from collections.abc import Iterable, Mapping
from typing import Any

from draive_pg.api._method import Namespace, method
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.frames.query import OneOrMany
from draive_pg.models.conversations import Annotation
from draive_pg.models.record import Records
from draive_pg.operations.conversations import annotations
from draive_pg.operations.operation import Operation, Workflow


class Annotations[D: Database | AsyncDatabase](Namespace[D]):
    """Scores, comments and tags that people and evaluators give to memories and their elements.

    They are kept in a table of draive_pg. An annotation of an element refers to its content: it
    moves with the element, and is removed with it, as `Memory.replace` does, too. `Memory.rename`
    moves the annotations of a memory, `Memory.fork` does not copy them, and `Memories.remove`,
    `prune` and `erase` remove them. `Memories.export_memories` writes them,
    `Memories.export_chats` with ``metadata=True``, and `Frames.annotations` returns them as a
    DataFrame.
    """

    __slots__ = ()

    @method
    def add(
        self,
        identifier: str,
        position: int | None = None,
        *,
        name: str,
        score: float | None = None,
        comment: str | None = None,
        tags: OneOrMany = (),
        author: str | None = None,
        id: str | None = None,  # noqa: A002
    ) -> Workflow[Annotation]:
        """Annotate a memory, or one of its elements.

        Parameters
        ----------
        identifier : str
            The memory.
        position : int | None
            Position of the element, as `Memory.log` numbers them; None: the whole memory.
        name : str
            What is judged: ``"helpful"``.
        score : float | None
            The score.
        comment : str | None
            The comment.
        tags : str | Sequence[str]
            The tags.
        author : str | None
            The person, or the evaluator with its version.
        id : str | None
            Name of the annotation in its memory. An annotation with the same one is replaced, so
            that an evaluator can be run again. None: a new UUID.

        Returns
        -------
        Annotation
            The annotation.

        Raises
        ------
        MemoryMissing
            If the memory does not exist.
        ValueError
            If it has no element at the position, or the score is not finite.

        Examples
        --------
        >>> db.annotations.add("visit-1", 3, name="helpful", score=0.8, author="ada")
        >>> db.annotations.add("visit-1", name="resolved", score=1, id="judge-2/resolved")
        """
        return annotations.add(
            identifier,
            position,
            name=name,
            score=score,
            comment=comment,
            tags=tags,
            author=author,
            id=id,
        )

    @method
    def list(
        self,
        identifier: OneOrMany | None = None,
        *,
        prefix: str | None = None,
        variables: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
    ) -> Operation[Records[Annotation]]:
        """Return annotations, ordered by identifier, position and time.

        Parameters
        ----------
        identifier : str | Sequence[str] | None
            Only of these memories.
        prefix : str | None
            Only of memories whose identifiers start with it.
        variables : Mapping[str, Any] | None
            Only of memories whose newest variables contain these.
        since, until : datetime | date | str | None
            Bounds of ``annotated``, inclusive and exclusive.
        limit : int | None
            Maximum number.

        Returns
        -------
        Records[Annotation]
            The annotations; ``truncated`` tells whether there are more.

        Examples
        --------
        >>> db.annotations.list("visit-1")
        """
        return annotations.list_(identifier, prefix, variables, since, until, limit)

    @method
    def remove(self, identifier: str, id: str | Iterable[str]) -> Operation[int]:  # noqa: A002
        """Remove one or several annotations of a memory.

        Parameters
        ----------
        identifier : str
            The memory.
        id : str | Iterable[str]
            The annotations.

        Returns
        -------
        int
            How many existed.

        Examples
        --------
        >>> db.annotations.remove("visit-1", "judge-2/resolved")
        1
        """
        return annotations.remove(identifier, id)
