"""Write a file atomically: to a temporary file in the same folder, then rename it."""

import os
import shutil
from pathlib import Path
from secrets import token_hex
from typing import IO, Self


class Replacement:
    """Context manager: write a temporary file, then atomically replace the target on `complete`.

    Without `complete` the target stays as it was, and the temporary file is removed.

    Parameters
    ----------
    place : Path
        Path of the target; a symbolic link is followed.

    Raises
    ------
    ValueError
        If the target exists and is not a regular file.
    """

    def __init__(self, place: Path) -> None:
        self._place = place.resolve()
        if self._place.exists() and not self._place.is_file():
            raise ValueError(f"{str(place)!r:.200} is there and is no file that can be replaced")
        self._draft = self._place.with_name(f".draive_pg-{token_hex(8)}")

    def __enter__(self) -> Self:
        return self

    def open(self) -> IO[bytes]:
        """Create the temporary file, with the permissions of the target if that exists.

        Raises
        ------
        OSError
            If it cannot be created; the error names the target.
        """
        try:
            file = self._draft.open("xb")
        except OSError as error:
            if error.errno is None:
                raise
            raise type(error)(error.errno, os.strerror(error.errno), str(self._place)) from error
        if self._place.exists():
            shutil.copymode(self._place, self._draft)
        return file

    def complete(self) -> None:
        """Flush the temporary file to disk, then rename it to the target."""
        with self._draft.open("rb") as written:
            os.fsync(written.fileno())
        self._draft.replace(self._place)
        if os.name == "posix":  # the rename itself must survive a crash, too
            folder = os.open(self._place.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def __exit__(self, *error: object) -> None:
        self._draft.unlink(missing_ok=True)
