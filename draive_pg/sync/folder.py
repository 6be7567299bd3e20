"""A folder of prompts or configurations: its files.

Every file is replaced atomically, so an interrupted pull leaves files that equal the database and
are unchanged in the next comparison. Symbolic links are not followed, so nothing outside the folder
is read or written.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from draive_pg.atomic_file import USUAL, Drafts
from draive_pg.codec.validation import MAX_SENT
from draive_pg.errors import FileInvalid
from draive_pg.sync.formats import FileContent
from draive_pg.sync.kinds import FileKind
from draive_pg.sync.names import README, name_of_path, path_of_name
from draive_pg.sync.scope import Ignored, Scope
from draive_pg.sync.seen import (
    KnownFile,
    SeenVersions,
    Version,
    inside,
    matches,
    read_text,
    write_file,
)

IGNORE = ".draive_pg_ignore"


type Parse = partial[FileContent]
"""Returns the content of a file."""


class Documents(Mapping[str, FileContent]):
    """The contents of files, by name; a file is parsed when its content is needed."""

    def __init__(self) -> None:
        self._contents: dict[str, FileContent | Parse] = {}

    def __getitem__(self, name: str) -> FileContent:
        content = self._contents[name]
        if isinstance(content, partial):
            content = self._contents[name] = content()
        return content

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)

    def put(self, name: str, content: FileContent | Parse) -> None:
        """Add or replace a file."""
        self._contents[name] = content

    def discard(self, name: str) -> None:
        """Remove a file if it is there."""
        self._contents.pop(name, None)


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
        Receives the errors of files that cannot be parsed, by path, instead of raising the first;
        then all files are parsed.

    Attributes
    ----------
    seen : SeenVersions
        The versions of the files that this copy of the folder had before.
    documents : Mapping[str, FileContent]
        The files by name, as they were read. One that this copy of the folder knows is parsed when
        its content is needed.

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
        self._links: set[PurePosixPath] = set()
        self._ignored = Ignored(read_text(path, IGNORE) or "")
        self.seen = SeenVersions(path, kind)
        self._known: dict[str, KnownFile] = {}
        self.documents = Documents()
        self._read_documents()

    @property
    def unread(self) -> tuple[str, ...]:
        """The files that are not read, each with the reason."""
        return tuple(self._unread)

    def withhold(self, name: str, reason: str) -> None:
        """Leave out the file of a name."""
        self.documents.discard(name)
        self._unread.append(f"{self.path_of(name)} ({reason})")
        self._withheld.add(name)

    def includes(self, name: str) -> bool:
        """Return whether a name is in the scope, not ignored, and not that of an unread file."""
        if name not in self.scope or name in self._withheld:
            return False
        path = self._places.get(name) or path_of_name(name, self.kind.suffixes[0])
        if self._ignored.covers(name, str(path)):
            return False
        if not self._links:
            return True
        # What is behind a link is not read, so it must not be taken for removed.
        return self._links.isdisjoint(path_of_name(name, self.kind.suffixes[0]).parents)

    def path_of(self, name: str) -> PurePosixPath:
        """Return the relative path of a name's file, whether it exists or not."""
        if name not in self._places:
            self._place(name, self._free_place(name))
        return self._places[name]

    def version(self, name: str) -> Version | None:
        """Return the version of a file; None if there is no file."""
        return self._known[name].version if name in self.documents else None

    def versions(self, *, labels: bool) -> dict[str, Version]:
        """Return the versions of all files, by name; without labels if these are not compared."""
        found = {name: self._known[name].version for name in self.documents}
        if labels:
            return found
        return {name: version._replace(labels=None) for name, version in found.items()}

    @property
    def known(self) -> Mapping[str, KnownFile]:
        """The files, by path."""
        return {str(self._places[name]): self._known[name] for name in self.documents}

    def had(self, name: str, version: Version | None) -> bool:
        """Return whether this copy of the folder has, or is known to have had, a version."""
        return matches(version, (self.version(name),)) or self.seen.has(name, version)

    def may_have_had(self, name: str, version: Version | None) -> bool:
        """Return whether to assume that this copy of the folder had a version; None: no file.

        A copy whose versions are not known is taken for the newest, but a file that it lacks may be
        another folder's.
        """
        if self.had(name, version):
            return True
        return not self.seen.is_known and (name in self.documents or self.scope.is_given)

    def histories(
        self, name: str, bases: Sequence[Version | None]
    ) -> Iterator[Sequence[Version | None]]:
        """Return the versions that this copy of the folder had, the oldest first, by their source.

        A copy whose versions are not known is taken to have had the given bases.
        """
        if not self.seen.is_known:
            yield bases[::-1]
        for each in self.seen.histories(name):
            yield [*each, self.version(name)]

    def write(self, documents: Mapping[str, FileContent | None]) -> None:
        """Write documents, then remove the files of names with None.

        Raises
        ------
        FileInvalid
            If one of the files was changed after it was read; then nothing is written.
        """
        paths: dict[str, Path] = {}
        known: dict[str, KnownFile] = {}
        with Drafts(self.path, mode=USUAL) as drafts:
            for name, document in documents.items():
                path = paths[name] = inside(self.path, self.path_of(name))
                self._check_unchanged(name, path)
                if document is not None:
                    data = _encode(path, document)
                    write_file(drafts, path, data)
                    known[name] = KnownFile(_hash(data), Version.of(document))
            drafts.sync()
            for name, path in paths.items():  # somebody may have saved it meanwhile
                self._check_unchanged(name, path)
            removed = [paths[name] for name, document in documents.items() if document is None]
            for path in removed:  # first: on some systems, names may differ only in case
                path.unlink()
            drafts.complete()
        for path in removed:
            self._remove_empty_parents(path)
        for name, document in documents.items():
            if document is None:
                self.documents.discard(name)
            else:
                self.documents.put(name, document)
        self._known |= known

    def _check_unchanged(self, name: str, path: Path) -> None:
        try:
            found = _hash(path.read_bytes())
        except FileNotFoundError:
            found = None
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileInvalid(
                f"{str(path)!r:.200} cannot be written ({error.strerror}): rename what is there"
            ) from None
        if found != (self._known[name].hash if name in self.documents else None):
            raise FileInvalid(f"{str(path)!r:.200} was changed meanwhile: repeat the command")

    def _place(self, name: str, path: PurePosixPath) -> None:
        self._places[name] = path
        for part in _with_parents(path):
            if self._taken.get(part.casefold()) == part:
                break  # so its parents are taken, too
            self._taken[part.casefold()] = part

    def _free_place(self, name: str) -> PurePosixPath:
        """Return an unused path, also unique on case-insensitive file systems."""
        path = path_of_name(name, self.kind.suffixes[0])
        for part in _with_parents(path):
            if self._taken.get(part.casefold(), part) != part:
                return path_of_name(name, self.kind.suffixes[0], plain=False)
        return path

    def _read_documents(self) -> None:
        for relative in self._paths():
            try:
                self._read_document(relative)
            except FileInvalid as error:
                if self._invalid is None:
                    raise
                self._invalid[str(relative)] = str(error)

    def _read_document(self, relative: PurePosixPath) -> None:
        text, suffix = str(relative), relative.suffix
        name = name_of_path(relative, suffix)
        if self._ignored.covers(name, text):
            self._withheld.add(name)
            return
        path = f"{self.path}{os.sep}{text}"
        status = os.lstat(path)
        if not S_ISREG(status.st_mode):
            raise FileInvalid(f"{path!r:.200} is not a regular file: remove it")
        if status.st_size > MAX_SENT:
            raise FileInvalid(f"{path!r:.200} is larger than {MAX_SENT:,} bytes")
        if name in self._places:
            raise FileInvalid(
                f"{str(self._places[name])!r:.200} and {text!r:.200} are files "
                f"of {name!r:.80}: remove one"
            )
        self._place(name, relative)
        if name not in self.scope:
            return
        if README.fullmatch(relative.stem):
            self.withhold(name, f"rename it to {path_of_name(name, suffix)}")
            return
        with open(path, "rb") as file:  # noqa: PTH123 - takes half of the time
            data = file.read()
        if not data:
            self.withhold(name, "empty")
            return
        content: FileContent | Parse = partial(self.kind.content.read, data, suffix, path)
        known = self.seen.files.get(text)
        if self._invalid is not None or known is None or known.hash != _hash(data):
            content = content()
            known = KnownFile(_hash(data), Version.of(content))
        self.documents.put(name, content)
        self._known[name] = known

    def _paths(self) -> Iterator[PurePosixPath]:
        if not self.path.exists():
            return
        for top, folders, names in self.path.walk(on_error=_raise):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            folder = PurePosixPath(top.relative_to(self.path))
            for name in sorted(names):
                if name.startswith("."):
                    continue
                relative = folder / name
                if relative.suffix in self.kind.suffixes:
                    yield relative
                else:
                    self._skip(relative)

    def _skip(self, relative: PurePosixPath) -> None:
        reason = f"not {' or '.join(self.kind.suffixes)}"
        if (self.path / relative).is_symlink():
            reason = "a link"
            self._links.add(relative)
        if not self._ignored.covers(str(relative)):
            self._unread.append(f"{relative} ({reason})")

    def _remove_empty_parents(self, path: Path) -> None:
        for folder in path.relative_to(self.path).parents[:-1]:
            with suppress(OSError):  # not empty
                (self.path / folder).rmdir()


def _with_parents(path: PurePosixPath) -> Iterator[str]:
    part = str(path)
    while part:
        yield part
        part = part.rpartition("/")[0]


@cache
def release() -> bytes:
    """Return the version of draive_pg; to read it takes 20 ms."""
    return version("draive_pg").encode()


def _hash(data: bytes) -> str:
    """Return the hash of a file's bytes, as this release reads them."""
    # Another release may parse the same bytes differently.
    return sha256(release() + data).hexdigest()


def _encode(path: Path, document: FileContent) -> bytes:
    try:
        return document.encode(path.suffix)
    except FileInvalid as error:
        raise FileInvalid(f"{path}: {error}") from None


def _raise(error: OSError) -> None:
    # An unreadable folder must not be mistaken for an empty one.
    raise error
