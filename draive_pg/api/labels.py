"""Labels of instructions: part of `db.instructions`."""

from draive_pg.api._method import Namespace, method
from draive_pg.database import AsyncDatabase, Database
from draive_pg.models import Label, Records
from draive_pg.operations.documents import labels
from draive_pg.operations.documents.define import Expected
from draive_pg.operations.documents.instructions import Reference
from draive_pg.operations.documents.selectors import Target
from draive_pg.operations.operation import Operation

__all__ = ("Labels",)


class Labels[D: Database | AsyncDatabase](Namespace[D]):
    """What can be asked of the labels of instructions."""

    __slots__ = ()

    @method
    def labels(self, instructions: Reference | None = None, /) -> Operation[Records[Label]]:
        """Return the labels that are on a revision, of one name or of all, in order."""
        return labels.labels(instructions)

    @method
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
    ) -> Operation[Label]:
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
        return labels.move(
            instructions, label, revision, message=message, author=author, expected=expected
        )

    @method
    def unlabel(
        self,
        instructions: Reference,
        /,
        label: str,
        *,
        message: str | None = None,
        author: str | None = None,
    ) -> Operation[bool]:
        """Remove a label from a name, and return whether it was there; its moves are kept."""
        return labels.remove(instructions, label, message=message, author=author)

    @method
    def label_history(
        self, instructions: Reference, /, label: str | None = None
    ) -> Operation[Records[Label]]:
        """Return the moves of a name's labels, or of one of them, the newest first.

        They are kept when the name is removed, too; ``revision`` is then None.
        """
        return labels.history(instructions, label)
