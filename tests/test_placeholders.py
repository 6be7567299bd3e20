"""Conversion of instructions to templates, and back."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draive_pg.errors import TemplateInvalid
from draive_pg.lines.placeholders import (
    VARIABLE,
    instruction_from_template,
    template_from_instruction,
)

NAMES = st.sampled_from(["x", "y", "größe", "_1"])
LITERALS = st.text(st.sampled_from("ab {}%:!\n"), max_size=8)


def argument(name: str, description: str | None = None, *, required: bool = True) -> Any:
    return {"name": name, "description": description, "required": required}


class Marked(dict[str, str]):
    """Arguments that are placeholders of templates."""

    def __missing__(self, key: str) -> str:
        return f"{{%{key}%}}"


def rendered(template: str, values: dict[str, str]) -> str:
    """Fill a template as draive does."""
    return VARIABLE.sub(lambda match: values[match[1]], template)


@given(st.lists(st.tuples(LITERALS, NAMES), max_size=4), LITERALS)
def test_template_renders_as_instruction_and_is_restored(
    pairs: list[tuple[str, str]], end: str
) -> None:
    def escaped(text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}")

    content = "".join(f"{escaped(text)}{{{name}}}" for text, name in pairs) + escaped(end)
    arguments = [argument(name, f"the {name}") for name in dict.fromkeys(n for _, n in pairs)]
    if VARIABLE.findall(content.format_map(Marked())) != [name for _, name in pairs]:
        with pytest.raises(TemplateInvalid, match="as literal text"):
            template_from_instruction(content, arguments, name="n")
        return
    template, losses = template_from_instruction(content, arguments, name="n")
    assert losses == []
    values = {name: f"<{name}>" for _, name in pairs}
    assert rendered(template.content, values) == content.format_map(values)
    restored, losses = instruction_from_template(template.content, template.variables, name="n")
    assert (restored.content, restored.arguments, losses) == (content, arguments, [])


@given(st.lists(st.tuples(LITERALS, NAMES), max_size=4), LITERALS)
def test_instruction_renders_as_template_and_is_restored(
    pairs: list[tuple[str, str]], end: str
) -> None:
    content = "".join(f"{text}{{%{name}%}}" for text, name in pairs) + end
    names = dict.fromkeys(VARIABLE.findall(content))
    variables = {name: f"the {name}" for name in names}
    if not all(name.isidentifier() for name in names):
        with pytest.raises(TemplateInvalid, match="is not a name"):
            instruction_from_template(content, variables, name="n")
        return
    instruction, losses = instruction_from_template(content, variables, name="n")
    assert losses == []
    values = {name: f"<{name}>" for name in names}
    assert instruction.content.format_map(values) == rendered(content, values)
    restored, losses = template_from_instruction(
        instruction.content, instruction.arguments, name="n"
    )
    assert (restored.content, restored.variables, losses) == (content, variables, [])


def test_what_a_template_cannot_declare_is_reported() -> None:
    arguments = [argument("x", "The x", required=False), argument("z")]
    template, losses = template_from_instruction("{x}{y}", arguments, name="n")
    assert template == ("{%x%}{%y%}", {"x": "The x", "y": "y"})
    assert losses == ["unused argument 'z'", "argument 'x' is optional"]


def test_what_an_instruction_cannot_declare_is_reported() -> None:
    instruction, losses = instruction_from_template("{%x%}", {"x": "x", "z": "?"}, name="n")
    assert instruction == ("{x}", [argument("x")])
    assert losses == ["unused variable 'z'"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{x:>5}", "format their placeholder 'x'"),
        ("{x!r}", "format their placeholder 'x'"),
        ("{x.y}", "attributes and items cannot be reached"),
        ("{0}", "not a name"),
        ("{", "malformed"),
        ("{{%x%}} {x}", "as literal text"),
    ],
)
def test_instruction_without_counterpart_is_refused(content: str, said: str) -> None:
    with pytest.raises(TemplateInvalid, match=re.escape(said)):
        template_from_instruction(content, [], name="n")


@pytest.mark.parametrize("content", ["{%a-b%}", "{%1%}", "{%{x}%}"])
def test_template_without_counterpart_is_refused(content: str) -> None:
    with pytest.raises(TemplateInvalid, match="not a name"):
        instruction_from_template(content, {}, name="n")
