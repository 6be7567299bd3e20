"""What fine-tuning and model APIs require of a conversation."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from draive_pg.chat import ExportFormat
from draive_pg.chat.conversation import Block, Call, Conversation, Message
from draive_pg.chat.export.writer import calls_of, is_reachable, parts_in, result_of
from draive_pg.codec.elements import Document
from draive_pg.codec.validation import shown


def answered(conversation: Conversation) -> Conversation:
    """Return a conversation up to its last answer: there is nothing to learn from what follows."""
    roles = [each.role for each in conversation.messages]
    if "assistant" not in roles:
        return conversation
    end = len(roles) - roles[::-1].index("assistant")
    annotations = [each for each in conversation.annotations if each.get("message", 0) < end]
    return replace(conversation, messages=conversation.messages[:end], annotations=annotations)


# Whose messages may have images and files; as text, they can be anywhere.
SENDERS: Mapping[ExportFormat, Container[str]] = {
    "openai": ("user",),
    "anthropic": ("user", "tool"),
    "responses": ("user", "tool"),
    "sharegpt": ("user", "tool", "assistant"),
}


def problems(messages: Sequence[Message], form: ExportFormat = "openai") -> Iterator[str]:
    """Yield why an API would refuse a conversation.

    The results of the calls of a message must follow it directly, each call may have one result,
    only the user (and tools, in some formats) sends images and files, a message of the user or the
    assistant has content, and the last message must be an answer to learn from. Calls at the very
    end need no results.
    """
    if not any(each.role == "assistant" for each in messages):
        yield "there is no message of the assistant"
    waiting: list[str | None] = []
    for number, message in enumerate(messages, start=1):
        if message.role not in SENDERS[form] and any(map(_is_file, _parts(message))):
            yield f"message {number}: an image or file in a message of the {message.role}"
        if (result := result_of(message)) is not None:
            if result.call in waiting:
                waiting.remove(result.call)
            else:
                yield f"message {number}: the result of {shown(result.call)} follows no such call"
            continue
        if waiting:
            yield f"message {number}: the tool call {shown(waiting[0])} before it has no result"
        if message.role != "system" and not any(map(_is_content, message.blocks)):
            yield f"message {number}: no content"
        waiting = [call.identifier for call in calls_of(message)]
        if len(set(waiting)) < len(waiting):
            yield f"message {number}: two tool calls have the same id"
    if messages and messages[-1].role != "assistant":
        yield f"message {len(messages)}: the last message is not of the assistant"


def _parts(message: Message) -> Sequence[Document]:
    result = result_of(message)
    return parts_in(message.blocks if result is None else result.parts)


def _is_content(block: Block) -> bool:
    match block:
        case Call() | {"text": str()} | {"data": str()}:
            return block != {"text": "", "meta": {}}
        case {"uri": str(uri)}:
            return uri.startswith("openai://") or is_reachable(uri)
        case {"artifact": _}:
            return block.get("hidden") is not True
        case _:
            return False


def _is_file(part: Document) -> bool:
    return "data" in part or ("uri" in part and is_reachable(part["uri"]))
