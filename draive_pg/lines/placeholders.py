"""Convert instructions of draive 0.89 to templates of draive 0.90 and later, and back.

An instruction has placeholders ``{name}``, and literal braces are doubled. A template has
``{%name%}``; all other text is literal, and nothing can be escaped.
"""

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, NamedTuple

from draive_pg.errors import TemplateInvalid
from draive_pg.instruction_syntax import placeholders
from draive_pg.template_syntax import VARIABLE, variables_of


class Template(NamedTuple):
    """A template.

    Attributes
    ----------
    content : str
        The text with ``{%name%}``.
    variables : Mapping[str, str]
        Descriptions by name, of exactly the placeholders of the text.
    """

    content: str
    variables: Mapping[str, str]


class Instruction(NamedTuple):
    """An instruction.

    Attributes
    ----------
    content : str
        The text with ``{name}``.
    arguments : sequence of mappings
        Declared arguments as draive 0.89 stores them: ``name``, ``description``, ``required``.
    """

    content: str
    arguments: Sequence[Mapping[str, Any]]


def template_from_instruction(
    content: str, arguments: Sequence[Mapping[str, Any]], *, name: str
) -> tuple[Template, Sequence[str]]:
    """Convert an instruction, and return what the template lacks of it.

    Raises
    ------
    TemplateInvalid
        If no template renders the same text: a placeholder is formatted, converted, or not a plain
        name, or the text contains a literal ``{%name%}``.
    """
    used = placeholders(content, name=name)
    parts: list[str] = []
    fields: list[str] = []
    for literal, field, specification, conversion in Formatter().parse(content):
        parts.append(literal)
        if field is not None:
            if specification or conversion:
                raise TemplateInvalid(
                    f"instructions {name!r:.80} format their placeholder {field!r:.60}, which a "
                    "template cannot: format the argument instead"
                )
            parts.append(f"{{%{field}%}}")
            fields.append(field)
    text = "".join(parts)
    if VARIABLE.findall(text) != fields:
        raise TemplateInvalid(
            f"instructions {name!r:.80} contain {{%…%}} as literal text, which a template would "
            "take for a placeholder"
        )
    declared = {each["name"]: each for each in arguments}
    descriptions = {each: declared.get(each, {}).get("description") for each in used}
    losses = [f"unused argument {each!r:.60}" for each in declared if each not in used]
    losses += (
        f"argument {each!r:.60} is optional"
        for each in used
        if not declared.get(each, {}).get("required", True)
    )
    return Template(text, {each: about or each for each, about in descriptions.items()}), losses


def instruction_from_template(
    content: str, variables: Mapping[str, str], *, name: str
) -> tuple[Instruction, Sequence[str]]:
    """Convert a template, and return what the instruction lacks of it.

    Raises
    ------
    TemplateInvalid
        If a variable is not a Python identifier.
    """
    used = variables_of(content)
    if wrong := [each for each in used if not each.isidentifier()]:
        raise TemplateInvalid(
            f"template {name!r:.80} has the variable {wrong[0]!r:.60}, which is not a name as "
            "instructions need it"
        )
    pieces = VARIABLE.split(content)  # literal text and names in turn
    text = "".join(
        f"{{{piece}}}" if index % 2 else piece.replace("{", "{{").replace("}", "}}")
        for index, piece in enumerate(pieces)
    )
    arguments = [
        {"name": each, "description": _other(variables.get(each), each), "required": True}
        for each in used
    ]
    losses = [f"unused variable {each!r:.60}" for each in variables if each not in used]
    return Instruction(text, arguments), losses


def _other(description: str | None, name: str) -> str | None:
    """Return a description; None if it says no more than the name, as where there was none."""
    return None if description == name else description
