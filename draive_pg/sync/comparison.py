"""Three-way comparison of a folder with the database, and the rules of push and pull.

Each name has up to three versions: the base, recorded by the last push or pull, the one in the
folder, and the one in the database. A conflict is a name that changed on both sides since the base.
Nothing here does I/O.
"""

from collections.abc import Hashable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from draive_pg.models.documents import Revision, Snapshot
from draive_pg.models.folders import FileDiff, FolderChange
from draive_pg.models.record import Records
from draive_pg.sync.folder import BaseVersion, Folder, Version
from draive_pg.sync.formats import FileContent


class Change(StrEnum):
    """How one document differs between the folder and the database."""

    UNCHANGED = "unchanged"
    CHANGED_IN_FOLDER = "changed in folder"
    CHANGED_IN_DATABASE = "changed in database"
    NEW_IN_FOLDER = "new in folder"
    NEW_IN_DATABASE = "new in database"
    REMOVED_FROM_FOLDER = "removed from folder"
    REMOVED_FROM_DATABASE = "removed from database"
    CONFLICT = "conflict"


class Action(StrEnum):
    """What a push or pull does with one document at its target."""

    NOTHING = "nothing"
    WRITE = "write"
    REMOVE = "remove"
    KEEP = "keep"
    """Removed at the source, but kept at the target because ``delete`` was not given."""
    CONFLICT = "conflict"


class Stored(NamedTuple):
    """The current revision of a name in the database, and the content of its file."""

    document: FileContent
    revision: Revision | Snapshot


def changes[V: Hashable](
    base: Mapping[str, V], folder: Mapping[str, V], database: Mapping[str, V]
) -> dict[str, Change]:
    """Return how the versions of each name differ, in order of the names."""
    return {
        name: _change(base.get(name), folder.get(name), database.get(name))
        for name in sorted(folder.keys() | database.keys())
    }


def _change(base: Hashable, folder: Hashable, database: Hashable) -> Change:
    if folder == database:
        return Change.UNCHANGED
    if database == base:
        if base is None:
            return Change.NEW_IN_FOLDER
        return Change.REMOVED_FROM_FOLDER if folder is None else Change.CHANGED_IN_FOLDER
    if folder == base:
        if base is None:
            return Change.NEW_IN_DATABASE
        return Change.REMOVED_FROM_DATABASE if database is None else Change.CHANGED_IN_DATABASE
    return Change.CONFLICT


def action(
    change: Change,
    source: Literal["folder", "database"],
    *,
    exists: bool,
    force: bool,
    delete: bool,
) -> Action:
    """Return the action that carries a change over to the other side.

    Parameters
    ----------
    change : Change
        The change; its value ends with the side that changed.
    source : str
        The side whose changes are carried over.
    exists : bool
        Whether the document exists there.
    force : bool
        Let the source win a conflict.
    delete : bool
        Remove what was removed at the source.
    """
    if change is Change.CONFLICT:
        if not force:
            return Action.CONFLICT
    elif not change.endswith(source):
        return Action.NOTHING  # equal, or changed only at the target
    if exists:
        return Action.WRITE
    return Action.REMOVE if delete else Action.KEEP


class Comparison:
    """A folder compared with the database.

    Parameters
    ----------
    folder : Folder
        The folder as it was read.
    stored : Mapping[str, Stored]
        The current revisions in the database, by name.
    labels : bool
        Whether labels are compared and transferred.

    Attributes
    ----------
    changes : Mapping[str, Change]
        How the two differ, by name.
    """

    def __init__(
        self, folder: Folder, stored: Mapping[str, Stored], *, labels: bool = False
    ) -> None:
        self.folder = folder
        self.stored = stored
        self.labels = labels
        self._base = {name: base.version(labels=labels) for name, base in folder.base.items()}
        self._local = {name: self._version(each) for name, each in folder.documents.items()}
        self._remote = {name: self._version(each.document) for name, each in stored.items()}
        self.changes: Mapping[str, Change] = changes(self._base, self._local, self._remote)

    def _version(self, document: FileContent) -> Version:
        return Version.of(document, labels=self.labels)

    @property
    def differing(self) -> list[str]:
        """The names that differ, in order."""
        return [name for name, change in self.changes.items() if change is not Change.UNCHANGED]

    def actions(
        self, source: Literal["folder", "database"], *, force: bool = False, delete: bool = False
    ) -> dict[str, Action]:
        """Return what a push from the folder, or a pull from the database, does, by name."""
        documents = self._local if source == "folder" else self._remote
        return {
            name: action(change, source, exists=name in documents, force=force, delete=delete)
            for name, change in self.changes.items()
        }

    def write_files(self, actions: Mapping[str, Action]) -> None:
        """Write the files of a pull."""
        documents = {
            name: self._remote_document(name) if done is Action.WRITE else None
            for name, done in actions.items()
            if done in (Action.WRITE, Action.REMOVE)
        }
        self.folder.write(documents, self.folder.base)

    def record_pull(self, actions: Mapping[str, Action]) -> None:
        """Record the new base after a pull."""
        self.folder.write({}, self._new_base(self._remote, self._local, actions, {}))

    def record_push(self, actions: Mapping[str, Action], created: Mapping[str, datetime]) -> None:
        """Record the new base after a push that wrote revisions at these times."""
        self.folder.write({}, self._new_base(self._local, self._remote, actions, created))

    def _remote_document(self, name: str) -> FileContent:
        """Return the document in the database; unless ``labels``, keep the labels of the file."""
        document = self.stored[name].document
        if self.labels:
            return document
        local = self.folder.documents.get(name)
        return document.with_labels(() if local is None else local.labels)

    def _new_base(
        self,
        source: Mapping[str, Version],
        target: Mapping[str, Version],
        actions: Mapping[str, Action],
        created: Mapping[str, datetime],
    ) -> dict[str, BaseVersion]:
        """Return the new base: the versions that both sides have now."""
        result: dict[str, BaseVersion] = {}
        for name, done in actions.items():
            before = self.folder.base.get(name)
            version = source.get(name)
            if version is not None and (done is Action.WRITE or version == target.get(name)):
                labels = None if before is None or name in created else before.labels
                time = created[name] if name in created else self.stored[name].revision.created
                result[name] = BaseVersion(
                    time.isoformat(), version.digest, version.labels if self.labels else labels
                )
            elif before is not None and done is not Action.REMOVE:
                result[name] = before
        return result

    def records(self, actions: Mapping[str, Action] | None = None) -> Records[FolderChange]:
        """Return the differences, each with the action of a push or a pull if there is one."""
        return Records(
            FolderChange,
            (
                FolderChange(
                    name=name,
                    change=str(self.changes[name]),
                    file=str(self.folder.path_of(name)),
                    action=None if actions is None else str(actions[name]),
                )
                for name in self.differing
            ),
        )

    def file_diff(self, name: str) -> FileDiff:
        """Return the file of a name as a pull would write it, and as it is."""
        path = self.folder.path_of(name)
        remote = self._remote_document(name) if name in self.stored else None
        texts = [
            None if each is None else each.encode(path.suffix).decode()
            for each in (remote, self.folder.documents.get(name))
        ]
        return FileDiff(name=name, file=str(path), database=texts[0], folder=texts[1])
