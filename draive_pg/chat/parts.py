"""Read the content of messages: text, images, files, reasoning, tool calls and tool results.

Formats mix (a log of one tool contains the messages of another), so the types of all formats are
read everywhere; they have different names.
"""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import json
import mimetypes
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, unquote_to_bytes

from draive_pg.chat.conversation import Block, Call, Result, Thought, Unreadable
from draive_pg.codec.elements import Document, data_part, reference_part, text_part
from draive_pg.codec.validation import shown

# Types whose shape is fixed, for errors.
SHAPES: Mapping[str, str] = {
    "text": '{"text": "..."}',
    "input_text": '{"text": "..."}',
    "output_text": '{"text": "..."}',
    "refusal": '{"refusal": "..."}',
    "image_url": '{"image_url": {"url": "..."}}',
    "input_audio": '{"input_audio": {"data": "...", "format": "..."}}',
    "file": '{"file": {"file_data": "...", "filename": "..."}} or {"file": {"file_id": "..."}}',
}

TEXTS = (
    "text",
    "input_text",
    "output_text",
    "summary_text",
    "reasoning_text",
    "knowledge",
    "text-plain",
)
STEPS = ("step-start", "step-finish", "step_start", "step_finish")  # of the AI SDK: no content

DATA_URI = re.compile(
    r"data:(?P<mime_type>[^,]*?)(?P<base64>;base64)?,(?P<data>.*)", re.DOTALL | re.IGNORECASE
)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
BINARY = "application/octet-stream"


def read_content(value: Any) -> list[Block]:
    """Read the content of a message: text, one part, or a list of them; None is empty."""
    match value:
        case None:
            return []
        case str():
            return [text_part(value)]
        case list() | tuple():
            found: list[Block] = []
            for position, part in enumerate(cast("Sequence[Any]", value), start=1):
                found.extend(read_part(position, part))
            return found
        case {"parts": list() | {"text": str()} as parts}:
            return read_content(parts)
        case {"type": str()} | {"text": str()}:
            return read_content([value])
        case _:
            problem = f"expected content that is text or a list of parts, found {shown(value)}"
            return [Unreadable(problem, value)]


def read_result(value: Any) -> Sequence[Block]:
    """Read what a tool returned: content as `read_content` reads it, other JSON as its text."""
    match value:
        case None | str():
            return read_content(value)
        case list() | tuple() if value and all(map(_is_typed, value)):
            return _returned(value, value)
        case [{"functionResponse": _}, *_] | [{"function_response": _}, *_]:
            return read_content(value)
        case {"type": "text" | "json" | "error-text" | "error-json", "value": found}:
            return read_result(found)
        case {"type": "content", "value": list() as found}:
            return read_result(found)
        case {"type": "execution-denied"}:  # of the AI SDK
            return read_content(value.get("reason"))
        case {"type": str()}:
            return _returned([value], value)
        case _:
            return [text_part(as_text(value))]


def _returned(items: Sequence[Any], value: object) -> Sequence[Block]:
    """Read items that a tool returned: data that has types as well is no content."""
    blocks: list[Block] = []
    is_content = False
    for position, part in enumerate(items, start=1):
        found = [*read_part(position, part)] if _is_part(part) else [text_part(as_text(part))]
        is_content |= _is_part(part) and not any(isinstance(each, Unreadable) for each in found)
        blocks += found
    return blocks if is_content else [text_part(as_text(value))]


def as_text(value: object) -> str:
    """Return text unchanged, and other values as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def rest(fields: Mapping[str, Any], *read: str) -> dict[str, Any]:
    """Return the fields that were not read, without empty ones."""
    return {
        name: value for name, value in fields.items() if name not in read and not is_empty(value)
    }


def without(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the other fields."""
    return {name: value for name, value in fields.items() if name not in names}


def is_empty(value: object) -> bool:
    """Return True for None, and for empty text, lists and objects."""
    return not value and (value is None or isinstance(value, str | Sequence | Mapping))


def image(url: str, meta: Mapping[str, Any] | None = None) -> Document:
    """Build a part of an image by its URL or data: URI."""
    if is_data_uri(url):
        return embedded(url, meta)
    if not SCHEME.match(url):
        raise ValueError(f"expected a URL or a data: URI, found {shown(url)}")
    mime_type, _ = mimetypes.guess_file_type(re.split(r"[?#]", url, maxsplit=1)[0])
    is_image = mime_type is not None and mime_type.startswith("image/")
    return reference_part(url, mime_type if is_image else None, meta)


def media(value: str, mime_type: str | None, meta: Mapping[str, Any] | None = None) -> Document:
    """Build a part of a URL, a data: URI or base64 data."""
    if is_data_uri(value):
        return embedded(value, meta)
    if re.match(r"[a-z][a-z0-9+.-]+://", value, re.IGNORECASE):
        return reference_part(value, mime_type, meta)
    return data_part(decoded(value), mime_type or BINARY, meta)


def uploaded(identifier: str, meta: Mapping[str, Any] | None = None) -> Document:
    """Build a part of a file that was uploaded to OpenAI."""
    # an id is valid only in the store of its upload, which the URI names
    return reference_part(f"openai://files/{quote(identifier, safe='')}", None, meta)


def earlier_audio(identifier: str) -> Document:
    """Build a part of the audio of an earlier answer of OpenAI, which a request names."""
    return reference_part(f"openai://audio/{quote(identifier, safe='')}", None)


def is_data_uri(uri: str) -> bool:
    """Return True for a data: URI."""
    return uri[:5].lower() == "data:"


def embedded(uri: str, meta: Mapping[str, Any] | None = None) -> Document:
    """Build a part of the data in a data: URI."""
    if (match := DATA_URI.fullmatch(uri)) is None:
        raise ValueError(f"expected data:<type>;base64,<data>, found {shown(uri)}")
    decode = decoded if match["base64"] else unquote_to_bytes
    return data_part(decode(match["data"]), match["mime_type"] or "text/plain", meta)


def decoded(data: str) -> bytes:
    """Decode base64 data, or raise ValueError."""
    try:
        return b64decode("".join(data.split()), validate=True)
    except ValueError as error:
        raise ValueError(f"expected base64 data, found {shown(data)}") from error


def refusal(text: str) -> Document:
    """Build a part of a refusal."""
    return text_part(text, {"refusal": True})


def _is_typed(value: object) -> bool:
    match value:
        case str() | {"type": str()}:
            return True
        case _:
            return False


def _is_part(value: object) -> bool:
    match value:
        case str():
            return True
        case {"type": str(kind)}:
            return kind in TEXTS or kind in SHAPES or kind in READERS
        case _:
            return False


def read_part(position: int, part: object) -> Iterator[Block]:
    """Read one part of a content; a misshapen one is unreadable, with its position."""
    try:
        yield from _part(part)
    except ValueError as error:
        yield Unreadable(f"part {position}: {error}", part)


def _part(part: Any) -> Sequence[Block]:  # noqa: PLR0911 - one return per kind
    match part:
        case str():
            return [text_part(part)]
        case {"type": str(kind), "text": str(text)} if kind in TEXTS:
            return [text_part(text, rest(part, "type", "text"))]
        case {"type": str(kind), "text": {"value": str(text)} as value} if kind in TEXTS:
            return [text_part(text, rest(value, "value"))]  # OpenAI Assistants
        case {"type": str(kind)} if kind in STEPS:
            return []
        case {"type": str(kind), "toolCallId": str()} if kind not in READERS and kind.startswith(
            ("tool-", "dynamic-tool")
        ):
            return _tool_part(kind, cast("Mapping[str, Any]", part))
        case {"type": str(kind), "data": data} if kind.startswith("data-"):
            return [artifact(kind, data)]  # of the AI SDK
        case {"type": str(kind)} if kind.endswith("_tool_result"):
            return _tool_result(cast("Mapping[str, Any]", part))
        case {"type": str(kind)} if kind in READERS:
            return READERS[kind](cast("Mapping[str, Any]", part))
        case {"type": str(kind)} if kind in SHAPES:
            raise _misshapen(kind, part)
        case {"type": kind}:
            known = ", ".join(SHAPES)
            raise ValueError(f"expected one of {known}, found type {shown(kind)}")
        case Mapping():
            return _gemini(cast("Mapping[str, Any]", part))
        case _:
            raise ValueError(f"expected an object with a type, found {shown(part)}")


# --- Parts with a type


def _refusal(part: Mapping[str, Any]) -> Sequence[Block]:
    match part:
        case {"refusal": str(text)}:
            return [refusal(text)]
        case _:
            raise _misshapen("refusal", part)


def _image_url(part: Mapping[str, Any]) -> Sequence[Block]:
    match part:
        case {"image_url": {"url": str(url)} as fields}:
            return [image(url, rest(fields, "url"))]
        case {"image_url": str(url)}:
            return [image(url, rest(part, "type", "image_url"))]
        case {"file_id": str(identifier)} | {"image_file": {"file_id": str(identifier)}}:
            return [uploaded(identifier, rest(part, "type", "file_id", "image_file"))]
        case _:
            raise _misshapen("image_url", part)


def _linked(part: Mapping[str, Any]) -> Sequence[Block]:
    """Read audio, video or a document by its URL, as open models take it."""
    kind = part["type"]
    match part.get(kind):
        case {"url": str(url)} | str(url):
            return [media(url, None, rest(part, "type", kind))]
        case _:
            raise ValueError(f"expected {part['type']} with a url, found {shown(part)}")


def _input_audio(part: Mapping[str, Any]) -> Sequence[Block]:
    match part:
        case {"input_audio": {"data": str(data), "format": str(kind)}}:
            return [data_part(decoded(data), f"audio/{kind}")]
        case {"input_audio": str(found)}:  # of Mistral
            return [media(found, "audio/*")]
        case _:
            raise _misshapen("input_audio", part)


def _file(part: Mapping[str, Any]) -> Sequence[Block]:
    """Read a file of OpenAI, or of the AI SDK, which has a media type."""
    mime_type = part.get("mediaType") or part.get("mimeType") or part.get("mime_type")
    read = ("type", "mediaType", "mimeType", "mime_type", "data", "url", "base64", "filename")
    meta = rest({"name": part.get("filename"), **part}, *read)
    match part:
        case {"file": Mapping() as file}:
            return [_openai_file(cast("Mapping[str, Any]", file))]
        case {"file_id": str(identifier)}:
            return [uploaded(identifier, rest(meta, "file_id"))]
        case {"url": str(found)} | {"data": str(found)} | {"base64": str(found)}:
            return [media(found, mime_type if isinstance(mime_type, str) else None, meta)]
        case _:
            raise _misshapen("file", part)


def _input_file(part: Mapping[str, Any]) -> Sequence[Block]:
    match part:
        case {"file_url": str(url)}:
            return [reference_part(url, None, rest(part, "type", "file_url"))]
        case _:
            return [_openai_file(part)]


def _openai_file(file: Mapping[str, Any]) -> Document:
    name = file.get("filename")
    meta = {"name": name} if isinstance(name, str) else {}
    match file:
        case {"file_data": str(data)} if is_data_uri(data):
            return embedded(data, meta)
        case {"file_data": str(data)}:
            mime_type, _ = mimetypes.guess_file_type(meta.get("name", ""))
            return data_part(decoded(data), mime_type or BINARY, meta)
        case {"file_id": str(identifier)}:
            return uploaded(identifier, meta)
        case _:
            raise _misshapen("file", {"type": "file", "file": file})


def _sourced(part: Mapping[str, Any]) -> Sequence[Block]:  # noqa: PLR0911 - one return per kind
    """Read an image or document of Anthropic, or an image of the AI SDK or LangChain."""
    meta = rest(
        part, "type", "source", "image", "mediaType", "mimeType", "mime_type", "cache_control"
    )
    found = part.get("mediaType") or part.get("mimeType") or part.get("mime_type")
    mime_type = found if isinstance(found, str) else None
    match part:
        case {"source": Mapping() as source}:
            return _source_of(cast("Mapping[str, Any]", source), meta)
        case {"image": str(found)}:
            return [media(found, mime_type, meta)]
        case {"url": str(url)}:
            return [image(url, rest(meta, "url"))]
        case {"base64": str(data)} | {"data": str(data)}:
            return [media(data, mime_type, rest(meta, "base64", "data"))]
        case {"file_id": str(identifier)}:
            return [uploaded(identifier, rest(meta, "file_id"))]
        case {"file_uri": str(uri)}:
            return [reference_part(uri, mime_type, rest(meta, "file_uri"))]
        case {"document": {"data": data, **others}}:  # of Cohere
            return [text_part(as_text(data), others)]
        case {"type": "image"} if len(part) == 1:  # of TRL, which has them beside
            return [artifact("image", part)]
        case {"file_uuid": str(identifier)}:  # of Claude's export
            return [reference_part(f"claude://files/{quote(identifier, safe='')}", None)]
        case _:
            raise ValueError(f"expected an image with its data or URL, found {shown(part)}")


def _source_of(source: Mapping[str, Any], meta: Mapping[str, Any]) -> Sequence[Block]:
    match source:
        case {"type": "base64", "data": str(data), "media_type": str(kind)}:
            return [data_part(decoded(data), kind, meta)]
        case {"type": "url", "url": str(url)}:
            return [image(url, meta)]
        case {"type": "file", "file_id": str(identifier)}:
            return [reference_part(f"anthropic://files/{quote(identifier, safe='')}", None, meta)]
        case {"type": "text", "data": str(text)}:
            return [text_part(text, meta)]
        case {"type": "content", "content": found}:
            return read_content(found)
        case _:
            raise ValueError(
                f"expected a source of base64 data, a URL or text, found {shown(source)}"
            )


def _search_result(part: Mapping[str, Any]) -> Sequence[Block]:
    meta = rest(part, "type", "content", "cache_control")
    return [text_part(text, meta) for text in _texts(part.get("content"))]


def _upload(part: Mapping[str, Any]) -> Sequence[Block]:
    identifier = quote(str(part.get("file_id")), safe="")
    return [reference_part(f"anthropic://files/{identifier}", None)]


def _thinking(part: Mapping[str, Any]) -> Sequence[Block]:
    """Read the reasoning of any format: ``thinking``, ``text``, ``summary``, ``content``."""
    read = ("type", "thinking", "think", "reasoning", "text", "summary", "content", "status")
    texts = [text for name in read[1:7] for text in _texts(part.get(name))]
    return [Thought([text_part(text) for text in texts], rest(part, *read))]


def _texts(value: object) -> Iterator[str]:
    match value:
        case str() if value:
            yield value
        case list() | tuple():
            for each in cast("Sequence[Any]", value):
                yield from _texts(each)
        case {"text": str(text)} | {"value": str(text)} | {"summary": str(text)} if text:
            yield text
        case _:
            return


def _call(part: Mapping[str, Any]) -> Sequence[Block]:
    """Read a call: Anthropic's ``tool_use``, Responses' ``function_call``, ``tool-call``."""
    tool = first_text(part, "name", "toolName", "tool_name")
    if not tool:
        raise ValueError(f"expected a tool call with a name, found {shown(part)}")
    names = ("call_id", "toolCallId", "tool_call_id", "id")
    arguments = ("input", "arguments", "args")
    meta = rest(
        part, "type", "name", "toolName", "tool_name", *names, *arguments, "status", "cache_control"
    )
    found = next((part[name] for name in arguments if part.get(name) is not None), None)
    if part.get("type") == "custom_tool_call":  # its input is any text
        found, meta = {"input": found}, {"type": "custom", **meta}
    return [Call(tool, found, first_text(part, *names), meta)]


def _tool_result(part: Mapping[str, Any]) -> Sequence[Block]:
    contents = ("content", "output", "result")
    found = next((part[name] for name in contents if part.get(name) is not None), None)
    if found == [] and "content" in part:  # without parts, not a list that was returned
        found = None
    calls = ("tool_use_id", "toolCallId", "tool_call_id", "call_id")
    names = ("toolName", "tool_name", "name")
    kind = found.get("type") if isinstance(found, Mapping) else None
    failed = (
        part.get("is_error") is True
        or part.get("isError") is True
        or part.get("status") == "error"
        or kind == "execution-denied"
        or (isinstance(kind, str) and (kind.startswith("error-") or kind.endswith("_error")))
    )
    read = ("type", "id", "is_error", "isError", "status", "cache_control")
    return [
        Result(
            read_result(found),
            call=first_text(part, *calls),
            tool=first_text(part, *names),
            failed=failed,
            meta=rest(part, *contents, *calls, *names, *read),
        )
    ]


def _tool_part(kind: str, part: Mapping[str, Any]) -> Sequence[Block]:
    """Read ``tool-call``, ``tool-result`` or, in version 5, ``tool-NAME`` of the AI SDK."""
    if kind in ("tool-call", "tool-result"):
        return _call(part) if kind == "tool-call" else _tool_result(part)
    tool = part.get("toolName") or kind.removeprefix("tool-")
    return invocation({**part, "toolName": tool}, "type")


def _invocation(part: Mapping[str, Any]) -> Sequence[Block]:
    match part:
        case {"toolInvocation": Mapping() as found}:
            return invocation(cast("Mapping[str, Any]", found))
        case _:
            raise ValueError(f"expected a toolInvocation, found {shown(part)}")


def invocation(fields: Mapping[str, Any], *read: str) -> Sequence[Block]:
    """Read a call of the AI SDK together with its result."""
    tool, call = fields.get("toolName"), fields.get("toolCallId")
    if not isinstance(tool, str) or not tool:
        raise ValueError(f"expected a tool invocation with a toolName, found {shown(fields)}")
    identifier = call if isinstance(call, str) and call else None
    arguments = fields.get("args") if fields.get("args") is not None else fields.get("input")
    known = (
        "toolName",
        "toolCallId",
        "args",
        "input",
        "result",
        "output",
        "errorText",
        "state",
        "step",
    )
    blocks: list[Block] = [Call(tool, arguments, identifier, rest(fields, *known, *read))]
    state = fields.get("state")
    if state in ("output-error", "error") or isinstance(fields.get("errorText"), str):
        text = fields.get("errorText")
        blocks.append(Result(read_result(text), identifier, tool, failed=True))
    elif state == "output-denied":
        reason = cast("Mapping[str, Any]", fields.get("approval") or {}).get("reason")
        blocks.append(Result(read_result(reason), identifier, tool, failed=True))
    elif state in ("result", "output-available") or "result" in fields or "output" in fields:
        returned = fields.get("result") if "result" in fields else fields.get("output")
        blocks.append(Result(read_result(returned), identifier, tool))
    return blocks


def _source(part: Mapping[str, Any]) -> Sequence[Block]:
    """Read a source of an answer, of the AI SDK."""
    found = part.get("source")
    fields = cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else part
    return [artifact("source", rest(fields, "type"))]


def artifact(kind: str, data: object) -> Document:
    """Build a part of data that is no text of the conversation: a mapping, or a value."""
    found = data if isinstance(data, Mapping) else {"value": data}
    return {"category": kind, "artifact": found, "hidden": True, "meta": {}}


def _record(part: Mapping[str, Any]) -> Sequence[Block]:
    return [artifact(part["type"], part)]


def _generated(part: Mapping[str, Any]) -> Sequence[Block]:
    """Read an image that the Responses API made."""
    match part:
        case {"result": str(data)} if data:
            kind = f"image/{first_text(part, 'output_format') or 'png'}"
            return [data_part(decoded(data), kind, rest(part, "type", "id", "result", "status"))]
        case _:
            return _record(part)


def _compaction(part: Mapping[str, Any]) -> Sequence[Block]:
    """Read the summary that replaces earlier messages, of Anthropic."""
    match part:
        case {"content": str(text)}:
            return [text_part(text, {"compaction": True, **rest(part, "type", "content")})]
        case _:
            return _record(part)


def _tool_call_part(part: Mapping[str, Any]) -> Sequence[Block]:
    """Read a call: LibreChat's with its output, or LangChain's."""
    match part:
        case {"tool_call": {"name": str(tool)} as call}:
            call = cast("Mapping[str, Any]", call)
            found = first_text(call, "id")
            meta = rest(call, "id", "name", "args", "output", "type", "progress")
            blocks: list[Block] = [Call(tool, call.get("args"), found, meta)]
            if call.get("output") is not None:
                blocks.append(Result(read_result(call["output"]), found, tool))
            return blocks
        case _:
            return _call(part)


def _error(part: Mapping[str, Any]) -> Sequence[Block]:
    return [text_part(text, {"error": True}) for text in _texts(part.get("error"))]


READERS = {
    "refusal": _refusal,
    "image_url": _image_url,
    "input_image": _image_url,
    "audio_url": _linked,
    "video_url": _linked,
    "computer_screenshot": _image_url,
    "input_audio": _input_audio,
    "file": _file,
    "input_file": _input_file,
    "image_file": _image_url,
    "image": _sourced,
    "document": _sourced,
    "audio": _sourced,
    "video": _sourced,
    "text-plain": _sourced,
    "media": _sourced,
    "image-data": _sourced,
    "image-url": _sourced,
    "file-data": _file,
    "file-url": _file,
    "document_url": _linked,
    "search_result": _search_result,
    "container_upload": _upload,
    "thinking": _thinking,
    "think": _thinking,
    "reasoning": _thinking,
    "redacted_thinking": _thinking,
    "redacted-reasoning": _thinking,
    "reasoning.text": _thinking,
    "reasoning.summary": _thinking,
    "reasoning.encrypted": _thinking,
    "tool_use": _call,
    "server_tool_use": _call,
    "mcp_tool_use": _call,
    "function_call": _call,
    "custom_tool_call": _call,
    "server_tool_call": _call,
    "image_generation_call": _generated,
    "tool_call": _tool_call_part,
    "tool-call": _call,
    "tool_result": _tool_result,
    "tool-result": _tool_result,
    "server_tool_result": _tool_result,
    "function_call_output": _tool_result,
    "custom_tool_call_output": _tool_result,
    "tool-invocation": _invocation,
    "source": _source,
    "source-url": _source,
    "source-document": _source,
    "error": _error,
    "compaction": _compaction,
    **dict.fromkeys(
        (
            "custom",
            "fallback",
            "mcp_tool_listing",
            "non_standard",
            "reference",
            "tool-approval-request",
            "tool-approval-response",
            "tool_addition",
            "tool_removal",
        ),
        _record,
    ),
}


# --- Parts of Gemini, which have no type


def _gemini(part: Mapping[str, Any]) -> Sequence[Block]:  # noqa: PLR0911 - one return per kind
    match part:
        case {"text": str(text), "thought": True}:
            return [Thought([text_part(text)], rest(part, "text", "thought"))]
        case {"text": str(text)}:
            return [text_part(text, rest(part, "text", "thought"))]
        case {"functionCall": Mapping() as call} | {"function_call": Mapping() as call}:
            meta = rest(part, "functionCall", "function_call")
            return [
                Call(each.tool, each.arguments, each.identifier, {**each.meta, **meta})
                for each in _call(cast("Mapping[str, Any]", call))
                if isinstance(each, Call)
            ]
        case {"functionResponse": Mapping() as found} | {"function_response": Mapping() as found}:
            return [_gemini_result(cast("Mapping[str, Any]", found))]
        case {"inlineData": Mapping() as data} | {"inline_data": Mapping() as data}:
            return [_gemini_data(data, rest(part, "inlineData", "inline_data"))]
        case {"fileData": Mapping() as file} | {"file_data": Mapping() as file}:
            return [_gemini_file(file, rest(part, "fileData", "file_data"))]
        case {"toolCall": Mapping() as call} | {"tool_call": Mapping() as call}:
            tool = first_text(call, "toolType", "tool_type") or "tool"
            meta = rest(part, "toolCall", "tool_call")
            return [Call(tool, call.get("args"), first_text(call, "id"), meta)]
        case {"toolResponse": Mapping() as found} | {"tool_response": Mapping() as found}:
            tool = first_text(found, "toolType", "tool_type")
            meta = rest(part, "toolResponse", "tool_response")
            response = read_result(found.get("response"))
            return [Result(response, first_text(found, "id"), tool, meta=meta)]
        case {"executableCode": Mapping() as code} | {"executable_code": Mapping() as code}:
            return [artifact("executable_code", code)]
        case {"codeExecutionResult": Mapping() as found} | {
            "code_execution_result": Mapping() as found
        }:
            return [artifact("code_execution_result", found)]
        case {"image": str(url)} | {"image_url": str(url)}:
            return [image(url)]
        case _:
            return _converse(part)


def _converse(part: Mapping[str, Any]) -> Sequence[Block]:  # noqa: PLR0911 - one return per kind
    """Read a part of the Converse API of Amazon Bedrock, whose bytes are base64 text."""
    match part:
        case {"toolUse": {"toolUseId": str(call), "name": str(tool)} as found}:
            return [Call(tool, found.get("input"), call)]
        case {"toolResult": {"toolUseId": str(call), "content": list() as items, **others}}:
            parts = [block for each in items for block in _converse_result(each)]
            return [Result(parts, call, failed=others.get("status") == "error")]
        case {"reasoningContent": {"reasoningText": {"text": str(text), **signature}}}:
            return [Thought([text_part(text)], signature)]
        case {"reasoningContent": {"redactedContent": str(data)}}:
            return [Thought([], {"data": data})]
        case {"cachePoint": _}:
            return []
        case {"citationsContent": {"content": list() as items, **citations}}:
            return [text_part(text, citations) for text in _texts(items)]
        case (
            {"image": {"source": {"s3Location": {"uri": str(uri)}}}}
            | {"video": {"source": {"s3Location": {"uri": str(uri)}}}}
            | {"document": {"source": {"s3Location": {"uri": str(uri)}}}}
        ):
            return [reference_part(uri, None)]
        case {"image": {"format": str(kind), "source": {"bytes": str(data)}}}:
            return [data_part(decoded(data), f"image/{kind}")]
        case {"video": {"format": str(kind), "source": {"bytes": str(data)}}}:
            return [data_part(decoded(data), f"video/{kind}")]
        case {"document": {"format": str(kind), "source": {"bytes": str(data)}, **named}}:
            mime_type, _ = mimetypes.guess_file_type(f"document.{kind}")
            return [data_part(decoded(data), mime_type or BINARY, rest(named))]
        case _:
            raise ValueError(f"expected an object with a type, found {shown(part)}")


def _converse_result(item: Any) -> Sequence[Block]:
    match item:
        case {"json": found}:
            return read_result(found)
        case _:
            return read_content([item])


def _gemini_result(fields: Mapping[str, Any]) -> Result:
    response, failed = fields.get("response"), False
    match response:
        # the wrappers of Google's libraries
        case {"result": found, **others} | {"output": found, **others} if not others:
            response = found
        case {"error": found, **others} if not others:
            response, failed = found, True
        case _:
            pass
    return Result(
        [*read_result(response), *read_content(fields.get("parts"))],
        call=first_text(fields, "id"),
        tool=first_text(fields, "name"),
        failed=failed,
        meta=rest(fields, "id", "name", "response", "parts"),
    )


def _gemini_file(file: Mapping[str, Any], meta: Mapping[str, Any]) -> Document:
    uri = first_text(file, "fileUri", "file_uri")
    if uri is None:
        raise ValueError(f"expected fileData with a fileUri, found {shown(file)}")
    return reference_part(uri, first_text(file, "mimeType", "mime_type"), _named(file, meta))


def _named(file: Mapping[str, Any], meta: Mapping[str, Any]) -> Mapping[str, Any]:
    name = first_text(file, "displayName", "display_name")
    return {"name": name, **meta} if name else meta


def _gemini_data(data: Mapping[str, Any], meta: Mapping[str, Any]) -> Document:
    match data:
        case {"data": str(text)}:
            # base64 with the alphabet of URLs is allowed, too
            text = text.replace("-", "+").replace("_", "/")
            kind = first_text(data, "mimeType", "mime_type") or BINARY
            return data_part(decoded(text + "=" * (-len(text) % 4)), kind, _named(data, meta))
        case _:
            raise ValueError(f"expected inlineData with data, found {shown(data)}")


def first_text(fields: Mapping[str, Any], *names: str) -> str | None:
    """Return the first field that holds text."""
    for name in names:
        if isinstance(value := fields.get(name), str) and value:
            return value
    return None


def _misshapen(kind: str, part: object) -> ValueError:
    return ValueError(f"expected {kind} as {SHAPES[kind]}, found {shown(part)}")


def end_of_last(tag: re.Pattern[str], text: str) -> int:
    """Return the end of the last closing tag in a text, or 0.

    A search from opening to closing tags takes quadratic time where no closing tag follows.
    """
    return max((found.end() for found in tag.finditer(text)), default=0)
