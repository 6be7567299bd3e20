"""Sample conversations: of an invented bicycle shop's support assistant, and of one person."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

__all__ = ("Conversation", "chatgpt", "conversations", "support")


@dataclass(frozen=True, slots=True)
class Conversation:
    """A sample conversation.

    Attributes
    ----------
    identifier : str
        Identifier of the conversation.
    messages : Sequence[Mapping[str, Any]]
        OpenAI-style messages.
    """

    identifier: str
    messages: Sequence[Mapping[str, Any]]


def support() -> Path:
    """Return the path of the sample conversations, a file of chat logs."""
    return _file("support.jsonl")


def chatgpt() -> Path:
    """Return the path of a small export of ChatGPT."""
    return _file("chatgpt.json")


def conversations() -> tuple[Conversation, ...]:
    """Return the sample conversations, each with an ``identifier`` and its ``messages``."""
    lines = support().read_text(encoding="utf-8").splitlines()
    documents = map(json.loads, lines)
    return tuple(Conversation(each["id"], each["messages"]) for each in documents)


def _file(name: str) -> Path:
    return Path(str(files(__name__).joinpath(name)))
