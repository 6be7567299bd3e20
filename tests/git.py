"""Git repositories for tests."""

import os
import subprocess
from pathlib import Path

# Independent of the configuration of the user and the system.
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Ada"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "ada@example.com"),
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and return its output."""
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    ).stdout


def repository(path: Path) -> Path:
    """Create an empty repository."""
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    return path


def commit(path: Path, message: str = "change") -> None:
    """Commit everything in a working tree."""
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", message)


def clone(
    source: Path, target: Path, *, depth: int | None = None, branch: str | None = None
) -> Path:
    """Clone a repository, at a branch or a tag; with a depth, only its newest commits."""
    shallow = () if depth is None else ("--depth", str(depth))
    at = () if branch is None else ("--branch", branch)
    git(source.parent, "clone", "-q", *shallow, *at, source.as_uri(), str(target))
    return target
