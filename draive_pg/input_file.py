"""Open files for imports."""

import errno
import stat
from pathlib import Path
from typing import IO


def open_input(path: Path) -> IO[bytes]:
    """Open a regular file for reading.

    Raises
    ------
    OSError
        If it cannot be opened, or is a pipe or a device, which may block or never end.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # `open` refuses a directory itself
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.open("rb")
