"""Three-way comparison of a folder with the database, and the rules of push and pull.

Each name has up to three versions: the base, which folder and database had in common before, the
one in the folder, and the one in the database. A conflict is a name that changed on both sides
since the base. Nothing here does I/O, except through `Folder`.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple, cast

from draive_pg.models.folders import FileDiff
from draive_pg.operations.documents.bases import Base
from draive_pg.sync.folder import Folder
from draive_pg.sync.formats import FileContent
from draive_pg.sync.seen import Version, matches

type Side = Literal["folder", "database"]


class Change(StrEnum):
    """How one document differs between the folder and the database."""

    UNCHANGED = "unchanged"
    CHANGED_IN_FOLDER = "changed in folder"
    CHANGED_IN_DATABASE = "changed in database"
    NEW_IN_FOLDER = "new in folder"
    NEW_IN_DATABASE = "new in database"
    REMOVED_FROM_FOLDER = "removed from folder"
    REMOVED_FROM_DATABASE = "removed from database"
    RENAMED_IN_FOLDER = "renamed in folder"
    RENAMED_IN_DATABASE = "renamed in database"
    CONFLICT = "conflict"


class Action(StrEnum):
    """What a push or pull does with one document at its target."""

    NOTHING = "nothing"
    WRITE = "write"
    RENAME = "rename"
    REMOVE = "remove"
    KEEP = "keep"
    """Missing at the source, but kept at the target because ``delete`` was not given."""
    CONFLICT = "conflict"


class Stored(NamedTuple):
    """The newest revision of a name in the database.

    Attributes
    ----------
    created : datetime
        Its time.
    version : Version
        Its version.
    document : FileContent | None
        Its content; None until it is needed.
    labelled : Mapping[str, datetime]
        The revisions of all labels of the name.
    """

    created: datetime
    version: Version
    document: FileContent | None = None
    labelled: Mapping[str, datetime] = MappingProxyType({})

    def version_for_push(self, listed: Iterable[str]) -> Version:
        """Return the version without labels of older revisions, except for the listed ones.

        A file that does not name such a label leaves it where it is.
        """
        if self.version.labels is None:
            return self.version
        kept = {*listed} | {label for label, time in self.labelled.items() if time == self.created}
        return Version(
            self.version.digest, tuple(each for each in self.version.labels if each[0] in kept)
        )


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


def action(change: Change, source: Side, *, exists: bool, force: bool, delete: bool) -> Action:
    """Return the action that makes the other side equal to the source.

    Parameters
    ----------
    change : Change
        The change; its value ends with the side that changed.
    source : str
        The side whose changes are carried over.
    exists : bool
        Whether the document exists there.
    force : bool
        Carry over every difference, whichever side changed.
    delete : bool
        Remove what is missing at the source.
    """
    if change is Change.UNCHANGED:
        return Action.NOTHING
    if not force:
        if change is Change.CONFLICT:
            return Action.CONFLICT
        if not change.endswith(source):
            return Action.NOTHING
    if exists:
        return Action.WRITE
    return Action.REMOVE if delete else Action.KEEP


UNKNOWN = Version("")  # equals no version, so whatever differs is a conflict


def base_version(
    bases: Sequence[Version | None],
    is_seen: Callable[[Version | None], bool],
    histories: Iterable[Iterable[Version | None]],
    otherwise: Version | None,
) -> Version | None:
    """Return the base of a name.

    Parameters
    ----------
    bases : sequence of Version | None
        What was pushed or pulled by any copy of the folder, the newest first; None: removed.
    is_seen : callable
        Whether this copy of the folder had a version.
    histories : iterable of iterables of Version | None
        The versions that this copy had, the oldest first; not read unless needed.
    otherwise : Version | None
        The base if there is none of these: what somebody else put into the database, if this copy
        had it.

    Returns
    -------
    Version | None
        `UNKNOWN` if the base is a version that came back, but this copy may have had it only
        before.
    """
    for base in bases:
        if is_seen(base):
            came_back = bases.count(base) > 1
            if came_back and base not in (reached(bases, each) for each in histories):
                return UNKNOWN
            return base
    return otherwise


def reached(bases: Sequence[Version | None], history: Iterable[Version | None]) -> Version | None:
    """Return the newest base, if a history is followed along the bases in order.

    Parameters
    ----------
    bases : sequence of Version | None
        The bases, the newest first.
    history : iterable of Version | None
        The history, the oldest first.
    """
    rest = [*history]
    newest: Version | None = UNKNOWN
    for base in reversed(bases):
        for position, version in enumerate(rest, 1):
            if matches(base, (version,)):
                del rest[:position]
                newest = base
                break
    return newest


class Comparison:
    """A folder compared with the database.

    Parameters
    ----------
    folder : Folder
        The folder as it was read.
    stored : Mapping[str, Stored]
        The current revisions in the database, by name.
    base : Mapping[str, Version]
        What this copy of the folder and the database had in common, by name.
    recorded : Mapping[str, Base]
        The newest base in the database, by name.
    inherited : sequence of Base
        Bases of a state file that the database does not have.
    labels : bool
        Whether labels are compared and transferred.
    for_push : bool
        Whether labels of older revisions that no file names are left out.

    Attributes
    ----------
    changes : Mapping[str, Change]
        How the two differ, by name.
    renamed : Mapping[str, str]
        The old names of renamed documents, by the new ones.
    """

    def __init__(
        self,
        folder: Folder,
        stored: Mapping[str, Stored],
        base: Mapping[str, Version],
        recorded: Mapping[str, Base] = MappingProxyType({}),
        inherited: Sequence[Base] = (),
        *,
        labels: bool = False,
        for_push: bool = False,
    ) -> None:
        self.folder = folder
        self.stored = dict(stored)
        self.labels = labels
        self.base = base
        self.recorded = recorded
        self.inherited = inherited
        self._local = folder.versions(labels=labels)
        self._remote = {
            name: each.version_for_push(self._listed(name)) if for_push else each.version
            for name, each in stored.items()
        }
        self.changes = changes(base, self._local, self._remote)
        self.renamed = {
            **self._renames("folder", self._local, self._remote),
            **self._renames("database", self._remote, self._local),
        }

    def _listed(self, name: str) -> set[str]:
        """Return the labels in a file and in its base."""
        versions = (self._local.get(name), self.base.get(name))
        return {label for each in versions if each is not None for label, _ in each.labels or ()}

    def _renames(
        self, side: Side, new: Mapping[str, Version], old: Mapping[str, Version]
    ) -> dict[str, str]:
        """Mark documents that have a new name at a side, and a content that nothing else has."""

        def unique(change: str, versions: Mapping[str, Version]) -> dict[str, str]:
            """Return the names that changed so, by their digests."""
            count = Counter(each.digest for each in versions.values())
            return {
                digest: name
                for name, is_ in self.changes.items()
                if is_ == change and count[digest := versions[name].digest] == 1
            }

        added = unique(f"new in {side}", new)
        removed = unique(f"removed from {side}", old)
        found = {added[digest]: removed[digest] for digest in added.keys() & removed.keys()}
        self.changes |= dict.fromkeys(found, Change(f"renamed in {side}"))
        return found

    @property
    def differing(self) -> list[str]:
        """The names that differ, in order; a renamed document has its new name only."""
        old = set(self.renamed.values())
        return [
            name
            for name, change in self.changes.items()
            if change is not Change.UNCHANGED and name not in old
        ]

    def plan(self, source: Side, *, force: bool = False, delete: bool = False) -> "Plan":
        """Return what a push from the folder, or a pull from the database, does."""
        documents = self.versions(source)
        actions = {
            name: action(change, source, exists=name in documents, force=force, delete=delete)
            for name, change in self.changes.items()
        }
        for new, old in self.renamed.items():
            if self.changes[new].endswith(source):
                actions |= {new: Action.RENAME, old: Action.NOTHING}
        return Plan(self, source, actions)

    def versions(self, side: Side) -> Mapping[str, Version]:
        """Return the versions of a side, by name."""
        return self._local if side == "folder" else self._remote

    def remote_document(self, name: str) -> FileContent:
        """Return the document in the database; unless ``labels``, keep the labels of the file."""
        document = cast("FileContent", self.stored[name].document)
        if self.labels:
            return document
        local = self.folder.version(self.renamed.get(name, name))
        return document.with_labels((local and local.labels) or ())

    def file_diff(self, name: str) -> FileDiff:
        """Return the file of a name as a pull would write it, and as it is."""
        path = self.folder.path_of(name)
        remote = self.remote_document(name) if name in self.stored else None
        texts = [
            None if each is None else each.encode(path.suffix).decode()
            for each in (remote, self.folder.documents.get(name))
        ]
        return FileDiff(name=name, file=str(path), database=texts[0], folder=texts[1])


@dataclass(frozen=True)
class Plan:
    """What a push or a pull does with each name at its target.

    Attributes
    ----------
    comparison : Comparison
        The differences.
    source : str
        The side whose changes are carried over.
    actions : Mapping[str, Action]
        The actions, by name.
    """

    comparison: Comparison
    source: Side
    actions: Mapping[str, Action]

    def names(self, *actions: Action) -> list[str]:
        """Return the names with one of the actions."""
        return [name for name, action in self.actions.items() if action in actions]

    @property
    def written(self) -> list[str]:
        """The names whose documents are written, maybe under a new name."""
        return self.names(Action.WRITE, Action.RENAME)

    @property
    def renamed(self) -> Mapping[str, str]:
        """The old names of documents that get a new one, by the new ones."""
        return {new: self.comparison.renamed[new] for new in self.names(Action.RENAME)}

    @cached_property
    def common(self) -> Mapping[str, Version | None]:
        """The versions that both sides have afterwards; None: no document."""
        sides: tuple[Side, Side] = ("folder", "database")
        local, remote = map(self.comparison.versions, sides)
        source = self.comparison.versions(self.source)
        equal = {name: version for name, version in local.items() if version == remote.get(name)}
        return {**equal, **{name: source[name] for name in self.written}, **self._gone}

    def write_files(self) -> None:
        """Write the files of a pull."""
        written = {name: self.comparison.remote_document(name) for name in self.written}
        self.comparison.folder.write({**written, **self._gone})

    @property
    def _gone(self) -> Mapping[str, None]:
        """The names that the target no longer has."""
        return dict.fromkeys((*self.names(Action.REMOVE), *self.renamed.values()))
