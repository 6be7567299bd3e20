"""Read messages that have a role: of OpenAI, Anthropic, Gemini, Ollama, the AI SDK and others."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby
from typing import Any, cast

from draive_pg.chat.conversation import Block, Call, Message, Result, Thought, Unreadable
from draive_pg.chat.parts import (
    BINARY,
    as_text,
    decoded,
    earlier_audio,
    first_text,
    invocation,
    is_empty,
    media,
    read_content,
    read_part,
    read_result,
    refusal,
    rest,
    without,
)
from draive_pg.chat.times import read_time
from draive_pg.codec.elements import data_part, text_part
from draive_pg.codec.validation import shown

# The roles of the common form; errors list those of OpenAI.
ROLES: Mapping[str, str] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
OTHER_ROLES: Mapping[str, str] = {
    "human": "user",
    "prompter": "user",
    "ai": "assistant",
    "model": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "chatgpt": "assistant",
    "bard": "assistant",
    "bing": "assistant",
    "claude": "assistant",
    "tool_response": "tool",
    "function_response": "tool",
    "observation": "tool",
    "ipython": "tool",
}

SPEAKERS = ("role", "from", "sender", "author", "speaker")
CONTENTS = ("content", "value", "text", "message", "body")
TIMES_IN_ORDER = (
    "created",
    "created_at",
    "createdAt",
    "create_time",
    "createTime",
    "timestamp",
    "inserted_at",
    "sent_at",
    "sentAt",
    "date",
    "time",
    "ts",
)
TIMES = frozenset(TIMES_IN_ORDER)
CALLS = ("tool_call_id", "toolCallId", "tool_use_id", "call_id", "toolUseId")
TOOLS = ("name", "tool_name", "toolName")
REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_text", "tool_plan")
STARTS = ("step-start", "step_start")
THOUGHTS = frozenset({*REASONING, "reasoning_details"})


def is_role_message(value: object) -> bool:
    """Return True for an object with a role, which is not a whole conversation."""
    return isinstance(value, Mapping) and "role" in value and "messages" not in value


def is_spoken(value: object) -> bool:
    """Return True for an object with a speaker of a known role, and content."""
    match value:
        case Mapping() if "messages" not in value:
            return speaker_of(value) is not None and any(name in value for name in CONTENTS)
        case _:
            return False


def speaker_of(fields: Mapping[str, Any]) -> str | None:
    """Return the role of the speaker of a message in the common form, or None."""
    speaker = _speaker_field(fields)
    return None if speaker is None else role_of(fields[speaker])


def _speaker_field(fields: Mapping[str, Any]) -> str | None:
    if "role" in fields:
        return "role"
    return next((name for name in SPEAKERS if name in fields), None)


def role_of(value: object) -> str | None:
    """Return the role in the common form, or None if it is not known."""
    if not isinstance(value, str):
        return role_of(value.get("role")) if isinstance(value, Mapping) else None
    return ROLES.get(value) or OTHER_ROLES.get(value.lower()) or ROLES.get(value.lower())


def read_message(fields: Mapping[str, Any], default: str | None = None) -> Message:
    """Read a message.

    Parameters
    ----------
    fields : Mapping[str, Any]
        Its fields. Those that are not known become its meta.
    default : str | None
        Role of a message without one.
    """
    speaker = _speaker_field(fields)
    label = fields[speaker] if speaker else default
    role = role_of(label)
    if role is None:
        known = ", ".join(ROLES)
        problem = f"expected one of the roles {known}, found {shown(label)}"
        return Message("", [Unreadable(problem, fields)], label="")
    label = label if isinstance(label, str) else role
    created, fields = time_and_others(fields)
    left = dict(fields)
    left.pop(speaker or "", None)
    if role == "tool":
        return Message("tool", [*_results(left, label)], created, {}, label)
    if left.get("type") == "message":
        left.pop("type")
    blocks = _blocks(left, role)
    if not blocks and role != "assistant":
        found = next((fields[name] for name in CONTENTS if name in fields), None)
        if not isinstance(found, list | tuple):
            problem = f"expected content that is text or a list of parts, found {shown(found)}"
            blocks = [Unreadable(problem, found)]
    if isinstance(name := _text(left, "name"), Unreadable):
        blocks.append(name)
    elif name:
        left["name"] = name
    return Message(role, blocks, created, rest(left), label)


def time_and_others(fields: Mapping[str, Any]) -> tuple[datetime | None, Mapping[str, Any]]:
    """Return the time of a message or conversation, and its fields without that of the time."""
    if not TIMES.isdisjoint(fields):
        for name in TIMES_IN_ORDER:
            if name in fields and (created := read_time(fields[name])) is not None:
                return created, without(fields, name)
    match fields:
        case {"metadata": {"createdAt": created}}:  # of the AI SDK
            return read_time(created), fields
        case _:
            return None, fields


def _blocks(left: dict[str, Any], role: str) -> list[Block]:
    """Take the blocks of a message from its fields."""
    match left:
        case {"content": str(text)} if len(left) == 1:  # most messages
            left.clear()
            return [text_part(text)] if text or role != "assistant" else []
        case _:
            pass
    blocks: list[Block] = []
    if role == "assistant":
        blocks += _thoughts(left)
    parts = left.pop("parts", None)
    if parts is not None and isinstance(parts, list | tuple | Mapping):
        # the AI SDK repeats the parts in these
        content = _steps(parts if isinstance(parts, list | tuple) else [parts])
        left.pop("toolInvocations", None)
        if isinstance(left.get("content"), str):
            left.pop("content")
        if any(isinstance(block, Thought) for block in content):
            blocks = []
        return [*_attached(left), *blocks, *content]
    if role == "assistant":
        blocks += _invocations(left)
    content = _taken(left)
    if content != "" or role != "assistant":
        blocks += read_content(content)
    blocks += _attached(left)
    if role == "assistant":
        if (refused := _text(left, "refusal")) is not None:
            blocks.append(refused if isinstance(refused, Unreadable) else refusal(refused))
        blocks += _audio(left)
        blocks += _calls(left)
    return blocks


def _steps(parts: Sequence[Any]) -> list[Block]:
    """Read the parts of the AI SDK: a step has calls, each with its result, and begins with a mark.

    Calls that follow each other in a step are parallel, so their results follow all of them.
    """
    steps: list[list[Block]] = [[]]
    for position, part in enumerate(parts, start=1):
        if isinstance(part, Mapping) and part.get("type") in STARTS:
            steps.append([])
        steps[-1].extend(read_part(position, part))
    return [block for step in steps for block in _parallel(step)]


def _parallel(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield calls that follow each other before their results."""
    for _, run in groupby(blocks, key=lambda block: isinstance(block, Call | Result)):
        yield from sorted(run, key=lambda block: isinstance(block, Result))


def _taken(left: dict[str, Any]) -> object:
    for name in CONTENTS:
        if name in left:
            return left.pop(name)
    return None


def _text(left: dict[str, Any], name: str) -> str | Unreadable | None:
    match left.pop(name, None):
        case None | "":
            return None
        case str(text):
            return text
        case found:
            return Unreadable(f"expected {name} to be text, found {shown(found)}", found)


def _thoughts(left: dict[str, Any]) -> Sequence[Block]:
    if THOUGHTS.isdisjoint(left):
        return ()
    details = left.pop("reasoning_details", None)
    texts: list[str] = []
    for name in REASONING:
        match left.get(name):
            case str(text):
                left.pop(name)
                if text and text not in texts:
                    texts.append(text)
            case [{"type": str()}, *_] | [] | {"type": str()} | {"text": str()} as found:
                left.pop(name)
                details = details or found
            case None:
                left.pop(name, None)
            case found:
                return [Unreadable(f"expected {name} to be text, found {shown(found)}", found)]
    if texts:
        meta = {} if is_empty(details) else {"reasoning_details": details}
        return [Thought([text_part(text)], meta) for text in texts]
    return read_content(details if isinstance(details, list | None) else [details])


def _invocations(left: dict[str, Any]) -> Sequence[Block]:
    """Take the tool calls of the AI SDK, version 4."""
    found = left.pop("toolInvocations", None)
    if found is None or not isinstance(found, list | tuple):
        return []
    steps = groupby(cast("Sequence[Any]", found), key=_step)
    return [
        block
        for _, calls in steps
        for block in _parallel(chain.from_iterable(map(_invoked, calls)))
    ]


def _step(call: Any) -> object:
    return call.get("step") if isinstance(call, Mapping) else None


def _invoked(call: Any) -> Sequence[Block]:
    try:
        return invocation(call if isinstance(call, Mapping) else {"toolName": call})
    except ValueError as error:
        return [Unreadable(str(error), call)]


def _attached(left: dict[str, Any]) -> Sequence[Block]:
    """Take images, and the attachments of the AI SDK; Ollama has base64 data without a type."""
    parts: list[Block] = []
    for name in ("images", "experimental_attachments"):
        found = left.get(name)
        if isinstance(found, list) and found:
            try:
                parts += chain.from_iterable(map(_attachment, found))
            except ValueError:
                continue
            left.pop(name)
    return parts


def _attachment(value: Any) -> Sequence[Block]:
    match value:
        case {"url": str(url), "contentType": str(kind)}:
            return [media(url, kind, rest(value, "url", "contentType"))]
        case {"type": "image_url"}:  # of OpenRouter
            return read_content([value])
        case _:
            return [data_part(decoded(str(value)), "image/*")]


def _audio(left: dict[str, Any]) -> Sequence[Block]:
    match left.pop("audio", None):
        case None:
            return []
        case {"transcript": str(text)} as audio if text:
            meta = rest(cast("Mapping[str, Any]", audio), "transcript", "data")
            parts: list[Block] = [text_part(text, {"audio": meta})]
            if isinstance(data := audio.get("data"), str) and data:
                try:
                    parts.append(data_part(decoded(data), BINARY, {"audio": meta}))
                except ValueError as error:
                    parts.append(Unreadable(str(error), data))
            return parts
        case {"id": str(identifier)}:
            return [earlier_audio(identifier)]
        case found:
            return [Unreadable("its audio has no transcript: expected text", found)]


def _calls(left: dict[str, Any]) -> Sequence[Block]:
    found = left.pop("tool_calls", None) or ()
    if not isinstance(found, list | tuple):
        return [Unreadable(f"expected tool_calls to be a list, found {shown(found)}", found)]
    blocks = [
        _call(position, call) for position, call in enumerate(cast("Sequence[Any]", found), start=1)
    ]
    if function := left.pop("function_call", None):
        blocks.append(_call(len(blocks) + 1, {"function": function}))
    return blocks


def _call(position: int, call: Any) -> Block:
    match call:
        case {"function": {"name": str(tool)} as function} if tool:
            arguments = function.get("arguments")
            known = ("id", "type", "function", "index")
        case {"name": str(tool)} if tool:  # LangChain, Cohere
            arguments = next(
                (
                    call[name]
                    for name in ("args", "arguments", "parameters", "input")
                    if name in call
                ),
                None,
            )
            known = (
                "id",
                "type",
                "name",
                "args",
                "arguments",
                "parameters",
                "input",
                "tool_call_id",
            )
        case {"custom": {"name": str(tool)} as custom} if tool:
            arguments = {"input": custom.get("input")}
            known = ("id", "custom")
        case _:
            problem = f"expected an id and a function with a name, found {shown(call)}"
            return Unreadable(f"tool call {position}: {problem}", call)
    identifier = call.get("id") or call.get("tool_call_id")
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        identifier = str(identifier)
    if identifier is not None and not isinstance(identifier, str):
        problem = f"expected an id that is text, found {shown(identifier)}"
        return Unreadable(f"tool call {position}: {problem}", call)
    return Call(tool, arguments, identifier or None, rest(call, *known))


def _results(left: dict[str, Any], label: str) -> Sequence[Block]:
    match left.get("tool_responses"):
        case [{"tool_call_id": _}, *_] as several:  # of AutoGen 0.2; the content repeats them
            return [block for each in several for block in _results({**each}, label)]
        case _:
            pass
    content = left.pop("parts", None) or _taken(left)
    blocks = read_result(content if content != [] else None)
    call = next((left.pop(name) for name in CALLS if first_text(left, name)), None)
    tool = first_text(left, *TOOLS)
    failed = left.pop("is_error", None) is True or left.get("status") == "error"
    meta = rest(left, *CALLS, "tool_name", "toolName", "status", "role")
    if any(isinstance(block, Result) for block in blocks):  # AI SDK, Gemini
        return blocks
    if label == "function":  # such a message has a name only
        call, meta = None, without(meta, "name")
    return [Result(blocks, call, tool, failed, meta)]


def system(text: str) -> Message:
    """Build a system message."""
    return Message("system", [text_part(text)], label="system")


def text_message(role: str, value: object) -> Message:
    """Build a message of text; other values are kept as JSON."""
    return Message(role, [text_part(as_text(value))], label=role)
