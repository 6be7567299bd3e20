"""A folder of prompts or configurations: its files, and what both sides last agreed on.

Files are written beside their place and renamed into it, and the state last: whoever is interrupted
finds files that equal the database's, whatever the state says of them. Nothing outside the folder
is read or written, for links are not followed.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from draive_pg.atomic_file import Replacement
from draive_pg.errors import FileInvalid
from draive_pg.sync.formats import Configuration, Document, Prompt
from draive_pg.sync.names import name_of, path_of

__all__ = ("CONFIGURATIONS", "PROMPTS", "Agreed", "Folder", "Kind", "Version")

STATE = ".draive_pg.json"
STATE_FORMAT = 1


class Kind(NamedTuple):
    """What a folder holds: of which name, in files of which endings, and what a file is."""

    name: str
    suffixes: tuple[str, ...]
    document: type[Document]


PROMPTS = Kind("prompts", (".md",), Prompt)
CONFIGURATIONS = Kind("configurations", (".json", ".toml"), Configuration)


class Version(NamedTuple):
    """What tells two documents of a name apart; without ``labels``, they do not count."""

    digest: str
    labels: tuple[str, ...] | None = None

    @classmethod
    def of(cls, document: Document, *, labels: bool) -> "Version":
        """Return a document's version."""
        return cls(document.digest, document.labels if labels else None)


class Agreed(NamedTuple):
    """What both sides had when they last agreed: a revision, known by its time and its content.

    The labels are None where they were never compared.
    """

    created: str
    digest: str
    labels: tuple[str, ...] | None

    def version(self, *, labels: bool) -> Version:
        """Return the version that was agreed on."""
        return Version(self.digest, (self.labels or ()) if labels else None)


class Folder:
    """The files of one kind in a folder, and its state.

    Parameters
    ----------
    path : Path
        The folder; it is made when something is written.
    kind : Kind
        What it holds.

    Attributes
    ----------
    documents : Mapping[str, Document]
        What the files hold, by name, as they were read.
    state : Mapping[str, Agreed]
        What both sides last agreed on, by name.
    """

    def __init__(self, path: Path, kind: Kind) -> None:
        if path.exists() and not path.is_dir():
            raise FileInvalid(f"{str(path)!r:.200} is no folder")
        self.path = path
        self.kind = kind
        self._places: dict[str, PurePosixPath] = {}
        self._taken: dict[str, str] = {}
        self.state = self._read_state()
        self.documents = self._read_documents()

    def path_of(self, name: str) -> PurePosixPath:
        """Return the path of a name's file in the folder, whether it is there yet or not."""
        if name not in self._places:
            self._place(name, self._free_place(name))
        return self._places[name]

    def _place(self, name: str, path: PurePosixPath) -> None:
        self._places[name] = path
        self._taken |= {str(part).casefold(): str(part) for part in (path, *path.parents)}

    def _free_place(self, name: str) -> PurePosixPath:
        """Return a path that differs from others' in more than case, which some disregard."""
        path = path_of(name, self.kind.suffixes[0])
        for part in map(str, (path, *path.parents)):
            if self._taken.get(part.casefold(), part) != part:
                return path_of(name, self.kind.suffixes[0], plain=False)
        return path

    def write(self, documents: Mapping[str, Document | None], state: Mapping[str, Agreed]) -> None:
        """Write files, remove those of names without a document, and then write the state."""
        written: list[Replacement] = []
        removed: list[Path] = []
        with ExitStack() as stack:

            def write(path: Path, data: bytes) -> None:
                path.parent.mkdir(parents=True, exist_ok=True)
                replacement = stack.enter_context(Replacement(path))
                with replacement.open() as file:
                    file.write(data)
                written.append(replacement)

            for name, document in documents.items():
                path = self._inside(self.path_of(name))
                if document is None:
                    removed.append(path)
                else:
                    write(path, self._written(path, document))
            if dict(state) != self.state:
                write(self.path / STATE, self._state_of(state))
            for path in removed:
                self._remove(path)
            for each in written:
                each.complete()

    def _read_documents(self) -> Mapping[str, Document]:
        found: dict[str, Document] = {}
        for path in self._paths():
            relative = PurePosixPath(path.relative_to(self.path).as_posix())
            name = name_of(relative, path.suffix)
            if name in found:
                raise FileInvalid(
                    f"{str(self._places[name])!r:.200} and {str(relative)!r:.200} are both "
                    f"{name!r:.80}: remove one"
                )
            self._place(name, relative)
            found[name] = self.kind.document.read(path.read_bytes(), path.suffix, str(path))
        return found

    def _paths(self) -> Iterator[Path]:
        if not self.path.exists():  # yet
            return
        for top, folders, names in self.path.walk(on_error=_raise):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for name in sorted(names):
                path = top / name
                if path.suffix not in self.kind.suffixes or name.startswith("."):
                    continue
                if path.is_symlink() or not path.is_file():
                    raise FileInvalid(f"{str(path)!r:.200} is no file of its own: remove it")
                yield path

    def _inside(self, relative: PurePosixPath) -> Path:
        """Return the place of a file, which no link leads out of the folder."""
        path = self.path
        for part in relative.parts:
            path /= part
            if path.is_symlink():
                raise FileInvalid(f"{str(path)!r:.200} is a link, which is not followed: remove it")
        return path

    def _written(self, path: Path, document: Document) -> bytes:
        try:
            return document.written(path.suffix)
        except FileInvalid as error:
            raise FileInvalid(f"{path}: {error}") from None

    def _remove(self, path: Path) -> None:
        path.unlink()
        for folder in path.relative_to(self.path).parents[:-1]:
            with suppress(OSError):  # it holds something else
                (self.path / folder).rmdir()

    def _read_state(self) -> dict[str, Agreed]:
        path = self._inside(PurePosixPath(STATE))
        try:
            state: Any = json.loads(path.read_text(encoding="utf-8"))
            if state["format"] != STATE_FORMAT:
                raise FileInvalid(f"{str(path)!r:.200} is of a newer draive_pg: upgrade this one")
            if state["kind"] != self.kind.name:
                raise FileInvalid(
                    f"{str(self.path)!r:.200} is a folder of {state['kind']}: use another folder"
                )
            return {
                str(name): Agreed(
                    str(agreed["created"]),
                    str(agreed["digest"]),
                    None if "labels" not in agreed else tuple(map(str, agreed["labels"])),
                )
                for name, agreed in cast("dict[str, Any]", state["revisions"]).items()
            }
        except FileNotFoundError:
            return {}
        except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
            if isinstance(error, FileInvalid):
                raise
            raise FileInvalid(
                f"{str(path)!r:.200} is not what a pull or a push wrote: remove it, and pull"
            ) from error

    def _state_of(self, state: Mapping[str, Agreed]) -> bytes:
        revisions = {
            name: {key: value for key, value in agreed._asdict().items() if value is not None}
            for name, agreed in sorted(state.items())
        }
        whole = {"format": STATE_FORMAT, "kind": self.kind.name, "revisions": revisions}
        return f"{json.dumps(whole, ensure_ascii=False, indent=2)}\n".encode()


def _raise(error: OSError) -> None:
    # A folder that cannot be read is not an empty one.
    raise error
