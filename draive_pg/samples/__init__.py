"""Sample conversations of an invented bicycle shop's support assistant."""

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from draive_pg.chat.files import Conversation

__all__ = ("conversations", "support")


def support() -> Path:
    """Return the path of the sample conversations, a file that ``chat_files.read`` reads."""
    return Path(str(files(__name__).joinpath("support.jsonl")))


def conversations() -> "tuple[Conversation, ...]":
    """Return the sample conversations, each with an ``identifier`` and its ``messages``."""
    from draive_pg.chat.files import Conversation, read

    return tuple(chat for chat in read(support()) if isinstance(chat, Conversation))
