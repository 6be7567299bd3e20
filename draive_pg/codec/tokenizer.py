"""What counts tokens: a function, or a tokenizer."""

from collections.abc import Callable, Sized
from typing import Protocol


class Encoder(Protocol):
    """A tokenizer, such as an encoding of tiktoken."""

    def encode(self, text: str, /) -> Sized:
        """Return the tokens of a text."""
        ...


type CountTokens = Callable[[str], int] | Encoder
"""A function that returns the number of tokens of a text, or a tokenizer with ``encode``."""
