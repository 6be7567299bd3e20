"""OpenAI chat messages, as in fine-tuning files."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from draive_pg.chat.conversation import Call, Conversation, Message, Result, Thought
from draive_pg.chat.export.tools import functions, to_openai
from draive_pg.chat.export.writer import (
    Fields,
    Writer,
    arguments_of,
    calls_of,
    input_of,
    name,
    parts_in,
    result_of,
    text_of,
)
from draive_pg.chat.parts import as_text, without
from draive_pg.codec.elements import Document

UPLOADS = "openai://files/"
AUDIO = "openai://audio/"
AUDIO_FORMATS: Mapping[str, str] = {"mpeg": "mp3", "wave": "wav", "x-wav": "wav"}
URL_ALPHABET = str.maketrans("-_", "+/")
BESIDE = ("functions", "parallel_tool_calls")  # variables that are fields of fine-tuning files


def write(conversation: Conversation, writer: Writer) -> Fields:
    """Write a conversation as an object with messages."""
    tools = [to_openai(each) for each in functions(conversation.variables.get("tools"), writer)]
    beside = {key: conversation.variables[key] for key in BESIDE if key in conversation.variables}
    return {
        **writer.about(conversation),
        "messages": [write_message(each, writer) for each in conversation.messages],
        **({"tools": tools} if tools else {}),
        **beside,
    }


def write_message(message: Message, writer: Writer) -> Fields:
    """Write one message."""
    about = writer.about_message(message)
    writer.check_meta(message, Mapping, Result)
    writer.check_order(message)
    parts = [part for part in parts_in(message.blocks) if not (_is_refusal(part) or _audio(part))]
    content = _content(parts, writer)
    if (result := result_of(message)) is not None:
        named = {"name": name(result.tool or "")} if "name" in result.meta else {}
        failed = {"is_error": True} if result.failed and writer.metadata else {}
        return {
            **about,
            **(without(result.meta, "name") if writer.metadata else {}),
            "role": "tool",
            "tool_call_id": result.call,
            **named,
            **failed,
            "content": _content(parts_in(result.parts), writer),
        }
    spoken = message.meta.get("name")
    fields: Fields = {
        **about,
        "role": message.role,
        **({"name": name(spoken)} if isinstance(spoken, str) and spoken else {}),
        "content": content,
    }
    if message.role != "assistant":
        return fields
    if "weight" in message.meta:
        fields["weight"] = message.meta["weight"]
    calls = calls_of(message)
    refused = [part["text"] for part in parts_in(message.blocks) if _is_refusal(part)]
    audio = next(filter(None, map(_audio, parts_in(message.blocks))), None)
    if not content and (calls or refused or audio):
        fields["content"] = None
    if refused:
        fields["refusal"] = "".join(refused)
    if audio:
        fields["audio"] = {"id": audio}
    if calls:
        fields["tool_calls"] = [_call(each) for each in calls]
    if thoughts := [block for block in message.blocks if isinstance(block, Thought)]:
        if writer.metadata:
            fields["reasoning_content"] = text_of(part for each in thoughts for part in each.parts)
            if any(each.meta for each in thoughts):
                writer.left_out.add("signatures of reasoning")
        else:
            writer.left_out.add("reasoning")
    return fields


def _call(call: Call) -> Fields:
    if call.meta.get("type") == "custom":
        custom = {"name": name(call.tool), "input": input_of(call)}
        return {"id": call.identifier, "type": "custom", "custom": custom}
    arguments = arguments_of(call)
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {
        "id": call.identifier,
        "type": "function",
        "function": {"name": name(call.tool), "arguments": text},
    }


def _content(parts: Sequence[Document], writer: Writer) -> str | list[Fields]:
    """Return content: text if it is one text, else a list of parts."""
    written = [found for part in parts if (found := write_part(part, writer)) is not None]
    match written:
        case []:
            return ""
        case [{"type": "text", "text": str(text), **others}] if not others:
            return text
        case _:
            return written


def write_part(part: Document, writer: Writer) -> Fields | None:
    """Write a content part; None if it is left out."""
    meta: Mapping[str, Any] = part.get("meta") or {}
    match part:
        case {"text": str(text)}:
            return {"type": "text", "text": text, **(meta if writer.metadata else {})}
        case {"data": str(data), "mime_type": str(kind)}:
            return _data(data.translate(URL_ALPHABET), kind, meta)
        case {"uri": str(uri)} if uri.startswith(UPLOADS):
            return {"type": "file", "file": {"file_id": unquote(uri.removeprefix(UPLOADS))}}
        case {"uri": str(uri)} if not writer.can_refer_to(uri):
            return None
        case {"uri": str(uri)}:
            if (part.get("mime_type") or "image/").startswith("image/"):
                return {"type": "image_url", "image_url": {"url": uri, **_detail(meta)}}
            return {"type": "text", "text": uri}
        case {"hidden": True}:
            writer.left_out.add("hidden artifacts")
            return None
        case _:
            return {"type": "text", "text": as_text(part.get("artifact"))}


def _data(data: str, kind: str, meta: Mapping[str, Any]) -> Fields:
    uri = f"data:{kind};base64,{data}"
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": uri, **_detail(meta)}}
    if kind.startswith("audio/"):
        form = kind.removeprefix("audio/")
        audio = {"data": data, "format": AUDIO_FORMATS.get(form, form)}
        return {"type": "input_audio", "input_audio": audio}
    file = {"file_data": uri, **({"filename": meta["name"]} if "name" in meta else {})}
    return {"type": "file", "file": file}


def _detail(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"detail": meta["detail"]} if "detail" in meta else {}


def _audio(part: Document) -> str | None:
    """Return the id of the audio of an earlier answer, if a part refers to one."""
    match part:
        case {"uri": str(uri)} if uri.startswith(AUDIO):
            return unquote(uri.removeprefix(AUDIO))
        case _:
            return None


def _is_refusal(part: Document) -> bool:
    return part.get("meta") == {"refusal": True}
