"""A folder of prompts or configurations: its files.

Every file is replaced atomically, so an interrupted pull leaves files that equal the database and
are unchanged in the next comparison. Symbolic links are not followed, so nothing outside the folder
is read or written.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from draive_pg.atomic_file import USUAL, Drafts
from draive_pg.errors import FileInvalid
from draive_pg.sync.formats import FileContent
from draive_pg.sync.kinds import FileKind
from draive_pg.sync.names import README, name_of_path, path_of_name
from draive_pg.sync.past import Past, Version, inside, matches, read_text, write_file
from draive_pg.sync.scope import Ignored, Scope

IGNORE = ".draive_pg_ignore"


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
    past : Past
        The versions of the files that this copy of the folder had before.
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
        self._links: set[PurePosixPath] = set()
        self._ignored = Ignored(read_text(path, IGNORE) or "")
        self.past = Past(path, kind)
        self.documents = self._read_documents()
        self.unread = tuple(self._unread)

    def includes(self, name: str) -> bool:
        """Return whether a name is in the scope, not ignored, and not that of an unread file."""
        if name not in self.scope or name in self._ignored or name in self._withheld:
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

    def had(self, name: str, version: Version | None) -> bool:
        """Return whether this copy of the folder has, or is known to have had, a version."""
        document = self.documents.get(name)
        local = None if document is None else Version.of(document)
        return matches(version, (local,)) or self.past.has(name, version)

    def may_have_had(self, name: str, version: Version | None) -> bool:
        """Return whether to assume that this copy of the folder had a version; None: no file.

        A copy whose past is not known is taken for the newest, but a file that it lacks may be
        another folder's.
        """
        if self.had(name, version):
            return True
        return not self.past.is_known and (name in self.documents or self.scope.is_given)

    def write(self, documents: Mapping[str, FileContent | None]) -> None:
        """Write documents, then remove the files of names with None."""
        removed: list[Path] = []
        with Drafts(self.path, mode=USUAL) as drafts:
            for name, document in documents.items():
                path = inside(self.path, self.path_of(name))
                if document is None:
                    removed.append(path)
                else:
                    write_file(drafts, path, _encode(path, document))
            for path in removed:
                self._remove(path)
            drafts.complete()

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
            for name in sorted(names):
                path = top / name
                if name.startswith("."):
                    continue
                if path.suffix not in self.kind.suffixes:
                    self._skip(path)
                    continue
                yield path

    def _skip(self, path: Path) -> None:
        relative = path.relative_to(self.path).as_posix()
        reason = f"not {' or '.join(self.kind.suffixes)}"
        if path.is_symlink():
            reason = "a link"
            self._links.add(PurePosixPath(relative))
        if relative not in self._ignored:
            self._unread.append(f"{relative} ({reason})")

    def _remove(self, path: Path) -> None:
        path.unlink()
        for folder in path.relative_to(self.path).parents[:-1]:
            with suppress(OSError):  # not empty
                (self.path / folder).rmdir()


def _encode(path: Path, document: FileContent) -> bytes:
    try:
        return document.encode(path.suffix)
    except FileInvalid as error:
        raise FileInvalid(f"{path}: {error}") from None


def _raise(error: OSError) -> None:
    # An unreadable folder must not be mistaken for an empty one.
    raise error
