"""A folder of prompts or configurations: its files, and the versions that it had.

Every file is replaced atomically, so an interrupted pull leaves files that equal the database and
are unchanged in the next comparison. Symbolic links are not followed, so nothing outside the folder
is read or written.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from draive_pg.atomic_file import USUAL, Drafts
from draive_pg.errors import FileInvalid, warn
from draive_pg.sync.formats import FileContent
from draive_pg.sync.history import file_history, is_shallow
from draive_pg.sync.kinds import FileKind
from draive_pg.sync.names import README, name_of_path, path_of_name
from draive_pg.sync.scope import Ignored, Scope

IGNORE = ".draive_pg_ignore"
SEEN = ".draive_pg/seen.json"
LEGACY_STATE = ".draive_pg.json"  # of version 0.1.0
FORMAT = 1


class Version(NamedTuple):
    """The identity of a document's content and labels.

    Attributes
    ----------
    digest : str
        The digest of its content.
    labels : tuple of pairs | None
        Each label with the digest of its revision, which is empty for this one; None if labels are
        not compared.
    """

    digest: str
    labels: tuple[tuple[str, str], ...] | None = None

    @classmethod
    def of(cls, document: FileContent, *, labels: bool = True) -> "Version":
        """Return a document's version."""
        if not labels:
            return cls(document.digest)
        own = ((label, "") for label in document.labels)
        return cls(document.digest, tuple(sorted((*own, *document.older_labels))))

    def without_labels(self) -> "Version":
        """Return the version of the content alone."""
        return Version(self.digest)


type Seen = Mapping[str, AbstractSet[Version | None]]
"""The versions of each name that a folder had; None: it had no file."""


class LegacyBase(NamedTuple):
    """A base in a state file of version 0.1.0."""

    created: datetime
    version: Version


class Folder:
    """The files of one kind in a folder.

    Parameters
    ----------
    path : Path
        The folder; the first write creates it.
    kind : FileKind
        What the files contain.
    scope : Scope | None
        The names whose files are read; None for all.
    invalid : dict | None
        Receives the errors of files that cannot be parsed, by path, instead of raising the first.

    Attributes
    ----------
    documents : Mapping[str, FileContent]
        The parsed files, by name, as they were read.
    unread : tuple[str, ...]
        The files that are not read, each with the reason.

    Raises
    ------
    FileInvalid
        If the path is not a folder, or a file cannot be parsed.
    """

    def __init__(
        self,
        path: Path,
        kind: FileKind,
        scope: Scope | None = None,
        *,
        invalid: dict[str, str] | None = None,
    ) -> None:
        if path.exists() and not path.is_dir():
            raise FileInvalid(f"{str(path)!r:.200} is not a folder")
        self.path = path
        self.kind = kind
        self.scope = scope or Scope()
        self._invalid = invalid
        self._places: dict[str, PurePosixPath] = {}
        self._taken: dict[str, str] = {}
        self._unread: list[str] = []
        self._withheld: set[str] = set()
        self._ignored = Ignored(self._read_text(IGNORE) or "")
        self._remembered = self._read_seen()
        self.legacy = self._read_legacy_state()
        self.documents = self._read_documents()
        self.unread = tuple(self._unread)

    def includes(self, name: str) -> bool:
        """Return whether a name is in the scope, not ignored, and not that of an unread file."""
        return name in self.scope and name not in self._ignored and name not in self._withheld

    def path_of(self, name: str) -> PurePosixPath:
        """Return the relative path of a name's file, whether it exists or not."""
        if name not in self._places:
            self._place(name, self._free_place(name))
        return self._places[name]

    @cached_property
    def seen(self) -> Seen | None:
        """All versions that the folder is known to have had; None if that is not known.

        They are those in the history of git, and those that this copy of the folder pushed or
        pulled. Without git, a folder that never pushed or pulled is taken for the newest.
        """
        history = file_history(self.path)
        legacy = {name: {base.version} for name, base in self.legacy.items()}
        if history is None:
            remembered = self._remembered or legacy
            return None if not remembered or is_shallow(self.path) else _union(remembered, legacy)
        committed: dict[str, set[Version | None]] = {}
        for path, contents in history.items():
            if path.suffix not in self.kind.suffixes:
                continue
            with suppress(FileInvalid):
                committed.setdefault(name_of_path(path, path.suffix), set()).update(
                    self._versions(path, contents)
                )
        return _union(committed, self._remembered or {}, legacy)

    @property
    def remembered(self) -> Seen:
        """The versions that this copy of the folder pushed or pulled."""
        return self._remembered or {}

    def write(self, documents: Mapping[str, FileContent | None]) -> None:
        """Write documents, then remove the files of names with None."""
        removed: list[Path] = []
        with Drafts(self.path, mode=USUAL) as drafts:
            for name, document in documents.items():
                path = self._inside(self.path_of(name))
                if document is None:
                    removed.append(path)
                else:
                    _write(drafts, path, self._encode(path, document))
            for path in removed:
                self._remove(path)
            drafts.complete()

    def remember(self, versions: Seen) -> None:
        """Record what was pushed or pulled in a file that git ignores, and retire the old one."""
        seen = _union(
            self.remembered,
            {name: {base.version} for name, base in self.legacy.items()},
            versions,
        )
        try:
            if seen != self._remembered and versions:
                with Drafts(self.path, mode=USUAL) as drafts:
                    path = self._inside(PurePosixPath(SEEN))
                    _write(drafts, path, self._encode_seen(seen))
                    _write(drafts, path.with_name(".gitignore"), b"*\n")
                    drafts.complete()
            (self.path / LEGACY_STATE).unlink(missing_ok=True)
        except OSError as error:
            warn(f"{error}; the push or pull is done, but this copy cannot note it", UserWarning)

    def _place(self, name: str, path: PurePosixPath) -> None:
        self._places[name] = path
        self._taken |= {str(part).casefold(): str(part) for part in (path, *path.parents)}

    def _free_place(self, name: str) -> PurePosixPath:
        """Return an unused path, also unique on case-insensitive file systems."""
        path = path_of_name(name, self.kind.suffixes[0])
        for part in map(str, (path, *path.parents)):
            if self._taken.get(part.casefold(), part) != part:
                return path_of_name(name, self.kind.suffixes[0], plain=False)
        return path

    def _read_documents(self) -> Mapping[str, FileContent]:
        found: dict[str, FileContent] = {}
        for path in self._paths():
            relative = path.relative_to(self.path).as_posix()
            try:
                self._read_document(path, PurePosixPath(relative), found)
            except FileInvalid as error:
                if self._invalid is None:
                    raise
                self._invalid[relative] = str(error)
        return found

    def _read_document(
        self, path: Path, relative: PurePosixPath, found: dict[str, FileContent]
    ) -> None:
        name = name_of_path(relative, path.suffix)
        if name in self._ignored or str(relative) in self._ignored:
            return
        if path.is_symlink() or not path.is_file():
            raise FileInvalid(f"{str(path)!r:.200} is not a regular file: remove it")
        if name in self._places:
            raise FileInvalid(
                f"{str(self._places[name])!r:.200} and {str(relative)!r:.200} are files "
                f"of {name!r:.80}: remove one"
            )
        self._place(name, relative)
        if name not in self.scope:
            return
        if README.fullmatch(path.stem):
            self._withhold(name, f"{relative} (rename it to {path_of_name(name, path.suffix)})")
        elif data := path.read_bytes():
            found[name] = self.kind.content.read(data, path.suffix, str(path))
        else:
            self._withhold(name, f"{relative} (empty)")

    def _withhold(self, name: str, reason: str) -> None:
        self._unread.append(reason)
        self._withheld.add(name)

    def _paths(self) -> Iterator[Path]:
        if not self.path.exists():
            return
        for top, folders, names in self.path.walk(on_error=_raise):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            self._unread += [
                f"{link.relative_to(self.path).as_posix()} (a link)"
                for each in folders
                if (link := top / each).is_symlink()
            ]
            for name in sorted(names):
                path = top / name
                if name.startswith("."):
                    continue
                if path.suffix not in self.kind.suffixes:
                    relative = path.relative_to(self.path).as_posix()
                    if relative not in self._ignored:
                        self._unread.append(f"{relative} (not {' or '.join(self.kind.suffixes)})")
                    continue
                yield path

    def _versions(
        self, path: PurePosixPath, contents: list[bytes | None]
    ) -> Iterator[Version | None]:
        for each in contents:
            with suppress(FileInvalid):
                yield (
                    None
                    if each is None
                    else Version.of(self.kind.content.read(each, path.suffix, str(path)))
                )

    def _inside(self, relative: PurePosixPath) -> Path:
        """Return the absolute path of a file, or raise FileInvalid if a link is on the way."""
        path = self.path
        for part in relative.parts:
            path /= part
            if path.is_symlink():
                raise FileInvalid(
                    f"{str(path)!r:.200} is a symbolic link, which is not followed: remove it"
                )
        return path

    def _encode(self, path: Path, document: FileContent) -> bytes:
        try:
            return document.encode(path.suffix)
        except FileInvalid as error:
            raise FileInvalid(f"{path}: {error}") from None

    def _remove(self, path: Path) -> None:
        path.unlink()
        for folder in path.relative_to(self.path).parents[:-1]:
            with suppress(OSError):  # not empty
                (self.path / folder).rmdir()

    def _read_text(self, file: str) -> str | None:
        path = self._inside(PurePosixPath(file))
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise FileInvalid(f"{str(path)!r:.200} is not UTF-8") from error

    def _read_state(self, file: str) -> Any:
        """Return the content of a file that draive_pg wrote, or None; check kind and format."""
        if (text := self._read_text(file)) is None:
            return None
        state: Any = json.loads(text)
        if state["format"] != FORMAT:
            raise FileInvalid(f"{file!r} was written by a newer draive_pg: upgrade this one")
        if state["kind"] != self.kind.name:
            raise FileInvalid(
                f"{str(self.path)!r:.200} is a folder of {state['kind']}: use another folder"
            )
        return state

    def _read_seen(self) -> Seen | None:
        def parse() -> Seen | None:
            if (state := self._read_state(SEEN)) is None:
                return None
            return {
                name: {None if each is None else _version(*each) for each in versions}
                for name, versions in cast("dict[str, list[Any]]", state["seen"]).items()
            }

        return self._parsed(SEEN, parse)

    def _encode_seen(self, seen: Seen) -> bytes:
        versions = {
            name: sorted(
                (each and [each.digest, dict(each.labels or ())] for each in seen[name]), key=str
            )
            for name in sorted(seen)
        }
        state = {"format": FORMAT, "kind": self.kind.name, "seen": versions}
        return f"{json.dumps(state, ensure_ascii=False, indent=1)}\n".encode()

    def _read_legacy_state(self) -> Mapping[str, LegacyBase]:
        def parse() -> Mapping[str, LegacyBase]:
            state = self._read_state(LEGACY_STATE)
            revisions = {} if state is None else cast("dict[str, Any]", state["revisions"])
            return {
                name: LegacyBase(
                    datetime.fromisoformat(base["created"]),
                    _version(str(base["digest"]), dict.fromkeys(base.get("labels", ()), "")),
                )
                for name, base in revisions.items()
            }

        return self._parsed(LEGACY_STATE, parse)

    def _parsed[T](self, file: str, parse: Callable[[], T]) -> T:
        try:
            return parse()
        except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
            if isinstance(error, FileInvalid):
                raise
            raise FileInvalid(
                f"{str(self.path / file)!r:.200} is not a valid state file: remove it, then pull"
            ) from error


def _version(digest: str, labels: Mapping[str, str]) -> Version:
    return Version(digest, tuple(sorted(labels.items())))


def _union(*parts: Seen) -> Seen:
    return {
        name: set[Version | None]().union(*(part.get(name, ()) for part in parts))
        for name in {name for part in parts for name in part}
    }


def _write(drafts: Drafts, path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with drafts.open(path) as file:
        file.write(data)


def _raise(error: OSError) -> None:
    # An unreadable folder must not be mistaken for an empty one.
    raise error
