"""What formats of exported conversations have in common."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from draive_pg.chat.conversation import Block, Call, Conversation, Message, Result, Thought
from draive_pg.chat.parts import as_text
from draive_pg.codec.elements import Document

type Fields = dict[str, Any]

MAX_NAME = 64
REACHABLE = ("http://", "https://", "data:")
# Meta that formats have fields for, or that is not of the log.
REPRESENTED = frozenset(
    {
        "name",
        "weight",
        "detail",
        "refusal",
        "type",
        "unreadable",
        "signature",
        "data",
        "encrypted_content",
    }
)
NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class Writer:
    """Write one conversation.

    Attributes
    ----------
    metadata : bool
        Write identifiers, times, variables, reasoning, meta and annotations as well, in fields that
        the import reads.
    left_out : set of str
        What the format cannot represent: names that are added while writing.
    """

    metadata: bool = False
    left_out: set[str] = field(default_factory=set[str])

    def about(self, conversation: Conversation, places: Mapping[int, int] | None = None) -> Fields:
        """Return the fields about the conversation.

        Parameters
        ----------
        conversation : Conversation
            The conversation.
        places : Mapping[int, int] | None
            The index at which each message was written, for annotations; None for its own.
        """
        if not self.metadata:
            return {}
        variables = {
            name: value for name, value in conversation.variables.items() if name != "tools"
        }
        annotations = [
            {**each, "message": places[each["message"]]} if places and "message" in each else each
            for each in conversation.annotations
        ]
        return {
            "id": conversation.identifier,
            **({"metadata": variables} if variables else {}),
            **({"annotations": annotations} if annotations else {}),
        }

    def about_message(self, message: Message) -> Fields:
        """Return the fields about a message."""
        if not self.metadata:
            return {}
        time = message.created
        return {**({"created_at": time.isoformat()} if time else {}), **message.meta}

    def check_meta(self, message: Message, *written: type) -> None:
        """Note meta that is left out: all, or with metadata that of blocks of other types."""
        metas = [message.meta] if not self.metadata else []
        blocks = [*message.blocks]
        for block in message.blocks:
            if isinstance(block, Result):
                blocks += block.parts
        for block in blocks:
            is_file = isinstance(block, Mapping) and "text" not in block
            if self.metadata and isinstance(block, written) and not is_file:
                continue
            if isinstance(block, Mapping):
                metas.append(block.get("meta") or {})
            elif isinstance(block, Call | Result | Thought):
                metas.append(block.meta)
        if any(meta.keys() - REPRESENTED for meta in metas):
            self.left_out.add("meta")

    def check_order(self, message: Message) -> None:
        """Note text after a call, which the format has before it."""
        spoken = [block for block in message.blocks if not isinstance(block, Thought)]
        are_calls = [isinstance(block, Call) for block in spoken]
        if are_calls != sorted(are_calls):
            self.left_out.add("places of texts after calls")

    def can_refer_to(self, uri: str) -> bool:
        """Return whether to write a URI: model APIs open those of the web only, an import any."""
        if self.metadata or is_reachable(uri):
            return True
        self.left_out.add("files that only their tool can open")
        return False


type Write = Callable[[Conversation, Writer], Fields]
"""Write a conversation as one JSON document."""


def is_reachable(uri: str) -> bool:
    """Return whether a model API can open a URI."""
    return uri.startswith(REACHABLE)


def name(text: str) -> str:
    """Return a name of a tool or participant with only the characters that model APIs accept."""
    return NOT_IN_NAME.sub("_", text)[:MAX_NAME] or "_"


def parts_in(blocks: Iterable[Block]) -> list[Document]:
    """Return the parts of content, without reasoning, calls and results."""
    return [block for block in blocks if isinstance(block, Mapping)]


def calls_of(message: Message) -> list[Call]:
    """Return the tool calls of a message."""
    return [block for block in message.blocks if isinstance(block, Call)]


def result_of(message: Message) -> Result | None:
    """Return the result of a message of a tool."""
    match message.blocks:
        case [Result() as result]:
            return result
        case _:
            return None


def arguments_of(call: Call) -> Any:
    """Return the arguments: an object, or the text of arguments that are no JSON."""
    match call.arguments:
        case {"arguments": str(text)} if call.meta.get("unreadable") is True:
            return text
        case found:
            return found


def input_of(call: Call) -> str:
    """Return the input of a custom tool, which is text."""
    match arguments_of(call):
        case {"input": found}:
            return as_text(found)
        case found:
            return as_text(found)


def text_of(parts: Iterable[Block]) -> str:
    """Return the text of content parts; other parts are named in brackets."""
    return "\n".join(map(_text, parts))


def _text(part: Block) -> str:
    match part:
        case {"text": str(text)}:
            return text
        case {"mime_type": str(kind), "data": str()}:
            return f"[{kind}]"
        case {"uri": str(uri)}:
            return uri
        case {"artifact": artifact}:
            return as_text(artifact)
        case _:
            return as_text(part)


def system_text(messages: Iterable[Message]) -> str:
    """Return the text of all system messages."""
    return "\n\n".join(text_of(each.blocks) for each in messages if each.role == "system")


def alternating(
    messages: Sequence[Message],
) -> list[tuple[str, list[Message]]]:
    """Group the messages of user and tools, and those of the assistant, without system messages."""
    spoken = (each for each in messages if each.role != "system")
    groups = groupby(spoken, key=lambda each: each.role == "assistant")
    return [("assistant" if key else "user", list(group)) for key, group in groups]


def has_thought(message: Message) -> bool:
    """Return True if a message has reasoning."""
    return any(isinstance(block, Thought) for block in message.blocks)
