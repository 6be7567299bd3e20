"""The versions of files in git, up to the commit that is checked out."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

ADDED = 4  # index of the object id of the new content in a line of `git log --raw`
DELETED = b"D"

# A hook runs with these, which would redirect git from the folder.
REDIRECTING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def file_history(folder: Path) -> Mapping[PurePosixPath, list[bytes | None]] | None:
    """Return all committed contents of each file of a folder; None marks a removal.

    Returns
    -------
    Mapping | None
        By path relative to the folder. None if git cannot say: the folder is not in git, no file
        of it is committed, or the clone is shallow.
    """
    try:
        if is_shallow(folder) or not _git(folder, "ls-tree", "HEAD"):
            return None
        log = _git(
            folder,
            "log",
            *("--raw", "-z", "--no-abbrev", "--no-renames", "-m", "--format=", "--relative"),
            *("HEAD", "--", "."),
        )
        objects = _objects(log)
        contents = _contents(folder, {each for _, each in objects if each is not None})
    except (OSError, subprocess.CalledProcessError):  # no git, or it refuses this directory
        return None
    history: dict[PurePosixPath, list[bytes | None]] = {}
    for path, each in objects:
        if each is None or each in contents:
            history.setdefault(path, []).append(None if each is None else contents[each])
    return history


def is_shallow(folder: Path) -> bool:
    """Return whether a folder is in a clone without the whole history."""
    try:
        return _git(folder, "rev-parse", "--is-shallow-repository").startswith(b"true")
    except (OSError, subprocess.CalledProcessError):
        return False


def _git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    environment = {key: value for key, value in os.environ.items() if key not in REDIRECTING}
    # Contents that a partial clone lacks are not downloaded.
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    return subprocess.run(  # noqa: S603 - no shell
        ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments],  # noqa: S607
        input=given,
        capture_output=True,
        check=True,
        env=environment,
    ).stdout


def _objects(log: bytes) -> list[tuple[PurePosixPath, bytes | None]]:
    """Return the path and the object id, None for a removal, of each change."""
    fields = iter(log.split(b"\0"))
    found: list[tuple[PurePosixPath, bytes | None]] = []
    for field in fields:
        # ":100644 100644 OLD NEW M", then the path; commits are separated by a line feed.
        change = field.strip().split(b" ")
        if len(change) > ADDED and change[0].startswith(b":"):
            path = PurePosixPath(os.fsdecode(next(fields)))
            found.append((path, None if change[ADDED] == DELETED else change[ADDED - 1]))
    return found


def _contents(folder: Path, objects: set[bytes]) -> dict[bytes, bytes]:
    """Return the contents of objects by their ids; skip those that are missing."""
    answer = _git(folder, "cat-file", "--batch", given=b"".join(each + b"\n" for each in objects))
    return dict(_batch(answer))


def _batch(answer: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(answer):
        end = answer.index(b"\n", position)
        identifier, kind, *size = answer[position:end].split(b" ")
        position = end + 1
        if size:  # not "ID missing"
            length = int(size[0])
            if kind == b"blob":
                yield identifier, answer[position : position + length]
            position += length + 1
