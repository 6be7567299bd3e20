"""Errors of the file system that name the file that was asked for."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ("named",)


@contextmanager
def named(path: Path) -> Generator[None]:
    """Let what cannot be opened beside a path, to take its place later, be told by the path."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, os.strerror(error.errno), str(path)) from error
