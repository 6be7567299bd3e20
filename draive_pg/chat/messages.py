"""Convert OpenAI-style chat messages to context elements.

=====================  =========================================================================
message                becomes
=====================  =========================================================================
system, developer      no element: their texts, joined by blank lines, are ``Chat.system``
user                   a model input
assistant              a model output: reasoning, content, then one request per tool call
tool, function         one model input per sequence of them, with one response each
=====================  =========================================================================

Content, reasoning, refusal, calls and ``name`` of a message are kept; other keys (ids,
timestamps, usage, annotations) are ignored. Content that cannot be represented is refused rather
than lost: parts and calls of unknown types, and a spoken answer (``audio``), whose format is not in
the message.

An assistant message with neither content nor calls becomes an output without blocks, so that no
turn is missing. Blank arguments of a call, which models send for a tool without parameters, become
an empty object.
"""

import json
import mimetypes
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NoReturn, cast
from urllib.parse import quote, unquote_to_bytes

from draive_pg.codec.elements import (
    Document,
    content,
    data_part,
    model_input,
    model_output,
    reasoning,
    reference_part,
    text_part,
    tool_request,
    tool_response,
)
from draive_pg.codec.validation import shown
from draive_pg.errors import ChatInvalid

KINDS: Mapping[str, str] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}

PARTS: Mapping[str, str] = {
    "text": '{"text": "..."}',
    "input_text": '{"text": "..."}',
    "output_text": '{"text": "..."}',
    "refusal": '{"refusal": "..."}',
    "image_url": '{"image_url": {"url": "..."}}',
    "input_audio": '{"input_audio": {"data": "...", "format": "..."}}',
    "file": '{"file": {"file_data": "...", "filename": "..."}} or {"file": {"file_id": "..."}}',
}

DATA_URI = re.compile(
    r"data:(?P<mime_type>[^,]*?)(?P<base64>;base64)?,(?P<data>.*)", re.DOTALL | re.IGNORECASE
)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation as context elements.

    Attributes
    ----------
    elements : tuple[Document, ...]
        JSON documents of the elements, in message order.
    sources : tuple[str, ...]
        The (first) message of each element, as errors name it: ``message 4 (user)``.
    system : str | None
        The texts of the system and developer messages, joined by a blank line; None without any.
    """

    elements: tuple[Document, ...]
    sources: tuple[str, ...]
    system: str | None


def convert(messages: Iterable[Mapping[str, Any]]) -> Chat:
    """Convert OpenAI-style chat messages.

    Parameters
    ----------
    messages : Iterable[Mapping[str, Any]]
        The messages of one conversation, oldest first.

    Returns
    -------
    Chat
        Elements and system text.

    Raises
    ------
    ChatInvalid
        If there is no message, or one cannot be represented completely. The error names the number
        of the message, from 1, and its role.
    """
    system: list[str] = []
    elements: list[tuple[Document, str]] = []
    tools: dict[str, str] = {}  # the name of the tool of each call so far
    for kind, group in groupby(_numbered(messages), key=lambda message: KINDS[message.role]):
        match kind:
            case "system":
                system.extend(text for message in group for text in _texts(message))
            case "user":
                elements.extend((_input(message), str(message)) for message in group)
            case "assistant":
                elements.extend((_output(message, tools), str(message)) for message in group)
            case _:
                answers = list(group)
                responses = model_input(*(_response(message, tools) for message in answers))
                elements.append((responses, str(answers[0])))
    return Chat(
        elements=tuple(element for element, _ in elements),
        sources=tuple(source for _, source in elements),
        system="\n\n".join(system) if system else None,
    )


@dataclass(frozen=True, slots=True)
class _Message:
    number: int
    role: str
    fields: Mapping[str, Any]

    def __str__(self) -> str:
        return f"message {self.number} ({self.role})"

    def invalid(self, problem: str) -> ChatInvalid:
        return ChatInvalid(f"{self}: {problem}")

    def text(self, key: str) -> str | None:
        match self.fields.get(key):
            case None | "":
                return None
            case str(text):
                return text
            case found:
                raise self.invalid(f"expected {key} to be text, found {shown(found)}")

    def calls(self) -> Sequence[Any]:
        found = self.fields.get("tool_calls") or ()
        if not isinstance(found, list | tuple):
            raise self.invalid(f"expected tool_calls to be a list, found {shown(found)}")
        calls = cast("Sequence[Any]", found)
        if function := self.fields.get("function_call"):
            # the older format has no id
            return (*calls, {"id": f"function_call_{self.number}", "function": function})
        return calls


def _numbered(messages: Iterable[Any]) -> Iterator[_Message]:
    number = 0
    for number, message in enumerate(messages, start=1):
        match message:
            case {"role": str(role)} if role in KINDS:
                yield _Message(number, role, cast("Mapping[str, Any]", message))
            case {"role": role}:
                known = ", ".join(KINDS)
                raise ChatInvalid(
                    f"message {number}: expected one of the roles {known}, found {shown(role)}"
                )
            case _:
                raise ChatInvalid(
                    f"message {number}: expected an object with a role, found {shown(message)}"
                )
    if number == 0:
        raise ChatInvalid("the conversation has no messages")


def _input(message: _Message) -> Document:
    return model_input(content(*_parts(message)), meta=_meta(message))


def _output(message: _Message, tools: dict[str, str]) -> Document:
    if message.fields.get("audio") is not None:
        raise message.invalid("its audio has no format: expected text or an input_audio part")
    blocks: list[Document] = []
    if thought := message.text("reasoning_content") or message.text("reasoning"):
        blocks.append(reasoning(content(text_part(thought))))
    parts = list(_parts(message)) if message.fields.get("content") else []
    if refusal := message.text("refusal"):
        parts.append(_refusal(refusal))
    if parts:
        blocks.append(content(*parts))
    for request in _requests(message):
        tools[request["identifier"]] = request["tool"]
        blocks.append(request)
    return model_output(*blocks, meta=_meta(message))


def _response(message: _Message, tools: dict[str, str]) -> Document:
    call = _answered(message, tools)
    return tool_response(call, message.text("name") or tools[call], content(*_parts(message)))


def _answered(message: _Message, tools: dict[str, str]) -> str:
    match message.role, message.fields:
        case "tool", {"tool_call_id": str(call)} if call:
            if call in tools:
                return call
            raise message.invalid(f"tool_call_id {shown(call)} answers no earlier tool call")
        case "function", {"name": str(name)} if name:
            # a function message has no id; it answers the latest call of that function
            for call, tool in reversed(tools.items()):
                if tool == name:
                    return call
            raise message.invalid(f"name {shown(name)} answers no earlier function call")
        case "tool", _:
            raise message.invalid("expected a tool_call_id")
        case _:
            raise message.invalid("expected a name")


def _requests(message: _Message) -> Iterator[Document]:
    for position, call in enumerate(message.calls(), start=1):
        match call:
            case {
                "id": str(identifier),
                "function": {"name": str(tool)} as function,
            } if identifier and tool:
                try:
                    arguments = _arguments(function.get("arguments"))
                except (ValueError, RecursionError) as error:
                    raise message.invalid(
                        f"tool call {shown(identifier)}: expected arguments that are a JSON"
                        f" object: {error}"
                    ) from error
                yield tool_request(identifier, tool, arguments)
            case _:
                raise message.invalid(
                    f"tool call {position}: expected an id and a function with a name,"
                    f" found {shown(call)}"
                )


def _arguments(value: Any) -> Mapping[str, Any]:
    if value is None or (isinstance(value, str) and not value.strip()):
        return {}
    decoded = json.loads(value, parse_constant=_not_json) if isinstance(value, str) else value
    match decoded:
        case Mapping() if all(
            isinstance(key, str) for key in cast("Mapping[object, Any]", decoded)
        ):
            return cast("Mapping[str, Any]", decoded)
        case _:
            raise ValueError(f"found {shown(decoded)}")


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _meta(message: _Message) -> Mapping[str, str] | None:
    name = message.text("name")
    return None if name is None else {"name": name}


def _texts(message: _Message) -> Iterator[str]:
    for position, part in enumerate(_parts(message), start=1):
        if "text" not in part:
            raise message.invalid(f"part {position}: expected text only")
        yield part["text"]


def _parts(message: _Message) -> Iterator[Document]:
    found = message.fields.get("content")
    if isinstance(found, str):
        yield text_part(found)
        return
    if not isinstance(found, list | tuple):
        raise message.invalid(
            f"expected content that is text or a list of parts, found {shown(found)}"
        )
    for position, part in enumerate(cast("Sequence[Any]", found), start=1):
        try:
            yield _part(part)
        except ValueError as error:
            raise message.invalid(f"part {position}: {error}") from error


def _part(part: Any) -> Document:
    match part:
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return text_part(text)
        case {"type": "refusal", "refusal": str(text)}:
            return _refusal(text)
        case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:
            return _image(url)
        case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(kind)}}:
            return data_part(_decoded(data), f"audio/{kind}")
        case {"type": "file", "file": {"file_data": str()} | {"file_id": str()} as file}:
            return _file(cast("Mapping[str, Any]", file))
        case {"type": str(kind)} if kind in PARTS:
            raise ValueError(f"expected {kind} as {PARTS[kind]}, found {shown(part)}")
        case {"type": kind}:
            raise ValueError(f"expected one of {', '.join(PARTS)}, found type {shown(kind)}")
        case _:
            raise ValueError(f"expected an object with a type, found {shown(part)}")


def _refusal(text: str) -> Document:
    return text_part(text, {"refusal": True})


def _image(url: str) -> Document:
    if _is_data_uri(url):
        return _embedded(url)
    if not SCHEME.match(url):
        raise ValueError(f"expected a URL or a data: URI, found {shown(url)}")
    mime_type, _ = mimetypes.guess_file_type(re.split(r"[?#]", url, maxsplit=1)[0])
    is_image = mime_type is not None and mime_type.startswith("image/")
    return reference_part(url, mime_type if is_image else None)


def _file(file: Mapping[str, Any]) -> Document:
    name = file.get("filename")
    meta = {"name": name} if isinstance(name, str) else {}
    match file:
        case {"file_data": str(data)} if _is_data_uri(data):
            return _embedded(data, meta)
        case {"file_data": str(data)}:
            mime_type, _ = mimetypes.guess_file_type(meta.get("name", ""))
            return data_part(_decoded(data), mime_type or "application/octet-stream", meta)
        case _:
            # an id is valid only in the store of its upload, which the URI names
            uri = f"openai://files/{quote(file['file_id'], safe='')}"
            return reference_part(uri, None, meta)


def _is_data_uri(uri: str) -> bool:
    return uri[:5].lower() == "data:"


def _embedded(uri: str, meta: Mapping[str, str] | None = None) -> Document:
    if (match := DATA_URI.fullmatch(uri)) is None:
        raise ValueError(f"expected data:<type>;base64,<data>, found {shown(uri)}")
    decode = _decoded if match["base64"] else unquote_to_bytes
    return data_part(decode(match["data"]), match["mime_type"] or "text/plain", meta)


def _decoded(data: str) -> bytes:
    try:
        return b64decode("".join(data.split()), validate=True)
    except ValueError as error:
        raise ValueError(f"expected base64 data, found {shown(data)}") from error
