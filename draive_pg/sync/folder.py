"""A folder of prompts or configurations: its files.

Every file is replaced atomically, so an interrupted pull leaves files that equal the database and
are unchanged in the next comparison. Symbolic links are not followed, so nothing outside the folder
is read or written.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from stat import S_ISREG

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
        self.documents: dict[str, FileContent] = {}
        self._read_documents()

    @property
    def unread(self) -> tuple[str, ...]:
        """The files that are not read, each with the reason."""
        return tuple(self._unread)

    def withhold(self, name: str, reason: str) -> None:
        """Leave out the file of a name."""
        self.documents.pop(name, None)
        self._unread.append(f"{self.path_of(name)} ({reason})")
        self._withheld.add(name)

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
        for part in map(str, (path, *path.parents)):
            if self._taken.get(part.casefold()) == part:
                break  # so its parents are taken, too
            self._taken[part.casefold()] = part

    def _free_place(self, name: str) -> PurePosixPath:
        """Return an unused path, also unique on case-insensitive file systems."""
        path = path_of_name(name, self.kind.suffixes[0])
        for part in map(str, (path, *path.parents)):
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
        suffix = relative.suffix
        name = name_of_path(relative, suffix)
        if name in self._ignored or str(relative) in self._ignored:
            return
        path = self.path / relative
        if not S_ISREG(path.lstat().st_mode):
            raise FileInvalid(f"{str(path)!r:.200} is not a regular file: remove it")
        if name in self._places:
            raise FileInvalid(
                f"{str(self._places[name])!r:.200} and {str(relative)!r:.200} are files "
                f"of {name!r:.80}: remove one"
            )
        self._place(name, relative)
        if name not in self.scope:
            return
        if README.fullmatch(relative.stem):
            self.withhold(name, f"rename it to {path_of_name(name, suffix)}")
        elif data := path.read_bytes():
            self.documents[name] = self.kind.content.read(data, suffix, str(path))
        else:
            self.withhold(name, "empty")

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
        if str(relative) not in self._ignored:
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
