"""Instruction (prompt) revisions: `db.instructions`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from draive_pg.api._method import method
from draive_pg.api.documents import Documents
from draive_pg.api.folders import Folders
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.models import Revision
from draive_pg.operations.documents import load, read, write
from draive_pg.operations.documents.kind import INSTRUCTIONS, InstructionsReference
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import select
from draive_pg.operations.operation import Operation, Request
from draive_pg.sync.kinds import PROMPTS

if TYPE_CHECKING:
    from draive import InstructionsDeclaration

__all__ = ("Instructions",)


class Instructions[D: Database | AsyncDatabase](
    Documents[D, InstructionsReference, Revision], Folders[D]
):
    """Instructions (prompts) by name; the newest revision is the current one.

    A name may be given as text, or as an ``Instructions`` or ``InstructionsDeclaration`` of draive.
    """

    __slots__ = ()

    _documents = INSTRUCTIONS
    _kind = PROMPTS

    @method
    def available_instructions(
        self,
        *,
        as_of: Timestamp | None = None,
        label: str | None = None,
        lenient: bool = False,
    ) -> "Operation[tuple[InstructionsDeclaration, ...]]":
        """Return the declaration of each name's newest revision, in order of the names; cached.

        Parameters
        ----------
        as_of : datetime | date | str | None
            The newest of then instead.
        label : str | None
            Those that the label is on instead; names that do not have it are left out.
        lenient : bool
            Leave out revisions that cannot be read, with a `StoredDataSkipped` warning for each.

        Raises
        ------
        StoredDataInvalid
            If a revision is not what draive 0.89 writes, without ``lenient``.
        """
        return read.declarations(as_of=as_of, label=label, lenient=lenient)

    @method
    def resolve(
        self,
        instructions: InstructionsReference | None,
        /,
        *,
        arguments: Mapping[str, Any] | None = None,
        default: str | None = None,
        revision: int | Revision | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
        strict: bool | None = None,
    ) -> Request[str]:
        """Return the content with its ``{placeholders}`` filled; its content is cached.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration | None
            Which; for None the default is resolved, or "" without one.
        arguments : Mapping[str, Any] | None
            Values by name, over those of an Instructions reference.
        default : str | None
            The template to use where there is none of that name, or no such revision or label.
        revision, label, as_of
            Which revision, as in `load`; the newest if nothing is said.
        strict : bool | None
            Whether arguments are refused that the revision neither uses nor declares: always,
            never (draive ignores them), or for None where it declares any. The default takes all.

        Raises
        ------
        InstructionsMissing
            If there are none of that name, and no default.
        RevisionMissing
            If there is no such revision or label, and no default.
        TemplateInvalid
            If an argument is missing or unknown, or the template is malformed.
        """
        return load.resolve(
            instructions,
            arguments=arguments,
            default=default,
            selector=select(revision=revision, label=label, as_of=as_of),
            strict=strict,
        )

    @method
    def load(
        self,
        instructions: InstructionsReference,
        /,
        *,
        revision: int | Revision | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Request[str]:
        """Return the newest content as it was defined, or that of another revision; cached.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration
            Which.
        revision : int | Revision | None
            A revision by its number, or as it was read.
        label : str | None
            The revision that the label is on; never another one in its place.
        as_of : datetime | date | str | None
            What was the newest, or what the label was on, at a time.

        Raises
        ------
        InstructionsMissing
            If there are none of that name.
        RevisionMissing
            If there is no such revision or label; the message says which there are.
        """
        selector = select(revision=revision, label=label, as_of=as_of)
        return load.load_instructions(instructions, selector)

    @method
    def define(
        self,
        instructions: InstructionsReference,
        /,
        *,
        content: str,
        message: str | None = None,
        author: str | None = None,
        expected: Expected[Revision] = None,
    ) -> Operation[Revision]:
        """Write a new revision, the newest of its name, and return it.

        Where nothing would change, none is written, and the newest one is returned.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration
            A declaration, whose description, arguments and meta are kept with the revision, or a
            name; what the newest revision declares then stays.
        content : str
            The template. Where arguments are declared, its placeholders must be among them.
        message, author : str | None
            Why it is written, and who writes it; kept with the revision.
        expected : int | Revision | None
            Write it only if this revision is the newest, or there is none yet for 0.

        Raises
        ------
        RevisionConflict
            If another revision than was expected is the newest; the message names both.
        TemplateInvalid
            If arguments are declared and the template is malformed or uses others.

        Warns
        -----
        UserWarning
            If a declared required argument has no placeholder.
        """
        return write.define_instructions(
            instructions, content=content, message=message, author=author, expected=expected
        )
