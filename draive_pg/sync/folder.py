"""A folder of prompts or configurations: its files, and the base of the three-way comparison.

Every file is replaced atomically, the state file last, so an interrupted pull leaves files that
equal the database and are unchanged in the next comparison. Symbolic links are not followed, so
nothing outside the folder is read or written.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from draive_pg.atomic_file import USUAL, Drafts
from draive_pg.errors import FileInvalid
from draive_pg.sync.formats import FileContent
from draive_pg.sync.kinds import FileKind
from draive_pg.sync.names import name_of_path, path_of_name

STATE = ".draive_pg.json"
STATE_FORMAT = 1


class Version(NamedTuple):
    """The identity of a document's content; labels are None when they are not compared."""

    digest: str
    labels: tuple[str, ...] | None = None

    @classmethod
    def of(cls, document: FileContent, *, labels: bool) -> "Version":
        """Return a document's version."""
        return cls(document.digest, document.labels if labels else None)


class BaseVersion(NamedTuple):
    """The revision that folder and database had in common after the last push or pull.

    Labels are None if they were never compared.
    """

    created: str
    digest: str
    labels: tuple[str, ...] | None

    def version(self, *, labels: bool) -> Version:
        """Return the version to compare with."""
        return Version(self.digest, (self.labels or ()) if labels else None)


class Folder:
    """The files of one kind in a folder, and its state file.

    Parameters
    ----------
    path : Path
        The folder; the first write creates it.
    kind : FileKind
        What the files contain.

    Attributes
    ----------
    documents : Mapping[str, FileContent]
        The parsed files, by name, as they were read.
    base : Mapping[str, BaseVersion]
        The state after the last push or pull, by name.

    Raises
    ------
    FileInvalid
        If the path is not a folder, or a file cannot be parsed.
    """

    def __init__(self, path: Path, kind: FileKind) -> None:
        if path.exists() and not path.is_dir():
            raise FileInvalid(f"{str(path)!r:.200} is not a folder")
        self.path = path
        self.kind = kind
        self._places: dict[str, PurePosixPath] = {}
        self._taken: dict[str, str] = {}
        self.base = self._read_state()
        self.documents = self._read_documents()

    def path_of(self, name: str) -> PurePosixPath:
        """Return the relative path of a name's file, whether it exists or not."""
        if name not in self._places:
            self._place(name, self._free_place(name))
        return self._places[name]

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

    def write(
        self, documents: Mapping[str, FileContent | None], base: Mapping[str, BaseVersion]
    ) -> None:
        """Write documents, remove the files of names with None, then write the state file."""
        removed: list[Path] = []
        with Drafts(self.path, mode=USUAL) as drafts:

            def write(path: Path, data: bytes) -> None:
                path.parent.mkdir(parents=True, exist_ok=True)
                with drafts.open(path) as file:
                    file.write(data)

            for name, document in documents.items():
                path = self._inside(self.path_of(name))
                if document is None:
                    removed.append(path)
                else:
                    write(path, self._encode(path, document))
            if dict(base) != self.base:
                write(self.path / STATE, self._encode_state(base))
            for path in removed:
                self._remove(path)
            drafts.complete()

    def _read_documents(self) -> Mapping[str, FileContent]:
        found: dict[str, FileContent] = {}
        for path in self._paths():
            relative = PurePosixPath(path.relative_to(self.path).as_posix())
            name = name_of_path(relative, path.suffix)
            if name in found:
                raise FileInvalid(
                    f"{str(self._places[name])!r:.200} and {str(relative)!r:.200} are files "
                    f"of {name!r:.80}: remove one"
                )
            self._place(name, relative)
            found[name] = self.kind.content.read(path.read_bytes(), path.suffix, str(path))
        return found

    def _paths(self) -> Iterator[Path]:
        if not self.path.exists():
            return
        for top, folders, names in self.path.walk(on_error=_raise):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for name in sorted(names):
                path = top / name
                if path.suffix not in self.kind.suffixes or name.startswith("."):
                    continue
                if path.is_symlink() or not path.is_file():
                    raise FileInvalid(f"{str(path)!r:.200} is not a regular file: remove it")
                yield path

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

    def _read_state(self) -> dict[str, BaseVersion]:
        path = self._inside(PurePosixPath(STATE))
        try:
            state: Any = json.loads(path.read_text(encoding="utf-8"))
            if state["format"] != STATE_FORMAT:
                raise FileInvalid(
                    f"{str(path)!r:.200} was written by a newer draive_pg: upgrade this one"
                )
            if state["kind"] != self.kind.name:
                raise FileInvalid(
                    f"{str(self.path)!r:.200} is a folder of {state['kind']}: use another folder"
                )
            return {
                str(name): BaseVersion(
                    str(base["created"]),
                    str(base["digest"]),
                    None if "labels" not in base else tuple(map(str, base["labels"])),
                )
                for name, base in cast("dict[str, Any]", state["revisions"]).items()
            }
        except FileNotFoundError:
            return {}
        except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
            if isinstance(error, FileInvalid):
                raise
            raise FileInvalid(
                f"{str(path)!r:.200} is not a valid state file: remove it, then pull"
            ) from error

    def _encode_state(self, base: Mapping[str, BaseVersion]) -> bytes:
        revisions = {
            name: {key: value for key, value in each._asdict().items() if value is not None}
            for name, each in sorted(base.items())
        }
        state = {"format": STATE_FORMAT, "kind": self.kind.name, "revisions": revisions}
        return f"{json.dumps(state, ensure_ascii=False, indent=2)}\n".encode()


def _raise(error: OSError) -> None:
    # An unreadable folder must not be mistaken for an empty one.
    raise error
