"""References to instructions: names, or objects of draive 0.89, which need not be imported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from draive_pg.codec.validation import check_text

if TYPE_CHECKING:
    from draive import Instructions, InstructionsDeclaration

type InstructionsReference = str | Instructions | InstructionsDeclaration | Declaration


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """What is declared of instructions, as JSON documents.

    Attributes
    ----------
    name : str
        The name of the instructions.
    description : str | None
        The description.
    arguments : sequence of mappings
        The arguments, each with ``name``, ``description`` and ``required``.
    meta : Mapping[str, Any]
        The meta.
    """

    name: str
    description: str | None = None
    arguments: Sequence[Mapping[str, Any]] = ()
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])


def name_of_instructions(reference: InstructionsReference) -> str:
    """Return the name of the instructions; raise TypeError for other objects."""
    what = "the name of the instructions"
    if isinstance(reference, str):
        return check_text(reference, what)
    if not (hasattr(reference, "name") and hasattr(reference, "arguments")):
        raise TypeError(
            "instructions must be a name, an Instructions or an InstructionsDeclaration, "
            f"not {type(reference).__name__}"
        )
    return check_text(reference.name, what)


def given_arguments(reference: InstructionsReference) -> Mapping[str, Any]:
    """Return the arguments with which an ``Instructions`` is resolved."""
    if isinstance(reference, str | Declaration) or not isinstance(reference.arguments, Mapping):
        return {}
    return reference.arguments


def declaration_of(reference: InstructionsReference) -> Declaration | None:
    """Return what a declaration declares; None for a name or an ``Instructions``."""
    if isinstance(reference, Declaration):
        return reference
    if isinstance(reference, str) or isinstance(reference.arguments, Mapping):
        return None
    return as_declaration(cast("InstructionsDeclaration", reference))


def as_declaration(declaration: "InstructionsDeclaration") -> Declaration:
    """Convert a declaration of draive."""
    arguments = [
        {"name": each.name, "description": each.description, "required": each.required}
        for each in declaration.arguments
    ]
    return Declaration(declaration.name, declaration.description, arguments, declaration.meta)
