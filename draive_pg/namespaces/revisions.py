"""Revisions of instructions as people manage them: part of `db.instructions`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from draive_pg.database.asynchronous import AsyncDatabase
from draive_pg.database.sync import Database
from draive_pg.namespaces.twins import documented_as
from draive_pg.operations import choices, comparing, defining, revisions
from draive_pg.operations.choices import Target
from draive_pg.operations.comparing import Diff
from draive_pg.operations.instructions import Reference
from draive_pg.operations.revisions import Revision
from draive_pg.records import Records

__all__ = ("AsyncRevisions", "Revisions")


class Revisions:
    """What can be asked of the revisions of instructions."""

    __slots__ = ()

    _database: Database

    def history(self, instructions: Reference, /) -> Records[Revision]:
        """Return all revisions of a name, the newest first; none where there is no such name."""
        return self._database.run(revisions.history(instructions))

    def revision(self, instructions: Reference, /, revision: Target = None) -> Revision:
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
        return self._database.run(choices.revision(instructions, revision))

    def diff(self, instructions: Reference, /, a: Target, b: Target = None) -> Diff:
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
        return self._database.run(comparing.diff(instructions, a, b))

    def search(
        self,
        text: str | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        author: str | None = None,
        label: str | None = None,
        current: bool = False,
        limit: int | None = None,
    ) -> Records[Revision]:
        """Return the revisions of all names for which everything given holds.

        Parameters
        ----------
        text : str | None
            Found in the name, content, description or message, in upper or lower case.
        meta : Mapping[str, Any] | None
            What their meta contains.
        since, until : datetime | None
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
        return self._database.run(
            revisions.search(
                text,
                meta=meta,
                since=since,
                until=until,
                author=author,
                label=label,
                current=current,
                limit=limit,
            )
        )

    def restore(
        self,
        instructions: Reference,
        /,
        revision: Target,
        *,
        message: str | None = None,
        author: str | None = None,
    ) -> Revision:
        """Write a new revision that is as an old one was, and return the newest one.

        None is written where the newest one is so already.

        Raises
        ------
        RevisionMissing, InstructionsMissing
            As in `revision`.
        """
        return self._database.run(
            defining.restore(instructions, revision, message=message, author=author)
        )


@documented_as(Revisions)
class AsyncRevisions:
    __slots__ = ()

    _database: AsyncDatabase

    async def history(self, instructions: Reference, /) -> Records[Revision]:
        return await self._database.run(revisions.history(instructions))

    async def revision(self, instructions: Reference, /, revision: Target = None) -> Revision:
        return await self._database.run(choices.revision(instructions, revision))

    async def diff(self, instructions: Reference, /, a: Target, b: Target = None) -> Diff:
        return await self._database.run(comparing.diff(instructions, a, b))

    async def search(
        self,
        text: str | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        author: str | None = None,
        label: str | None = None,
        current: bool = False,
        limit: int | None = None,
    ) -> Records[Revision]:
        return await self._database.run(
            revisions.search(
                text,
                meta=meta,
                since=since,
                until=until,
                author=author,
                label=label,
                current=current,
                limit=limit,
            )
        )

    async def restore(
        self,
        instructions: Reference,
        /,
        revision: Target,
        *,
        message: str | None = None,
        author: str | None = None,
    ) -> Revision:
        return await self._database.run(
            defining.restore(instructions, revision, message=message, author=author)
        )
