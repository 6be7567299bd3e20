"""draive's own types, made of stored rows and stored as rows.

Of the modules of the client this one alone imports draive (with `chat`, which makes its elements),
and it is imported only when one of its types is needed: ``import draive_pg`` does not load it.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, time, timedelta
from enum import Enum
from types import NoneType
from typing import Any, cast
from uuid import UUID

from draive import (
    Configuration,
    Instructions,
    InstructionsDeclaration,
    ModelInput,
    ModelMemoryRecall,
    ModelOutput,
)
from draive.models.instructions import InstructionsMissing
from draive.models.instructions.types import InstructionsArgumentDeclaration
from haiway import ConfigurationInvalid, ConfigurationMissing, Map, Meta, State

from draive_pg.codec import elements
from draive_pg.codec.json import decode, encode, parse
from draive_pg.errors import StoredDataInvalid

__all__ = (
    "Configuration",
    "ConfigurationInvalid",
    "ConfigurationMissing",
    "InstructionsMissing",
    "as_reference",
    "decode_configuration",
    "decode_declaration",
    "decode_element",
    "decode_variables",
    "encode_arguments",
    "encode_element",
    "recall",
    "shared",
)

FROZEN = (str, int, float, bytes, NoneType, date, time, timedelta, UUID, Enum)


def encode_element(element: object, what: str) -> str:
    """Return the JSON text of a context element.

    Raises
    ------
    TypeError
        If it is neither a ModelInput nor a ModelOutput.
    ValueError
        If PostgreSQL cannot keep it; the message names the place.
    """
    if not isinstance(element, ModelInput | ModelOutput):
        raise TypeError(
            f"{what} must be a ModelInput or a ModelOutput, not {type(element).__name__}"
        )
    return elements.encode(element, what)


def decode_element(content: str, what: Callable[[], str]) -> ModelInput | ModelOutput:
    """Return the context element of a stored JSON text; ``what`` names it, for errors.

    Raises
    ------
    StoredDataInvalid
        If it is none that draive 0.89 writes.
    """
    try:
        return elements.decode(decode(content))
    except Exception as error:  # draive's validation raises many kinds
        raise StoredDataInvalid(
            f"{what()} is no context element that draive 0.89 can read "
            f"({type(error).__name__}: {str(error).splitlines()[0]:.120}); "
            "the conversation_log frame shows its row"
        ) from error


def decode_variables(content: str, what: str) -> Mapping[str, Any]:
    """Return the variables of a stored JSON text, or raise StoredDataInvalid if it is no object."""
    variables = parse(content, what)
    if not isinstance(variables, dict):
        raise StoredDataInvalid(
            f"{what} are no object but {content:.60}; remember others in their place"
        )
    return cast("Mapping[str, Any]", variables)


def recall(
    context: Iterable[ModelInput | ModelOutput], variables: Mapping[str, Any]
) -> ModelMemoryRecall:
    """Return what a memory recalls, its variables with the types that were stored."""
    recalled = ModelMemoryRecall(context=())
    # draive's own validation would turn each int and bool of the variables into a float, and
    # takes a third of a long recall to find that elements are elements.
    object.__setattr__(recalled, "context", tuple(context))
    object.__setattr__(recalled, "variables", Map(variables))
    return recalled


def as_reference(instructions: object) -> Instructions:
    """Return the reference that a name, a reference or a declaration stands for."""
    match instructions:
        case str():
            return Instructions.of(instructions)
        case Instructions():
            return instructions
        case InstructionsDeclaration():
            return instructions.to_instructions()
        case _:
            raise TypeError(
                "instructions must be a name, an Instructions or an InstructionsDeclaration, "
                f"not {type(instructions).__name__}"
            )


def encode_arguments(declaration: InstructionsDeclaration, what: str) -> str:
    """Return the JSON text of a declaration's arguments."""
    return encode([argument.to_mapping() for argument in declaration.arguments], what)


def decode_declaration(
    name: str, description: str | None, arguments: str, meta: str
) -> InstructionsDeclaration:
    """Return the declaration of a stored revision.

    Raises
    ------
    StoredDataInvalid
        If its arguments or its meta are none that draive 0.89 writes.
    """
    try:
        return InstructionsDeclaration(
            name=name,
            description=description,
            arguments=InstructionsArgumentDeclaration.from_json_array(arguments),
            meta=Meta.from_json(meta),
        )
    except Exception as error:  # draive's validation raises many kinds
        raise StoredDataInvalid(
            f"the stored arguments or meta of instructions {name!r:.80} cannot be read "
            f"({str(error).splitlines()[0]:.120}); define them anew"
        ) from error


def decode_configuration[Config: Configuration](
    config: type[Config], identifier: str, content: Mapping[str, Any]
) -> Config:
    """Return a stored configuration as the given class, or raise ConfigurationInvalid."""
    try:
        return config.from_mapping(content)
    except Exception as error:  # draive's validation raises many kinds
        raise ConfigurationInvalid(identifier=identifier, reason=str(error)) from error


def shared[T](make: Callable[[], T]) -> Callable[[], T]:
    """Return what gives the value that is made: always the same, unless somebody can change it."""
    value = make()
    return (lambda: value) if _is_frozen(value) else make


def _is_frozen(value: object) -> bool:
    if isinstance(value, FROZEN):
        return True
    if isinstance(value, tuple | frozenset):
        return all(map(_is_frozen, cast("Iterable[object]", value)))
    if isinstance(value, Map | Meta):
        return all(map(_is_frozen, cast("Mapping[str, object]", value).values()))
    return isinstance(value, State) and all(map(_is_frozen, vars(value).values()))
