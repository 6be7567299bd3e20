"""Recognize and unpack compressed files and archives."""

import bz2
import gzip
import io
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast

from draive_pg.codec.validation import MAX_SENT

BROKEN = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    RuntimeError,  # an encrypted ZIP archive, or (NotImplementedError) an unknown compression
)


class Counted(io.RawIOBase):
    """A binary stream that reports how much was read."""

    def __init__(self, file: IO[bytes], progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress

    def readable(self) -> bool:
        return True

    def is_seekable(self) -> bool:
        """Return whether `rewound` works."""
        seekable = getattr(self._file, "seekable", None)
        return seekable is not None and seekable()

    def rewound(self) -> IO[bytes]:
        """Return the stream from its start, not counted any more."""
        self._file.seek(0)
        return self._file

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._progress(len(data))
        return len(data)


def _zstd(file: IO[bytes]) -> IO[bytes]:
    from draive_pg.dataframes import pa

    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")


KINDS: Mapping[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "ZIP",
    b"PK\x05\x06": "ZIP",
    b"PAR1": "Parquet",
}
UNPACK: Mapping[str, Callable[[Any], Any]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "zstd": _zstd,
    "xz": lzma.LZMAFile,
    "bzip2": bz2.BZ2File,
}


@contextmanager
def seekable(file: Any, peeked: IO[bytes]) -> Generator[IO[bytes]]:
    """Return a file as it is, and another stream as a temporary file, in memory if it is small."""
    if isinstance(file, Counted) and file.is_seekable():
        yield file.rewound()
        return
    with tempfile.SpooledTemporaryFile(max_size=1 << 24) as copy:
        while data := peeked.read(1 << 20):
            copy.write(data)
            if copy.tell() > MAX_SENT:
                raise ValueError(f"an archive larger than {MAX_SENT:,} bytes in another file")
        copy.seek(0)
        yield cast("IO[bytes]", copy)
