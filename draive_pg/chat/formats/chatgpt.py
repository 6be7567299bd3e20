"""ChatGPT's export: a tree of messages, ``conversations.json`` in a ZIP archive."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from draive_pg.chat.conversation import (
    Block,
    Call,
    Conversation,
    Message,
    Result,
    Thought,
    Unreadable,
)
from draive_pg.chat.formats.format import (
    Fields,
    Format,
    Reader,
    branch,
    branches,
    has,
    joined,
)
from draive_pg.chat.parts import as_text, rest, without
from draive_pg.chat.roles import role_of
from draive_pg.chat.times import read_time
from draive_pg.codec.elements import Document, reference_part, text_part
from draive_pg.codec.validation import shown

INSTRUCTIONS = ("user_editable_context", "model_editable_context")
INSTRUCTION_TEXTS = ("user_profile", "user_instructions", "model_set_context")
# Identifiers and repetitions in the metadata of messages.
INTERNAL = (
    "aggregate_result",
    "is_visually_hidden_from_conversation",
    "message_type",
    "model_slug",
    "parent_id",
    "request_id",
    "timestamp_",
    "turn_exchange_id",
    "user_context_message_data",
)
READ = (
    "id",
    "author",
    "create_time",
    "update_time",
    "content",
    "metadata",
    "recipient",
    "status",
    "end_turn",
    "weight",
)
POINTERS = ("audio_asset_pointer", "video_container_asset_pointer", "frames_asset_pointers")


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    nodes: Mapping[str, Any] = {
        key: node for key, node in fields["mapping"].items() if isinstance(node, Mapping)
    }
    parents = {key: node.get("parent") for key, node in nodes.items()}
    about = without(fields, "id") if fields.get("conversation_id") else fields
    paths, others = branches(parents, fields.get("current_node"), reader.options.branches)
    for number, path in enumerate(paths or [[]]):
        spoken = (_message(nodes[key].get("message")) for key in path)
        messages = _paired(joined(message for message in spoken if message is not None))
        found = reader.conversation(about, messages, "mapping", "current_node")
        yield branch(found, path[-1] if number else None, others)


def _message(value: Any) -> Message | None:
    """Read the message of a node; None for the empty ones at the root."""
    if value is None:
        return None
    match value:
        case {"author": {"role": str(label)} as author, "content": Mapping() as content} if (
            role := role_of(label)
        ):
            metadata = cast("Fields", value.get("metadata") or {})
            blocks = [*_blocks(cast("Fields", content)), *_plots(metadata)]
        case _:
            problem = f"expected an author with a role, and content, found {shown(value)}"
            return Message("", [Unreadable(problem, value)])
    if not blocks and not (role == "user" and metadata.get("attachments")):
        return None
    created = read_time(value.get("create_time"))
    name, recipient = author.get("name"), value.get("recipient")
    meta = rest(
        {
            "model": metadata.get("model_slug"),
            **without(value, *READ),
            **without(metadata, *INTERNAL),
        }
    )
    if content.get("content_type") in INSTRUCTIONS:
        return Message("system", blocks, created, {}, label)
    if role == "tool":
        failed = content.get("content_type") == "system_error"
        return Message(role, [Result(blocks, tool=name, failed=failed)], created, meta, label)
    if role == "assistant" and isinstance(recipient, str) and recipient not in ("all", ""):
        texts = [each["text"] for each in blocks if isinstance(each, Mapping) and "text" in each]
        code = rest({"language": content.get("language")})
        call = Call(recipient, {"input": "".join(texts)}, None, code)
        return Message(role, [call], created, meta, label)
    is_piece = bool(blocks) and all(isinstance(block, Thought) for block in blocks)
    return Message(role, blocks, created, {**rest({"name": name}), **meta}, label, is_piece)


def _paired(messages: Sequence[Message]) -> Sequence[Message]:
    """Pair results with calls, and join further results of a tool to the one before.

    What a tool wrote without a call is the assistant's.
    """
    paired: list[Message] = []
    calls: list[str] = []
    for message in messages:
        if message.role == "user":
            calls = []  # those without a result were given up
        calls += (block.tool for block in message.blocks if isinstance(block, Call))
        match paired[-1:], message.blocks:
            case _, [Result(tool=str(tool))] if tool in calls:
                calls.remove(tool)
                paired.append(message)
            case [Message(blocks=[Result() as last])], [Result() as more] if last.tool == more.tool:
                parts = [*last.parts, *more.parts]
                result = replace(last, parts=parts, failed=last.failed or more.failed)
                paired[-1] = replace(paired[-1], blocks=[result])
            case _, [Result(parts=parts, tool=tool)]:
                meta = {**message.meta, **rest({"tool": tool})}
                paired.append(replace(message, role="assistant", blocks=parts, meta=meta))
            case _:
                paired.append(message)
    return paired


def _blocks(content: Fields) -> Iterator[Block]:
    """Read content by its type."""
    match content:
        case {"content_type": "thoughts", "thoughts": list() as thoughts}:
            for thought in cast("list[Fields]", thoughts):
                texts = [thought[name] for name in ("summary", "content") if thought.get(name)]
                yield Thought([text_part(as_text(text)) for text in texts])
        case {"content_type": "reasoning_recap", "content": str(text)}:
            yield Thought([text_part(text)], {"recap": True})
        case {"content_type": kind} if kind in INSTRUCTIONS:
            found = (content.get(name) for name in INSTRUCTION_TEXTS)
            yield from (text_part(text) for text in found if isinstance(text, str) and text)
        case {"parts": list() as parts}:
            for part in parts:
                yield from _parts(part)
        case {"text": str(text)} | {"result": str(text)}:
            meta = rest(content, "text", "result", "response_format_name")
            yield from [text_part(text, meta)] if text else []
        case {"screenshot": Mapping() as screenshot}:
            yield from _parts(screenshot)
        case _:
            yield text_part(as_text(content), {"unreadable": True})


def _plots(metadata: Fields) -> Iterator[Document]:
    """Read the images that a run of code made, which are nowhere else."""
    match metadata.get("aggregate_result"):
        case {"messages": list() as messages}:
            for each in messages:
                if isinstance(each, Mapping) and isinstance(url := each.get("image_url"), str):
                    yield reference_part(url, None)
        case _:
            return


def _parts(part: Any) -> Iterator[Document]:
    match part:
        case None | "":
            return
        case {"audio_asset_pointer": _} | {"video_container_asset_pointer": _}:
            for found in (part.get(name) for name in POINTERS):
                for each in found if isinstance(found, list) else [found]:
                    yield from _parts(each)
        case _:
            yield _part(part)


def _part(part: Any) -> Document:
    match part:
        case str():
            return text_part(part)
        case {"text": str(text)}:  # a transcription
            return text_part(text, rest(part, "text"))
        case {"asset_pointer": str(uri)}:
            about = rest({**part, "metadata": rest(part.get("metadata") or {})}, "asset_pointer")
            return reference_part(uri, None, about)
        case _:
            return text_part(as_text(part), {"unreadable": True})


FORMAT = Format(
    "chatgpt",
    "ChatGPT export (conversations.json, also in its ZIP archive)",
    (has("mapping", dict),),
    _read,
)
