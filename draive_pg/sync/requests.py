"""Push, pull, status and diff of a folder, as requests."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from draive_pg.codec.validation import check_optional
from draive_pg.errors import FileInvalid
from draive_pg.models.documents import document_name
from draive_pg.models.folders import FileDiff, FolderDiff, FolderStatus
from draive_pg.models.record import Records
from draive_pg.operations.documents import labels as labelling
from draive_pg.operations.documents import read, write
from draive_pg.operations.operation import Call, Steps, transactional, workflow
from draive_pg.sync.comparison import Action, Comparison, Stored
from draive_pg.sync.folder import Folder
from draive_pg.sync.formats import FileContent
from draive_pg.sync.kinds import FileKind

type PathArgument = str | PathLike[str]


@workflow
def push(
    kind: FileKind,
    path: PathArgument,
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
    comparison = yield _compare(kind, path, labels=labels)
    actions = comparison.actions("folder", force=force, delete=delete)
    documents = {
        name: comparison.folder.documents.get(name)
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
            created = yield _publish(kind, documents, comparison.stored, note, labels=labels)
        yield Call(partial(comparison.record_push, actions, created), records_commit=True)
    return result


@transactional
def _publish(
    kind: FileKind,
    documents: Mapping[str, FileContent | None],
    stored: Mapping[str, Stored],
    note: Mapping[str, str | None],
    *,
    labels: bool,
) -> Steps[dict[str, datetime]]:
    """Define documents, or remove those that are None; raise if one was changed meanwhile."""
    # Documents to remove are first defined unchanged: this checks the precondition, and locks them
    # until the transaction ends.
    defined = {name: document or stored[name].document for name, document in documents.items()}
    kept = {name: document for name, document in documents.items() if document is not None}
    wanted = sorted({label for each in kept.values() for label in each.labels}) if labels else []
    release = yield kind.release(
        defined,
        labels={
            label: [name for name, each in kept.items() if label in each.labels] for label in wanted
        },
        expected={name: stored[name].revision if name in stored else 0 for name in defined},
        **note,
    )
    created: dict[str, datetime] = {}
    for revision in kind.released(release):
        name = document_name(revision)
        created[name] = revision.created
        if name not in kept:
            yield write.remove(kind.stored, name, labelled=labels, option="labels=True (--labels)")
        elif labels:
            for label in {*revision.labels} - {*kept[name].labels}:
                yield labelling.remove(kind.stored, name, label, **note)
    return created


@workflow
def pull(
    kind: FileKind,
    path: PathArgument,
    *,
    labels: bool,
    force: bool,
    delete: bool,
    dry_run: bool,
) -> Steps[FolderStatus]:
    """Write the changes of the database into a folder."""
    comparison = yield _compare(kind, path, labels=labels, create=True)
    actions = comparison.actions("database", force=force, delete=delete)
    result = _status_of(comparison, actions, dry_run=dry_run)
    if result.done:
        yield Call(partial(comparison.write_files, actions))
        yield Call(partial(comparison.record_pull, actions), records_commit=True)
    return result


@workflow
def status(kind: FileKind, path: PathArgument, *, labels: bool) -> Steps[FolderStatus]:
    """Compare a folder with the database."""
    return _status_of((yield _compare(kind, path, labels=labels)))


@workflow
def diff(kind: FileKind, path: PathArgument, *, labels: bool) -> Steps[FolderDiff]:
    """Compare a folder with the database line by line."""
    comparison: Comparison = yield _compare(kind, path, labels=labels)
    return FolderDiff(Records(FileDiff, map(comparison.file_diff, comparison.differing)))


@workflow
def _compare(
    kind: FileKind, path: PathArgument, *, labels: bool, create: bool = False
) -> Steps[Comparison]:
    """Read a folder and the current revisions in the database."""
    folder = yield Call(partial(_read, kind, Path(path), create=create))
    revisions = yield read.list_(kind.stored)
    return (yield Call(partial(_comparison, folder, revisions, labels=labels)))


def _read(kind: FileKind, path: Path, *, create: bool) -> Folder:
    if not create and not path.is_dir():  # a misspelled path must not look like an empty folder
        raise FileInvalid(f"there is no folder {str(path)!r:.200}; a pull creates it")
    return Folder(path, kind)


def _comparison(folder: Folder, revisions: Iterable[Any], *, labels: bool) -> Comparison:
    stored = {
        document_name(each): Stored(folder.kind.content.of_revision(each), each)
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
