"""Decode the text of a stream in chunks."""

import codecs
from typing import IO

from draive_pg.chat.files.document import CHUNK
from draive_pg.errors import ChatInvalid

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Text:
    """Text of a stream, decoded in chunks."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._read = 0
        self._decoder: codecs.IncrementalDecoder | None = None

    def read(self, size: int = CHUNK) -> str:
        """Return at least one character, or an empty string at the end."""
        while True:
            data = self._file.read(size)
            if self._decoder is None:
                encoding = next((name for bom, name in BOMS if data.startswith(bom)), "utf-8")
                self._decoder = codecs.getincrementaldecoder(encoding)()
            pending = len(self._decoder.getstate()[0])
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                place = self._read - pending + error.start
                encoding = error.encoding.upper()
                message = f"{self._name}: not {encoding} (at byte {place})"
                raise ChatInvalid(message) from error
            self._read += len(data)
            if text or not data:
                return text
