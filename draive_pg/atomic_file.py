"""Files that are written beside their place, and take it when they are complete."""

import os
from pathlib import Path
from secrets import token_hex
from typing import IO, Self

__all__ = ("Replacement",)


class Replacement:
    """What is to take the place of a file, or of none, as a block that writes it.

    Until it is complete the place stays as it was; what was written is gone after the block then.

    Parameters
    ----------
    place : Path
        Of the file; where it is a link, what that leads to is replaced.

    Raises
    ------
    ValueError
        If something else than a file is there.
    """

    def __init__(self, place: Path) -> None:
        self._place = place.resolve()
        if self._place.exists() and not self._place.is_file():
            raise ValueError(f"{str(place)!r:.200} is there and is no file that can be replaced")
        self._draft = self._place.with_name(f".draive_pg-{token_hex(8)}")

    def __enter__(self) -> Self:
        return self

    def open(self) -> IO[bytes]:
        """Begin to write it, or raise OSError that names the place."""
        try:
            return self._draft.open("xb")
        except OSError as error:
            if error.errno is None:
                raise
            raise type(error)(error.errno, os.strerror(error.errno), str(self._place)) from error

    def complete(self) -> None:
        """Let it take the place, from when on it also outlives a power cut."""
        with self._draft.open("rb+") as written:
            os.fsync(written.fileno())
        self._draft.replace(self._place)

    def __exit__(self, *error: object) -> None:
        self._draft.unlink(missing_ok=True)
