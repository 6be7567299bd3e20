"""Convert the tools of a chat log between the forms of OpenAI, its Responses API and Anthropic."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

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
    match tool:
        case {"type": "function", "function": Mapping() as function}:
            return {**build(cast("Fields", function)), **without(tool, "type", "function")}
        case {"name": str()} if tool.get("type", "function") in ("function", "custom"):
            schema = next((tool[name] for name in SCHEMAS if name in tool), None)
            function = without(tool, "type", *SCHEMAS)
            return build(function if schema is None else {**function, "parameters": schema})
        case _:
            return tool
