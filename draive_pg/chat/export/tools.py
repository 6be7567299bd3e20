"""Convert the tools of a chat log between the forms of OpenAI, its Responses API and Anthropic."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from draive_pg.chat.export.writer import Writer, name
from draive_pg.chat.parts import without

type Fields = Mapping[str, Any]

SCHEMAS = ("parameters", "input_schema")


def read_tools(value: object) -> Sequence[Fields]:
    """Return the tools in the variable ``tools``: a list, or its JSON text as in ShareGPT."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return ()
    if not isinstance(value, list):
        return ()
    return [cast("Fields", each) for each in value if isinstance(each, Mapping)]


def is_function(tool: Fields) -> bool:
    """Return True for a function; others are tools of one API, such as a search."""
    match tool:
        case {"type": "function", "function": {"name": str()}}:
            return True
        case {"name": str()}:
            return tool.get("type", "function") in ("function", "custom")
        case _:
            return False


def functions(value: object, writer: Writer) -> Sequence[Fields]:
    """Return the tools in the variable ``tools`` that are functions, and note the others."""
    tools = read_tools(value)
    found = [each for each in tools if is_function(each)]
    if len(found) < len(tools):
        writer.left_out.add("tools of other kinds")
    return found


def to_openai(tool: Fields) -> Fields:
    """Return a tool in the form of chat completions."""
    return _converted(tool, lambda function: {"type": "function", "function": function})


def to_responses(tool: Fields) -> Fields:
    """Return a tool in the form of the Responses API."""
    return _converted(tool, lambda function: {"type": "function", **function})


def to_anthropic(tool: Fields) -> Fields:
    """Return a tool in Anthropic's form."""
    return _converted(
        tool,
        lambda function: {
            **without(function, "parameters", "strict"),
            "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
        },
    )


def _converted(tool: Fields, build: Callable[[Fields], Fields]) -> Fields:
    """Convert a function; tools of other kinds, such as a search of the API, stay unchanged."""
    if not is_function(tool):
        return tool
    match tool:
        case {"function": Mapping() as function}:
            return {**build(_named(function)), **without(tool, "type", "function")}
        case _:
            schema = next((tool[key] for key in SCHEMAS if key in tool), None)
            function = _named(without(tool, "type", *SCHEMAS))
            return build(function if schema is None else {**function, "parameters": schema})


def _named(function: Fields) -> Fields:
    """Return a function with the name that its calls are written with."""
    return {**function, "name": name(function["name"])}
