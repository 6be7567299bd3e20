"""Decode JSON values one after the other from text that is read in chunks."""

import json
import re
from collections.abc import Iterator
from typing import Any

from draive_pg.chat.files.document import CHUNK, MAX_DOCUMENT
from draive_pg.chat.files.text import Text

NEAR_END = 16  # characters: longer than an escape sequence or a literal
# White space, with the record separator of JSON text sequences.
SPACE = re.compile("[ \t\r\n\ufeff\x1e]*")
SPACE_IN_LINE = re.compile("[ \t\r\ufeff\x1e]*")


class Scanner:
    """Decode JSON values one after the other from text that is read in chunks."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._decoder = json.JSONDecoder()
        self._ended = False
        self.buffer = ""
        self.position = 0
        self.line = 1
        self._line_start = 0  # position of the line in the buffer; negative if it was dropped

    def more(self) -> bool:
        """Read more text; return False at the end.

        It is as much as is held, because a long value is then searched and copied in linear time.
        """
        if self._ended:
            return False
        text = self._text.read(max(CHUNK, len(self.buffer) - self.position))
        self._ended = not text
        if self.position > CHUNK:
            self._line_start -= self.position
            self.buffer, self.position = self.buffer[self.position :], 0
        self.buffer += text
        return bool(text)

    def peek(self, skipped: re.Pattern[str] = SPACE) -> str:
        """Skip white space, and return the next character; an empty string at the end."""
        while True:
            space = skipped.match(self.buffer, self.position)
            self._go(space.end() if space else self.position)
            if self.position < len(self.buffer):
                return self.buffer[self.position]
            if not self.more():
                return ""

    def take(self) -> None:
        """Go past one character."""
        self._go(self.position + 1)

    def value(self) -> Any:
        """Decode the next value.

        Raises
        ------
        json.JSONDecodeError
            If it is no JSON; the position stays.
        """
        while True:
            try:
                value, end = self._decoder.raw_decode(self.buffer, self.position)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string")
                if not cut and error.pos < len(self.buffer) - NEAR_END:
                    raise
                held = len(self.buffer) - self.position
                if held > MAX_DOCUMENT:
                    message = f"a document larger than {MAX_DOCUMENT:,} characters"
                    raise ValueError(message) from error
                if not self.more():
                    raise
            else:
                self._go(end)
                return value

    def rest_of_line(self) -> str | None:
        """Go past the end of the line, and return its text; None if it is too large."""
        start: int | None = self.position
        while (end := self.buffer.find("\n", self.position)) < 0 and self.more():
            if len(self.buffer) - self.position > MAX_DOCUMENT:
                self._go(len(self.buffer))
                start = None
        end = len(self.buffer) if end < 0 else end
        text = None if start is None else self.buffer[self.position : end]
        self._go(min(end + 1, len(self.buffer)))
        return text

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text, with their ends."""
        while True:
            start = self.position
            while (end := self.buffer.find("\n", self.position)) < 0:
                if not self.more():
                    if self.position < len(self.buffer):
                        yield self.buffer[self.position :]
                    return
                if len(self.buffer) - self.position > MAX_DOCUMENT:
                    raise ValueError(f"a line larger than {MAX_DOCUMENT:,} characters")
            start, self.position = self.position, end + 1
            yield self.buffer[start : end + 1]

    def place(self, error: json.JSONDecodeError) -> str:
        """Return line and column of an error."""
        line = self.line + self.buffer.count("\n", self.position, error.pos)
        start = self.buffer.rfind("\n", self.position, error.pos) + 1 or self._line_start
        return f"line {line}, column {error.pos - start + 1}"

    def _go(self, position: int) -> None:
        lines = self.buffer.count("\n", self.position, position)
        if lines:
            self.line += lines
            self._line_start = self.buffer.rfind("\n", self.position, position) + 1
        self.position = position
