"""Conversations to try things on: an invented bicycle shop and its support assistant."""

from importlib.resources import files
from pathlib import Path

__all__ = ("support",)


def support() -> Path:
    """Return the path of the sample conversations, a file that ``chat_files.read`` reads."""
    return Path(str(files(__name__).joinpath("support.jsonl")))
