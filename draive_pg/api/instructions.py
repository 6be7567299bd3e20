"""Instruction (prompt) revisions: `db.instructions`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from draive_pg.api._method import method
from draive_pg.api.documents import Documents
from draive_pg.api.folders import Folders
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.models.documents import Revision
from draive_pg.operations.documents import define, load, read
from draive_pg.operations.documents.instruction_reference import InstructionsReference
from draive_pg.operations.documents.kind import INSTRUCTIONS
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import select
from draive_pg.operations.operation import Operation, Request

if TYPE_CHECKING:
    from draive import InstructionsDeclaration


class Instructions[D: Database | AsyncDatabase](
    Documents[D, InstructionsReference, Revision], Folders[D]
):
    """Instructions (prompts) by name; the newest revision is the current one.

    A name may be given as text, or as an ``Instructions`` or ``InstructionsDeclaration`` of draive.
    """

    __slots__ = ()

    _documents = INSTRUCTIONS

    @method
    def available_instructions(
        self,
        *,
        as_of: Timestamp | None = None,
        label: str | None = None,
        lenient: bool = False,
    ) -> "Request[tuple[InstructionsDeclaration, ...]]":
        """Return the declaration of each name's newest revision, in order of the names; cached.

        Parameters
        ----------
        as_of : datetime | date | str | None
            Return the revisions that were the newest at this time instead.
        label : str | None
            Return the revisions with this label instead; skip names without the label.
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
            The instructions to resolve; None resolves the default, or "" if there is no default.
        arguments : Mapping[str, Any] | None
            Values by name. They override the arguments of an Instructions reference.
        default : str | None
            The template to use if the name, the revision or the label does not exist.
        revision, label, as_of
            Which revision, as in `load`; the newest by default.
        strict : bool | None
            True: raise for arguments that the revision neither uses nor declares. False: ignore
            them, as draive does. None: raise only if the revision declares arguments. The default
            template accepts all arguments.

        Raises
        ------
        InstructionsMissing
            If there are no instructions of that name, and no default.
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
        """Return the content of the newest or of another revision, without filling it; cached.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration
            The instructions to load.
        revision : int | Revision | None
            The number of a revision, or its record.
        label : str | None
            Load the revision with this label; there is no fallback to another revision.
        as_of : datetime | date | str | None
            Load the revision that was the newest, or had the label, at this time.

        Raises
        ------
        InstructionsMissing
            If there are no instructions of that name.
        RevisionMissing
            If there is no such revision or label; the message lists the existing ones.
        """
        selector = select(revision=revision, label=label, as_of=as_of)
        return load.load_text(INSTRUCTIONS, instructions, selector, required=True)

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
        strict: bool = False,
    ) -> Operation[Revision]:
        """Write a new revision, the newest of its name, and return it.

        If nothing would change, nothing is written, and the newest revision is returned.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration
            A name, or a declaration. The description, arguments and meta of a declaration are
            stored with the revision; with a name, those of the newest revision are kept.
        content : str
            The template. If arguments are declared, every placeholder must be one of them.
        message, author : str | None
            Reason and author of the change; stored with the revision.
        expected : int | Revision | None
            Write only if this revision is the newest; 0: only if there is no revision yet.
        strict : bool
            Raise for a template that cannot be filled, instead of warning of it.

        Raises
        ------
        RevisionConflict
            If the newest revision is not the expected one; the message names both.
        TemplateInvalid
            If arguments are declared and the template is malformed or uses undeclared ones; with
            ``strict``, if it is malformed.

        Warns
        -----
        UserWarning
            If the template is malformed, or a declared required argument has no placeholder.
        """
        return define.define_instructions(
            instructions,
            content=content,
            message=message,
            author=author,
            expected=expected,
            strict=strict,
        )
