"""Instruction (prompt) revisions: `db.instructions`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from draive_pg.database.asynchronous import AsyncDatabase
from draive_pg.database.sync import Database
from draive_pg.namespaces.twins import documented_as
from draive_pg.operations import instructions as prompts
from draive_pg.operations.instructions import Reference

if TYPE_CHECKING:
    from draive import InstructionsDeclaration

__all__ = ("AsyncInstructions", "Instructions")


class Instructions:
    """Instruction (prompt) revisions by name, of which the newest holds.

    Where draive takes an ``Instructions`` or an ``InstructionsDeclaration``, a name will do.
    """

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def available_instructions(
        self, *, lenient: bool = False
    ) -> "tuple[InstructionsDeclaration, ...]":
        """Return the declaration of each name's newest revision, in order of the names; cached.

        Parameters
        ----------
        lenient : bool
            Leave out revisions that cannot be read, with a `StoredDataSkipped` warning for each.

        Raises
        ------
        StoredDataInvalid
            If a revision is not what draive 0.89 writes, without ``lenient``.
        """
        return self._database.run(prompts.available(lenient=lenient))

    def resolve(
        self,
        instructions: Reference | None,
        /,
        *,
        arguments: Mapping[str, Any] | None = None,
        default: str | None = None,
    ) -> str:
        """Return the newest content with its ``{placeholders}`` filled; its content is cached.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration | None
            Which; for None the default is resolved, or "" without one.
        arguments : Mapping[str, Any] | None
            Values by name, over those of an Instructions reference.
        default : str | None
            The template to use where there is none of that name.

        Raises
        ------
        InstructionsMissing
            If there are none of that name, and no default.
        TemplateInvalid
            If an argument is missing or the template is malformed.
        """
        return self._database.run(
            prompts.resolve(instructions, arguments=arguments, default=default)
        )

    def load(self, instructions: Reference, /) -> str:
        """Return the newest content as it was defined, or raise InstructionsMissing; cached."""
        return self._database.run(prompts.load(instructions))

    def define(self, instructions: Reference, /, *, content: str) -> None:
        """Write a new revision, the newest of its name.

        Parameters
        ----------
        instructions : str | Instructions | InstructionsDeclaration
            The name; a declaration's description, arguments and meta are kept with the revision.
        content : str
            The template.
        """
        self._database.run(prompts.define(instructions, content=content))

    def remove(self, instructions: Reference, /) -> int:
        """Remove all revisions of a name, and return how many there were."""
        return self._database.run(prompts.remove(instructions))


@documented_as(Instructions)
class AsyncInstructions:
    __slots__ = ("_database",)

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database

    async def available_instructions(
        self, *, lenient: bool = False
    ) -> "tuple[InstructionsDeclaration, ...]":
        return await self._database.run(prompts.available(lenient=lenient))

    async def resolve(
        self,
        instructions: Reference | None,
        /,
        *,
        arguments: Mapping[str, Any] | None = None,
        default: str | None = None,
    ) -> str:
        return await self._database.run(
            prompts.resolve(instructions, arguments=arguments, default=default)
        )

    async def load(self, instructions: Reference, /) -> str:
        return await self._database.run(prompts.load(instructions))

    async def define(self, instructions: Reference, /, *, content: str) -> None:
        await self._database.run(prompts.define(instructions, content=content))

    async def remove(self, instructions: Reference, /) -> int:
        return await self._database.run(prompts.remove(instructions))
