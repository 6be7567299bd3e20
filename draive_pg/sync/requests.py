"""Push, pull, status and diff of a folder, as requests."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from draive_pg.codec.validation import check_optional
from draive_pg.errors import FileInvalid
from draive_pg.models.folders import FileDiff, FolderDiff, FolderStatus
from draive_pg.models.record import Records
from draive_pg.operations.operation import Call, Steps, Workflow, workflow
from draive_pg.sync.comparison import Action, Comparison, Stored
from draive_pg.sync.folder import Folder
from draive_pg.sync.formats import Document
from draive_pg.sync.kinds import Kind

type Place = str | PathLike[str]


@workflow
def push(
    kind: Kind,
    path: Place,
    *,
    labels: bool,
    force: bool,
    delete: bool,
    dry_run: bool,
    message: str | None,
    author: str | None,
) -> Steps[FolderStatus]:
    """Write the changes of a folder into the database, in one transaction."""
    note = {
        "message": check_optional(message, "message"),
        "author": check_optional(author, "author"),
    }
    folder = yield Call(partial(_read, _check(kind, path, labels=labels), kind))
    revisions = yield kind.current()
    comparison = yield Call(partial(_compare, folder, revisions, labels=labels))
    actions = comparison.push_actions(force=force, delete=delete)
    documents = {
        name: folder.documents.get(name)
        for name, action in actions.items()
        if action in (Action.WRITE, Action.REMOVE)
    }
    for name, document in documents.items():
        if document is not None:
            document.check(name)
    result = _status_of(comparison, actions, dry_run=dry_run)
    if result.done:
        created: Mapping[str, datetime] = {}
        if documents:
            seen = {kind.name_of(each): each for each in revisions}
            steps = _publish(kind, documents, seen, note, labels=labels)
            created = yield Workflow(steps, transaction=True)
        yield Call(partial(comparison.record_push, actions, created), records_commit=True)
    return result


def _publish(
    kind: Kind,
    documents: Mapping[str, Document | None],
    seen: Mapping[str, Any],
    note: Mapping[str, str | None],
    *,
    labels: bool,
) -> Steps[dict[str, datetime]]:
    """Define documents, or remove those that are None; raise if one was changed meanwhile."""
    # Documents to remove are first defined unchanged, which checks the precondition and locks them
    # until the transaction ends.
    defined = {
        name: document or kind.document.of_revision(seen[name])
        for name, document in documents.items()
    }
    kept = {name: document for name, document in documents.items() if document is not None}
    wanted = sorted({label for each in kept.values() for label in each.labels}) if labels else []
    release = yield kind.release(
        defined,
        labels={
            label: [name for name, each in kept.items() if label in each.labels] for label in wanted
        },
        expected={name: seen.get(name, 0) for name in defined},
        **note,
    )
    created: dict[str, datetime] = {}
    for revision in kind.released(release):
        name = kind.name_of(revision)
        created[name] = revision.created
        if name not in kept:
            yield kind.remove(name)
        elif labels:
            for label in {*revision.labels} - {*kept[name].labels}:
                yield kind.unlabel(name, label, **note)
    return created


@workflow
def pull(
    kind: Kind, path: Place, *, labels: bool, force: bool, delete: bool, dry_run: bool
) -> Steps[FolderStatus]:
    """Write the changes of the database into a folder."""
    folder = yield Call(partial(Folder, _check(kind, path, labels=labels), kind))
    revisions = yield kind.current()
    comparison = yield Call(partial(_compare, folder, revisions, labels=labels))
    actions = comparison.pull_actions(force=force, delete=delete)
    result = _status_of(comparison, actions, dry_run=dry_run)
    if result.done:
        yield Call(partial(comparison.record_pull, actions))
    return result


@workflow
def status(kind: Kind, path: Place, *, labels: bool) -> Steps[FolderStatus]:
    """Compare a folder with the database."""
    folder = yield Call(partial(_read, _check(kind, path, labels=labels), kind))
    revisions = yield kind.current()
    return _status_of((yield Call(partial(_compare, folder, revisions, labels=labels))))


@workflow
def diff(kind: Kind, path: Place, *, labels: bool) -> Steps[FolderDiff]:
    """Compare a folder with the database line by line."""
    folder = yield Call(partial(_read, _check(kind, path, labels=labels), kind))
    revisions = yield kind.current()
    comparison: Comparison = yield Call(partial(_compare, folder, revisions, labels=labels))
    return FolderDiff(Records(FileDiff, map(comparison.file_diff, comparison.differing)))


def _check(kind: Kind, folder: Place, *, labels: bool) -> Path:
    if labels and not kind.has_labels:
        raise ValueError(f"labels: the files of {kind.name} contain no labels; use label()")
    return Path(fspath(folder))


def _read(path: Path, kind: Kind) -> Folder:
    if not path.is_dir():  # a misspelled path must not look like an empty folder
        raise FileInvalid(f"there is no folder {str(path)!r:.200}; a pull creates it")
    return Folder(path, kind)


def _compare(folder: Folder, revisions: Iterable[Any], *, labels: bool) -> Comparison:
    kind = folder.kind
    stored = {
        kind.name_of(each): Stored(kind.document.of_revision(each), each.created)
        for each in revisions
    }
    return Comparison(folder, stored, labels=labels)


def _status_of(
    comparison: Comparison, actions: Mapping[str, Action] | None = None, *, dry_run: bool = True
) -> FolderStatus:
    changes = comparison.records(actions)
    conflict = actions is not None and Action.CONFLICT in actions.values()
    return FolderStatus(
        folder=comparison.folder.path,
        changes=changes,
        unchanged=len(comparison.changes) - len(changes),
        done=not (dry_run or conflict),
    )
