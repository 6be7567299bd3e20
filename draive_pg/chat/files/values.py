"""Read the JSON documents of a text: values, lines, arrays and the events of a stream."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from draive_pg.chat.files.document import Document, File
from draive_pg.chat.files.scanner import SPACE, SPACE_IN_LINE, Scanner
from draive_pg.codec.json import reason
from draive_pg.errors import ChatInvalid

MAX_INVALID = 10  # lines that are no JSON before the first that is


class Values:
    """The values of a file of JSON: those of its arrays, and those outside of arrays.

    An invalid line is skipped. If no line before it is JSON and none of the next lines is, the file
    is one invalid document.
    """

    def __init__(self, scanner: Scanner, file: File) -> None:
        self._scanner = scanner
        self._file = file
        self._array = 0
        self._invalid: list[Document] | None = []  # before the first value; None after it
        self._first: ChatInvalid | None = None

    def read(self) -> Iterator[Document]:
        """Read the values in order."""
        scanner = self._scanner
        spread = self._is_spread()
        while character := scanner.peek():
            line = scanner.line
            try:
                if character == "[":
                    self._array += 1
                    yield from self._elements()
                else:
                    value = scanner.value()
                    if self._invalid and not isinstance(value, dict):
                        scanner.rest_of_line()  # a piece of an invalid document
                        continue
                    yield from self._found(value, f"line {line}", 0)
            except (ValueError, RecursionError) as error:
                # the rest of a document of several lines is no document
                if spread or (character == "[" and scanner.line > line):
                    raise self._error(error) from error
                yield from self._skipped(error, self._array if character == "[" else 0)
        if self._first is not None and self._invalid is not None:
            raise self._first

    def _is_spread(self) -> bool:
        """Return True if the first line has only a bracket: the document has several lines."""
        if self._scanner.peek() not in ("[", "{"):
            return False
        rest = self._scanner.buffer[self._scanner.position + 1 :].lstrip(" \t\r")
        return rest.startswith("\n")

    def _elements(self) -> Iterator[Document]:
        """Read the values of an array."""
        scanner = self._scanner
        where = self._file.name if scanner.line == 1 else f"{self._file.name}, line {scanner.line}"
        scanner.take()
        if scanner.peek() == "]":
            scanner.take()
            problem = "expected conversations, found an empty list"
            yield Document(ChatInvalid(f"{where}: {problem}"), self._file, "")
            return
        # after a line of JSON, an array is a line, too
        skipped = SPACE if self._invalid is not None else SPACE_IN_LINE
        for number in itertools.count(1):
            scanner.peek(skipped)
            value = scanner.value()
            separator = scanner.peek(skipped)
            if separator not in (",", "]"):
                problem = "Expecting ',' delimiter"
                raise json.JSONDecodeError(problem, scanner.buffer, scanner.position)
            yield from self._found(value, f"conversation {number}", self._array)
            scanner.take()
            if separator == "]":
                return

    def _found(self, value: Any, place: str, array: int) -> Iterator[Document]:
        yield from self._invalid or ()
        self._invalid = None
        yield Document(value, self._file, place, array)

    def _skipped(self, error: ValueError | RecursionError, array: int) -> Iterator[Document]:
        """Skip the line of an error."""
        whole = self._error(error)
        start, line = self._scanner.line, self._scanner.rest_of_line()
        invalid = whole
        try:
            json.loads(line or "0")
        except json.JSONDecodeError as alone:
            place = f"line {start}, column {alone.colno}"
            invalid = ChatInvalid(f"{self._file.name}, {place}: not JSON: {alone.msg}")
        except (ValueError, RecursionError):
            pass
        skipped = Document(invalid, self._file, "", array)
        if self._invalid is None:
            yield skipped
            return
        self._first = self._first or whole
        self._invalid.append(skipped)
        if len(self._invalid) >= MAX_INVALID:
            raise self._first

    def _error(self, error: ValueError | RecursionError) -> ChatInvalid:
        if isinstance(error, json.JSONDecodeError):
            return ChatInvalid(
                f"{self._file.name}, {self._scanner.place(error)}: not JSON: {error.msg}"
            )
        if isinstance(error, ChatInvalid):
            return error
        where = f"{self._file.name}, line {self._scanner.line}"
        return ChatInvalid(f"{where}: JSON that cannot be read: {reason(error)}")


def events(scanner: Scanner, file: File) -> Iterator[Document]:
    """Read the events of a stream of a model API."""
    for number, line in enumerate(scanner.lines(), start=1):
        data = line.partition("data:")[2].strip() if line.startswith("data:") else ""
        if not data or data == "[DONE]":
            continue
        try:
            yield Document(json.loads(data), file, f"line {number}")
        except (ValueError, RecursionError) as error:
            invalid = ChatInvalid(f"{file.name}, line {number}: not JSON: {reason(error)}")
            yield Document(invalid, file, "")
