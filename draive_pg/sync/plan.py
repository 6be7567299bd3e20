"""A folder and the database beside each other: what differs, what is done, what is agreed on."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime

from draive_pg.sync.folder import Agreed, Folder, Version
from draive_pg.sync.formats import Document
from draive_pg.sync.three_way import Action, Change, action, changes

__all__ = ("Head", "Sync")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest revision of a name in the database."""

    document: Document
    created: datetime


class Sync:
    """A folder compared with the database.

    Parameters
    ----------
    folder : Folder
        What is here.
    there : Mapping[str, Head]
        What is in the database, by name.
    labels : bool
        Whether labels are compared and carried over, too.
    """

    def __init__(self, folder: Folder, there: Mapping[str, Head], *, labels: bool = False) -> None:
        self.folder = folder
        self.there = there
        self.labels = labels
        self._base = {name: agreed.version(labels=labels) for name, agreed in folder.state.items()}
        self._here = {name: self._version(each) for name, each in folder.documents.items()}
        self._there = {name: self._version(each.document) for name, each in there.items()}
        self.changes: Mapping[str, Change] = changes(self._base, self._here, self._there)

    @property
    def drift(self) -> bool:
        """Whether anything differs."""
        return any(change is not Change.SAME for change in self.changes.values())

    def pulled(self, *, force: bool, delete: bool) -> dict[str, Action]:
        """Return what a pull does, by name."""
        return self._actions(self._there, self._here, force=force, delete=delete)

    def pushed(self, *, force: bool, delete: bool) -> dict[str, Action]:
        """Return what a push does, by name."""
        return self._actions(self._here, self._there, force=force, delete=delete)

    def pull(self, actions: Mapping[str, Action]) -> None:
        """Do in the folder what a pull does."""
        documents = {
            name: self._arriving(name) if done is Action.WRITE else None
            for name, done in actions.items()
            if done in (Action.WRITE, Action.REMOVE)
        }
        created = {name: head.created for name, head in self.there.items()}
        agreed = self._agreed(self._there, self._here, actions, created, new=())
        self.folder.write(documents, agreed)

    def settle(self, actions: Mapping[str, Action], created: Mapping[str, datetime]) -> None:
        """Keep what both sides agree on after a push.

        Parameters
        ----------
        actions : Mapping[str, Action]
            What was done.
        created : Mapping[str, datetime]
            The times of the revisions that the push made.
        """
        times = {name: head.created for name, head in self.there.items()} | dict(created)
        agreed = self._agreed(self._here, self._there, actions, times, new=created)
        self.folder.write({}, agreed)

    def _version(self, document: Document) -> Version:
        return Version.of(document, labels=self.labels)

    def _actions(
        self,
        source: Mapping[str, Version],
        target: Mapping[str, Version],
        *,
        force: bool,
        delete: bool,
    ) -> dict[str, Action]:
        return {
            name: action(
                self._base.get(name), source.get(name), target.get(name), force=force, delete=delete
            )
            for name in self.changes
        }

    def _arriving(self, name: str) -> Document:
        """Return what the file of a name is to hold; labels that do not count stay as they are."""
        document = self.there[name].document
        if self.labels:
            return document
        here = self.folder.documents.get(name)
        return document.with_labels(() if here is None else here.labels)

    def _agreed(
        self,
        source: Mapping[str, Version],
        target: Mapping[str, Version],
        actions: Mapping[str, Action],
        created: Mapping[str, datetime],
        *,
        new: Container[str],
    ) -> dict[str, Agreed]:
        """Return what both sides have now; revisions that are new have no labels yet."""
        agreed: dict[str, Agreed] = {}
        for name, done in actions.items():
            before = self.folder.state.get(name)
            version = source.get(name)
            if version is not None and (done is Action.WRITE or version == target.get(name)):
                labels = None if before is None or name in new else before.labels
                labels = version.labels if self.labels else labels
                agreed[name] = Agreed(created[name].isoformat(), version.digest, labels)
            elif before is not None and done is not Action.REMOVE:
                agreed[name] = before
        return agreed
