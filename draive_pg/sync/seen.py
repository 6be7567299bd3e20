"""The versions of its files that a copy of a folder had before.

They are those in the history of git, those that this copy pushed or pulled, and those in the state
file of version 0.1.0.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from draive_pg.atomic_file import USUAL, Drafts
from draive_pg.errors import FileInvalid, warn
from draive_pg.operations.documents.bases import Base
from draive_pg.sync.formats import FileContent, Labels
from draive_pg.sync.git import file_history, is_shallow
from draive_pg.sync.kinds import FileKind
from draive_pg.sync.names import name_of_path

NOTES = ".draive_pg/seen.json"
LEGACY_STATE = ".draive_pg.json"  # of version 0.1.0
FORMAT = 1


class Version(NamedTuple):
    """The identity of a document's content and labels.

    Attributes
    ----------
    digest : str
        The digest of its content.
    labels : Labels | None
        Its labels; None if they are not compared.
    """

    digest: str
    labels: Labels | None = None

    @classmethod
    def of(cls, document: FileContent, *, labels: bool = True) -> "Version":
        """Return a document's version."""
        return cls(document.digest, document.labels if labels else None)

    @classmethod
    def of_base(cls, base: Base, *, labels: bool = True) -> "Version | None":
        """Return the version of a base; None if there was no document."""
        if base.digest is None:
            return None
        known = labels and base.labels is not None
        return cls(base.digest, tuple(sorted((base.labels or {}).items())) if known else None)


class KnownFile(NamedTuple):
    """A file whose version is known, so that it need not be parsed.

    Attributes
    ----------
    hash : str
        The hash of its bytes.
    version : Version
        Its version, with labels.
    """

    hash: str
    version: Version


type Versions = Mapping[str, Sequence[Version | None]]
"""Versions of each name, the oldest first; None: there was no file."""


class SeenVersions:
    """The versions of its files that a copy of a folder had before.

    Parameters
    ----------
    path : Path
        The folder.
    kind : FileKind
        What its files contain.

    Attributes
    ----------
    files : Mapping[str, KnownFile]
        The files after the last push or pull, by path.
    legacy : Mapping[str, Base]
        The bases in the state file of version 0.1.0, by name.

    Raises
    ------
    FileInvalid
        If a state file is invalid, or belongs to another kind or a newer version.
    """

    def __init__(self, path: Path, kind: FileKind) -> None:
        self._path = path
        self._kind = kind
        noted, self.files = self._parsed(NOTES, _noted) or ({}, dict[str, KnownFile]())
        self.legacy = self._parsed(LEGACY_STATE, _legacy) or {}
        before = {name: [Version.of_base(base)] for name, base in self.legacy.items()}
        self._noted = _appended(before, noted)

    @property
    def is_known(self) -> bool:
        """Whether all versions are known: without git, if this copy ever pushed or pulled."""
        return self._committed is not None or bool(self._noted and not is_shallow(self._path))

    def has(self, name: str, version: Version | None) -> bool:
        """Return whether the copy is known to have had a version; None: no file."""
        return any(matches(version, each) for each in self.histories(name))

    def histories(self, name: str) -> Iterator[Sequence[Version | None]]:
        """Return the versions of a name that are noted, then those in the history of git."""
        yield self._noted.get(name, ())
        yield (self._committed or {}).get(name, ())  # git runs only if it is needed

    def note(self, versions: Versions, files: Mapping[str, KnownFile]) -> None:
        """Record what was pushed or pulled in a file that git ignores, and retire the old one."""
        noted = _appended(self._noted, versions)
        try:
            if versions and (self.legacy or (noted, files) != (self._noted, self.files)):
                with Drafts(self._path, mode=USUAL) as drafts:
                    path = inside(self._path, PurePosixPath(NOTES))
                    write_file(drafts, path, self._encode(noted, files))
                    write_file(drafts, path.with_name(".gitignore"), b"*\n")
                    drafts.complete()
            (self._path / LEGACY_STATE).unlink(missing_ok=True)
        except OSError as error:
            warn(f"{error}; the push or pull is done, but this copy cannot note it", UserWarning)

    @cached_property
    def _committed(self) -> Versions | None:
        if (history := file_history(self._path)) is None:
            return None
        committed: dict[str, list[Version | None]] = {}
        for path, contents in history.items():
            if path.suffix in self._kind.suffixes:
                with suppress(FileInvalid):
                    name = name_of_path(path, path.suffix)
                    committed.setdefault(name, []).extend(self._read(path, reversed(contents)))
        return committed

    def _read(
        self, path: PurePosixPath, contents: Iterable[bytes | None]
    ) -> Iterator[Version | None]:
        for data in contents:
            if data is None:
                yield None
                continue
            with suppress(FileInvalid):
                yield Version.of(self._kind.content.read(data, path.suffix, str(path)))

    def _encode(self, versions: Versions, files: Mapping[str, KnownFile]) -> bytes:
        seen = {
            name: [each and _encoded(each) for each in versions[name]] for name in sorted(versions)
        }
        state = {
            "format": FORMAT,
            "kind": self._kind.name,
            "seen": seen,
            "files": {
                path: [files[path].hash, *_encoded(files[path].version)] for path in sorted(files)
            },
        }
        return f"{json.dumps(state, ensure_ascii=False, indent=1)}\n".encode()

    def _parsed[T](self, file: str, parse: Callable[[Any], T]) -> T | None:
        """Return the content of a file that draive_pg wrote, or None; check kind and format."""
        if (text := read_text(self._path, file)) is None:
            return None
        try:
            state: Any = json.loads(text)
            if state["format"] != FORMAT:
                raise FileInvalid(f"{file!r} was written by a newer draive_pg: upgrade this one")
            if state["kind"] != self._kind.name:
                raise FileInvalid(
                    f"{str(self._path)!r:.200} is a folder of {state['kind']}: use another folder"
                )
            return parse(state)
        except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
            if isinstance(error, FileInvalid):
                raise
            raise FileInvalid(
                f"{str(self._path / file)!r:.200} is not a valid state file: remove it, then pull"
            ) from error


def matches(version: Version | None, seen: Iterable[Version | None]) -> bool:
    """Return whether versions contain one, in content and, if it has labels, in labels."""
    if version is None or version.labels is not None:
        return version in seen
    return any(each is not None and each.digest == version.digest for each in seen)


def inside(folder: Path, relative: PurePosixPath) -> Path:
    """Return the path of a file in a folder, or raise FileInvalid if a link is on the way."""
    path = str(folder)
    for part in relative.parts:
        path = os.path.join(path, part)  # noqa: PTH118 - takes a fifth of the time
        if os.path.islink(path):  # noqa: PTH114
            raise FileInvalid(f"{path!r:.200} is a symbolic link, which is not followed: remove it")
    return Path(path)


def read_text(folder: Path, file: str) -> str | None:
    """Return the text of a file in a folder; None if there is no file."""
    path = inside(folder, PurePosixPath(file))
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise FileInvalid(f"{str(path)!r:.200} is not UTF-8") from error


def write_file(drafts: Drafts, path: Path, data: bytes) -> None:
    """Write a draft of a file; create its directory."""
    if not os.path.isdir(parent := path.parent):  # noqa: PTH112
        parent.mkdir(parents=True, exist_ok=True)
    with drafts.open(path, follow=False) as file:
        file.write(data)


def _encoded(version: Version) -> list[Any]:
    return [version.digest, dict(version.labels or ())]


def _decoded(digest: str, labels: Mapping[str, str]) -> Version:
    return Version(digest, tuple(sorted(labels.items())))


def _noted(state: Any) -> tuple[Versions, Mapping[str, KnownFile]]:
    versions = {
        name: [each and _decoded(*each) for each in versions]
        for name, versions in cast("dict[str, list[Any]]", state["seen"]).items()
    }
    files = {
        path: KnownFile(hash_, _decoded(*version))
        for path, (hash_, *version) in cast("dict[str, list[Any]]", state.get("files", {})).items()
    }
    return versions, files


def _legacy(state: Any) -> Mapping[str, Base]:
    return {
        name: Base(
            name,
            datetime.fromisoformat(base["created"]),
            str(base["digest"]),
            dict.fromkeys(base.get("labels", ()), ""),
        )
        for name, base in cast("dict[str, Any]", state["revisions"]).items()
    }


def _appended(earlier: Versions, later: Versions) -> Versions:
    """Return versions followed by later ones, unless they end with these."""
    result = dict(earlier)
    for name, versions in later.items():
        before = earlier.get(name, ())
        if list(before[-len(versions) :]) != list(versions):
            result[name] = [*before, *versions]
    return result
