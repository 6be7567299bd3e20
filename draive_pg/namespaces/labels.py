"""Labels of instructions: part of `db.instructions`."""

from draive_pg.database.asynchronous import AsyncDatabase
from draive_pg.database.sync import Database
from draive_pg.namespaces.twins import documented_as
from draive_pg.operations import labels
from draive_pg.operations.choices import Target
from draive_pg.operations.defining import Expected
from draive_pg.operations.instructions import Reference
from draive_pg.operations.labels import Label
from draive_pg.records import Records

__all__ = ("AsyncLabels", "Labels")


class Labels:
    """What can be asked of the labels of instructions."""

    __slots__ = ()

    _database: Database

    def labels(self, instructions: Reference | None = None, /) -> Records[Label]:
        """Return the labels that are on a revision, of one name or of all, in order."""
        return self._database.run(labels.labels(instructions))

    def label(
        self,
        instructions: Reference,
        /,
        label: str,
        revision: Target = None,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Expected = None,
    ) -> Label:
        """Move a label to a revision, and return its newest move; none is made if it is there.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration
            Which instructions.
        label : str
            Any name but ``latest``, which is always on the newest revision, and numbers.
        revision : int | str | datetime | Revision | None
            A number, another label, a time or a revision; the newest for None.
        message, author : str | None
            Why it is moved, and who moves it.
        expected : int | Revision | None
            Move it only if it is on this revision now, or on none for 0.

        Raises
        ------
        RevisionConflict
            If it is on another revision than was expected.
        RevisionMissing
            If there is no such revision.
        InstructionsMissing
            If there is nothing of that name.
        """
        return self._database.run(
            labels.move(
                instructions, label, revision, message=message, author=author, expected=expected
            )
        )

    def unlabel(
        self,
        instructions: Reference,
        /,
        label: str,
        *,
        message: str | None = None,
        author: str | None = None,
    ) -> bool:
        """Remove a label from a name, and return whether it was there; its moves are kept."""
        return self._database.run(
            labels.remove(instructions, label, message=message, author=author)
        )

    def label_history(self, instructions: Reference, /, label: str | None = None) -> Records[Label]:
        """Return the moves of a name's labels, or of one of them, the newest first.

        They are kept when the name is removed, too; ``revision`` is then None.
        """
        return self._database.run(labels.history(instructions, label))


@documented_as(Labels)
class AsyncLabels:
    __slots__ = ()

    _database: AsyncDatabase

    async def labels(self, instructions: Reference | None = None, /) -> Records[Label]:
        return await self._database.run(labels.labels(instructions))

    async def label(
        self,
        instructions: Reference,
        /,
        label: str,
        revision: Target = None,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Expected = None,
    ) -> Label:
        return await self._database.run(
            labels.move(
                instructions, label, revision, message=message, author=author, expected=expected
            )
        )

    async def unlabel(
        self,
        instructions: Reference,
        /,
        label: str,
        *,
        message: str | None = None,
        author: str | None = None,
    ) -> bool:
        return await self._database.run(
            labels.remove(instructions, label, message=message, author=author)
        )

    async def label_history(
        self, instructions: Reference, /, label: str | None = None
    ) -> Records[Label]:
        return await self._database.run(labels.history(instructions, label))
