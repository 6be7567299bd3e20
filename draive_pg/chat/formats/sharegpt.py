"""ShareGPT: conversations of ``from`` and ``value``."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from draive_pg.chat.conversation import Block, Conversation, Message, Result
from draive_pg.chat.formats.format import Fields, Format, Need, Reader, joined, with_keys
from draive_pg.chat.parts import end_of_last, read_content, read_result, rest
from draive_pg.chat.roles import read_message, speaker_of, time_and_others

is_message = with_keys("from", "value")

# How models of Hermes write calls and results.
CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
CALL_END = re.compile(r"\}\s*</tool_call>")
RESULT = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)
RESULT_END = re.compile("</tool_response>")
FIELDS = ("conversations", "conversation", "messages")


def _name(fields: Fields) -> str | None:
    for name in FIELDS:
        values = fields.get(name)
        if isinstance(values, list) and any(map(is_message, values)):
            return name
    return None


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    name = _name(fields) or FIELDS[0]
    asked = reader.exchange(
        {key: fields[key] for key in ("system", "system_prompt") if key in fields}
    )
    messages = joined(
        message
        for each in fields[name]
        for message in (_message(each) if is_message(each) else reader.message(each))
    )
    yield reader.conversation(fields, [*asked.asked, *messages], name, *asked.read)


def _message(fields: Any) -> Sequence[Message]:
    created, others = time_and_others(fields)
    meta = rest(others, "from", "value")
    if fields["from"] == "function_call":
        calls = _calls(fields["value"])
        return [Message("assistant", calls, created, meta, "function_call")]
    match fields:
        case {"from": "tool", "value": str(text)} if (
            found := RESULT.findall(text, 0, end := end_of_last(RESULT_END, text))
        ) and not (RESULT.sub("", text[:end]) + text[end:]).strip():
            results = [Result(read_result(each.strip())) for each in found]
            return [Message("tool", results, created, meta, "tool")]
        case {"value": str(text)} if speaker_of(fields) == "assistant" and (
            calls := _written_calls(text[: (end := end_of_last(CALL_END, text))])
        ):
            left = CALL.sub("", text[:end]) + text[end:]
            message = read_message({**fields, "value": left.strip()})
            return [replace(message, blocks=[*message.blocks, *calls])]
        case _:
            return [read_message(fields)]


def _written_calls(text: str) -> list[Block]:
    """Read the calls in a text; none if one of them is no JSON, so that the text stays whole."""
    try:
        found = [json.loads(each) for each in CALL.findall(text)]
    except ValueError:
        return []
    return [block for each in found for block in _calls(each)]


def _calls(value: Any) -> list[Block]:
    """Read the JSON text of a call, or of a list of calls."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return read_content(value)
    calls = [
        {"type": "function_call", **each}
        for each in (found if isinstance(found, list) else [found])
    ]
    return read_content(calls)


FORMAT = Format(
    "sharegpt",
    "ShareGPT conversations",
    (
        Need(
            "conversations, a list of objects with from and value",
            lambda fields: _name(fields) is not None,
        ),
    ),
    _read,
    is_message=is_message,
    messages=_message,
)
