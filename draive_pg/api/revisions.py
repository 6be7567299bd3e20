"""Revisions of instructions as people manage them: part of `db.instructions`."""

from collections.abc import Mapping
from typing import Any

from draive_pg.api._method import Namespace, method
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.models import Diff, Records, Revision
from draive_pg.operations.documents import (
    define as defining,
)
from draive_pg.operations.documents import (
    diff as comparing,
)
from draive_pg.operations.documents import (
    revisions,
)
from draive_pg.operations.documents import (
    selectors as choices,
)
from draive_pg.operations.documents.instructions import Reference
from draive_pg.operations.documents.selectors import Target
from draive_pg.operations.operation import Operation

__all__ = ("Revisions",)


class Revisions[D: Database | AsyncDatabase](Namespace[D]):
    """What can be asked of the revisions of instructions."""

    __slots__ = ()

    @method
    def history(self, instructions: Reference, /) -> Operation[Records[Revision]]:
        """Return all revisions of a name, the newest first; none where there is no such name."""
        return revisions.history(instructions)

    @method
    def revision(self, instructions: Reference, /, revision: Target = None) -> Operation[Revision]:
        """Return one revision of a name.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration
            Which instructions.
        revision : int | str | datetime | Revision | None
            A number, a label that is on it, the time (with its zone) at which it was the newest,
            a revision to read anew, or None for the newest.

        Raises
        ------
        RevisionMissing
            If there is no such revision; the message says which there are.
        InstructionsMissing
            If there is nothing of that name.
        """
        return choices.revision(instructions, revision)

    @method
    def diff(self, instructions: Reference, /, a: Target, b: Target = None) -> Operation[Diff]:
        """Return what changed from revision a to b: text in a terminal, a table in a notebook.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration
            Which instructions.
        a, b : int | str | datetime | Revision | None
            Revisions as in `revision`; b is the newest if not given.

        Raises
        ------
        RevisionMissing, InstructionsMissing
            As in `revision`.
        """
        return comparing.diff(instructions, a, b)

    @method
    def search(
        self,
        text: str | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        author: str | None = None,
        label: str | None = None,
        current: bool = False,
        limit: int | None = None,
    ) -> Operation[Records[Revision]]:
        """Return the revisions of all names for which everything given holds.

        Parameters
        ----------
        text : str | None
            Found in the name, content, description or message, in upper or lower case.
        meta : Mapping[str, Any] | None
            What their meta contains.
        since, until : datetime | date | str | None
            When they were written: at or after, and before; with time zones.
        author : str | None
            Who wrote them.
        label : str | None
            A label that is on them.
        current : bool
            Whether to look at the newest revision of each name only.
        limit : int | None
            The most to return.

        Returns
        -------
        Records[Revision]
            By name, and the newest first.
        """
        return revisions.search(
            text,
            meta=meta,
            since=since,
            until=until,
            author=author,
            label=label,
            current=current,
            limit=limit,
        )

    @method
    def restore(
        self,
        instructions: Reference,
        /,
        revision: Target,
        *,
        message: str | None = None,
        author: str | None = None,
    ) -> Operation[Revision]:
        """Write a new revision that is as an old one was, and return the newest one.

        None is written where the newest one is so already.

        Raises
        ------
        RevisionMissing, InstructionsMissing
            As in `revision`.
        """
        return defining.restore(instructions, revision, message=message, author=author)
