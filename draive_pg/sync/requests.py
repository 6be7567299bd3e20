"""Push, pull, status and diff of a folder, as requests."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from os import PathLike
from pathlib import Path

from draive_pg.codec.validation import check_optional
from draive_pg.errors import FileInvalid, RevisionMissing, TemplateInvalid, warn
from draive_pg.models.documents import document_name
from draive_pg.models.folders import FileDiff, FolderDiff, FolderStatus
from draive_pg.models.record import Records
from draive_pg.operations.documents import bases, read, write
from draive_pg.operations.documents import labels as labelling
from draive_pg.operations.documents.bases import Base, CurrentDocument
from draive_pg.operations.documents.kind import lock_all
from draive_pg.operations.operation import Call, Steps, transactional, workflow
from draive_pg.sync.comparison import Action, Comparison, Side, Stored, base_version
from draive_pg.sync.folder import Folder, Version
from draive_pg.sync.formats import FileContent
from draive_pg.sync.kinds import FileKind
from draive_pg.sync.scope import Scope

type PathArgument = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class Options:
    """How a folder is compared.

    Attributes
    ----------
    kind : FileKind
        What the folder contains.
    path : str | PathLike
        The folder.
    scope : Scope
        The names that are compared.
    labels : bool
        Whether labels are compared and carried over.
    """

    kind: FileKind
    path: PathArgument
    scope: Scope = Scope()  # noqa: RUF009 - immutable
    labels: bool = False


@dataclass(frozen=True, slots=True)
class Transfer:
    """How differences are carried over; see `draive_pg.api.folders.Folders.push`."""

    force: bool = False
    delete: bool = False
    keep_going: bool = False
    dry_run: bool = False


@workflow
def push(
    options: Options,
    how: Transfer,
    *,
    strict: bool = False,
    message: str | None = None,
    author: str | None = None,
) -> Steps[FolderStatus]:
    """Write the changes of a folder into the database, in one transaction."""
    note = {
        "message": check_optional(message, "message"),
        "author": check_optional(author, "author"),
    }
    comparison: Comparison = yield _compare(options, for_push=True)
    actions = comparison.actions("folder", force=how.force, delete=how.delete)
    for name, action in actions.items():
        if action in (Action.WRITE, Action.RENAME):
            check_document(name, comparison.folder.documents[name], strict=strict)
    result = _status_of(comparison, actions, how)
    if result.done:
        recorded = yield _may_record(comparison, "folder", actions)
        new = yield _publish(comparison, actions, note, record=recorded)
        yield _remember(comparison, "folder", new)
    return result


def check_document(name: str, document: FileContent, *, strict: bool) -> None:
    """Raise for a document that cannot be defined; warn of one that probably cannot be used.

    Raises
    ------
    TemplateInvalid
        If it does not match its declared arguments; with ``strict``, also in place of a warning.
    """
    document.check(name)
    if problem := document.problem(name):
        if strict:
            raise TemplateInvalid(problem)
        warn(problem, UserWarning)


@transactional
def _publish(
    comparison: Comparison,
    actions: Mapping[str, Action],
    note: Mapping[str, str | None],
    *,
    record: bool,
) -> Steps[list[Base]]:
    """Rename, define and remove documents; raise if one was changed meanwhile."""
    kind, stored, labels = comparison.folder.kind, comparison.stored, comparison.labels
    renamed = {new: old for new, old in comparison.renamed.items() if actions[new] is Action.RENAME}
    written = {
        name: comparison.folder.documents[name]
        for name, action in actions.items()
        if action in (Action.WRITE, Action.RENAME)
    }
    removed = [name for name, action in actions.items() if action is Action.REMOVE]
    created: dict[str, datetime] = {}
    if written or removed:
        yield lock_all({kind.stored: [*written, *renamed.values(), *removed]})
        for new, old in renamed.items():
            yield write.rename(kind.stored, old, new, expected=stored[old].created)
        created = yield _define(comparison, written, renamed, note)
        if labels:
            for name, document in written.items():
                yield _move_labels(comparison, name, document, renamed.get(name, name), note)
        for name in removed:
            yield write.remove(
                kind.stored,
                name,
                labelled=labels,
                expected=stored[name].created,
                option="labels=True (--labels)",
            )
    new = _new_bases(comparison, "folder", actions, created)
    if record:
        yield bases.record(kind.stored, new)
    return new


@workflow
def _define(
    comparison: Comparison,
    written: Mapping[str, FileContent],
    renamed: Collection[str],
    note: Mapping[str, str | None],
) -> Steps[dict[str, datetime]]:
    """Define documents with the labels of their files; return the times of the revisions."""
    kind, stored = comparison.folder.kind, comparison.stored
    wanted: dict[str, list[str]] = {}
    if comparison.labels:
        for name, each in written.items():
            for label in each.labels:
                wanted.setdefault(label, []).append(name)
    release = yield kind.release(
        written,
        labels=wanted,
        expected={
            name: stored[name].created if name in stored else 0
            for name in written
            if name not in renamed  # already checked
        },
        **note,
    )
    return {document_name(each): each.created for each in kind.released(release)}


@workflow
def _move_labels(
    comparison: Comparison,
    name: str,
    document: FileContent,
    old_name: str,
    note: Mapping[str, str | None],
) -> Steps[None]:
    """Move labels to older revisions, and remove those that the file no longer has."""
    kind = comparison.folder.kind
    stored = comparison.stored.get(old_name)
    before = {} if stored is None else dict(stored.version.labels or ())
    moved = [
        (label, digest) for label, digest in document.older_labels if before.get(label) != digest
    ]
    if moved:
        history = yield read.history(kind.stored, name)
        by_digest = {kind.content.of_revision(each).digest: each for each in reversed(history)}
        for label, digest in moved:
            if digest not in by_digest:
                raise RevisionMissing(
                    f"push {name!r:.80}: the label {label!r:.60} is to be on a revision that this "
                    f"database does not have (digest {digest:.12}...); push that version first, "
                    "or correct the labels in the file"
                )
            yield labelling.move(kind.stored, name, label, by_digest[digest], expected=None, **note)
    listed = {*document.labels, *dict(document.older_labels)}
    base = comparison.base.get(old_name)
    base_older = {label for label, digest in (base and base.labels) or () if digest}
    if stored is None:
        return
    for label, time in stored.labelled.items():
        # A label on a revision that this push supersedes stays there.
        is_here = time == stored.created and stored.version.digest == document.digest
        if label not in listed and (is_here or label in base_older):
            yield labelling.remove(kind.stored, name, label, **note)


@workflow
def pull(options: Options, how: Transfer) -> Steps[FolderStatus]:
    """Write the changes of the database into a folder."""
    comparison: Comparison = yield _compare(options, create=True)
    actions = comparison.actions("database", force=how.force, delete=how.delete)
    result = _status_of(comparison, actions, how)
    if result.done:
        written = [
            name for name, action in actions.items() if action in (Action.WRITE, Action.RENAME)
        ]
        yield _load(comparison, written)
        yield Call(partial(comparison.write_files, actions))
        new = _new_bases(comparison, "database", actions, {})
        if (yield _may_record(comparison, "database", actions)):
            yield bases.record(options.kind.stored, new)
        yield _remember(comparison, "database", new)
    return result


@workflow
def status(options: Options) -> Steps[FolderStatus]:
    """Compare a folder with the database."""
    return _status_of((yield _compare(options)))


@workflow
def diff(options: Options) -> Steps[FolderDiff]:
    """Compare a folder with the database line by line."""
    comparison: Comparison = yield _compare(options)
    yield _load(comparison, comparison.differing)
    return FolderDiff(Records(FileDiff, map(comparison.file_diff, comparison.differing)))


@workflow
def _compare(
    options: Options, *, create: bool = False, for_push: bool = False
) -> Steps[Comparison]:
    """Read a folder and the current revisions in the database."""
    kind, labels = options.kind.stored, options.labels
    folder: Folder = yield Call(partial(_read, options, create=create))
    current: list[CurrentDocument] = yield bases.current(kind)
    found = {each.name: each for each in current if folder.includes(each.name)}
    options.scope.check_found([*folder.documents, *found], options.kind.name)
    stored: dict[str, Stored] = yield _stored(options.kind, found.values(), labels=labels)
    differing = [
        name
        for name in folder.documents.keys() | found.keys()
        if _local_version(folder, name, labels=labels) != _remote_version(stored, name)
    ]
    legacy = [
        (name, folder.legacy[name].created)
        for name in differing
        if name in folder.legacy and (name not in found or found[name].base is None)
    ]
    existing: Collection[str] = (yield bases.existed(kind, legacy)) if legacy else ()
    inherited = [
        Base(name, created, version.digest, dict(version.labels or ()))
        for name, (created, version) in folder.legacy.items()
        if name in existing
    ]
    history: dict[str, list[Version | None]] = {
        each.name: [_version_of(each, labels=labels)] for each in inherited
    }
    newest = {name: each for name in differing if (each := _newest_base(found, name)) is not None}
    unseen: list[str] = yield Call(
        lambda: [
            name
            for name, base in newest.items()
            if not _is_seen(folder, name, _version_of(base, labels=labels))
        ]
    )
    history |= {name: [_version_of(each, labels=labels)] for name, each in newest.items()}
    if unseen:
        for name in unseen:
            history[name] = []
        for base in (yield bases.earlier(kind, unseen)):
            history[base.name].append(_version_of(base, labels=labels))

    def compare() -> Comparison:
        base: dict[str, Version] = {}
        for name in differing:
            remote = _remote_version(stored, name)
            version = base_version(
                history.get(name, ()),
                partial(_is_seen, folder, name),
                remote if _is_known(folder, name, remote) else None,
            )
            if version is not None:
                base[name] = version._replace(labels=(version.labels or ()) if labels else None)
        return Comparison(
            folder,
            stored,
            base,
            {each.name: each.base for each in current if each.base is not None},
            inherited,
            labels=labels,
            for_push=for_push,
        )

    return (yield Call(compare))


def _read(options: Options, *, create: bool) -> Folder:
    path = Path(options.path)
    if not create and not path.is_dir():  # a misspelled path must not look like an empty folder
        raise FileInvalid(f"there is no folder {str(path)!r:.200}; a pull creates it")
    return Folder(path, options.kind, options.scope)


@workflow
def _stored(
    kind: FileKind, found: Iterable[CurrentDocument], *, labels: bool
) -> Steps[dict[str, Stored]]:
    """Return the newest revisions; read the contents of those that are not bases."""
    newest = {each.name: each for each in found if each.created is not None}
    labelled: dict[str, dict[str, datetime]] = {}
    if labels:
        for name, label, time in (yield bases.labelled(kind.stored)):
            labelled.setdefault(name, {})[label] = time
    wanted = {
        (name, each.created)
        for name, each in newest.items()
        if each.created is not None and not each.is_base
    }
    wanted |= {
        (name, time)
        for name, times in labelled.items()
        if name in newest
        for time in times.values()
        if time != newest[name].created
    }
    documents: dict[tuple[str, datetime], FileContent] = yield _contents(kind, wanted)

    def stored(each: CurrentDocument, created: datetime) -> Stored:
        document = documents.get((each.name, created))
        digest = document.digest if document else str(each.base and each.base.digest)
        times = labelled.get(each.name, {})
        if not labels:
            return Stored(created, Version(digest), document)
        placed: dict[str, str] = {}
        for label, time in times.items():
            on = digest if time == created else documents[each.name, time].digest
            placed[label] = "" if on == digest else on
        if document:
            document = _with_labels(document, placed)
        return Stored(created, Version(digest, tuple(sorted(placed.items()))), document, times)

    return {name: stored(each, each.created) for name, each in newest.items() if each.created}


def _with_labels(document: FileContent, placed: Mapping[str, str]) -> FileContent:
    own = tuple(sorted(label for label, digest in placed.items() if not digest))
    older = tuple(sorted((label, digest) for label, digest in placed.items() if digest))
    return document.with_labels(own, older)


@workflow
def _contents(
    kind: FileKind, wanted: Collection[tuple[str, datetime]]
) -> Steps[dict[tuple[str, datetime], FileContent]]:
    """Read revisions as the contents of files."""
    if not wanted:
        return {}
    revisions = yield bases.contents(kind.stored, wanted)
    return (
        yield Call(
            lambda: {
                (document_name(each), each.created): kind.content.of_revision(each)
                for each in revisions
            }
        )
    )


@workflow
def _load(comparison: Comparison, names: Iterable[str]) -> Steps[None]:
    """Read the contents of names in the database that were not needed to compare them."""
    stored = comparison.stored
    wanted = [
        (name, stored[name].created)
        for name in names
        if name in stored and stored[name].document is None
    ]
    documents: dict[tuple[str, datetime], FileContent] = yield _contents(
        comparison.folder.kind, wanted
    )
    for (name, _), document in documents.items():
        labelled = _with_labels(document, dict(stored[name].version.labels or ()))
        stored[name] = stored[name]._replace(document=labelled)


@workflow
def _may_record(comparison: Comparison, source: Side, actions: Mapping[str, Action]) -> Steps[bool]:
    """Return whether the result can be recorded in the database; warn if not."""
    if not comparison.common(source, actions) and not comparison.inherited:
        return False
    if (yield bases.may_record()):
        return True
    warn(
        "the database does not record what it has in common with the folder, because the table "
        f"{bases.TABLE} is missing (run setup), or this role may not write to it",
        UserWarning,
    )
    return False


def _new_bases(
    comparison: Comparison,
    source: Side,
    actions: Mapping[str, Action],
    created: Mapping[str, datetime],
) -> list[Base]:
    """Return the bases after a push that wrote revisions at these times, or after a pull."""
    common = comparison.common(source, actions)
    new = [each for each in comparison.inherited if each.name not in common]
    for name, version in common.items():
        if version is None:
            new.append(Base(name, None, None, None))
            continue
        time = created[name] if name in created else comparison.stored[name].created
        if version.labels is None:
            labels = _kept_labels(comparison, name, is_new=name in created)
        else:
            labels = dict(version.labels)
        new.append(Base(name, time, version.digest, labels))
    return new


def _kept_labels(comparison: Comparison, name: str, *, is_new: bool) -> Mapping[str, str] | None:
    """Return the labels of a base after a transfer without labels.

    Those in the file stayed on the old revision if the push wrote a new one.
    """
    before = comparison.recorded.get(name)
    if before is None or before.labels is None or before.digest is None or not is_new:
        return None if before is None else before.labels
    listed = comparison.folder.documents[name].labels
    return {
        label: digest or before.digest for label, digest in before.labels.items() if label in listed
    }


def _remember(comparison: Comparison, source: Side, new: Iterable[Base]) -> Call[None]:
    """Record in the folder what was pushed or pulled, unless that may be rolled back."""

    def remember() -> None:
        documents = comparison.folder.documents
        versions: dict[str, set[Version | None]] = {}
        for base in new:
            if base in comparison.inherited:
                continue
            # A file may have labels that were not compared.
            version = _version_of(base, labels=True)
            versions[base.name] = {version and version._replace(labels=version.labels or ())}
            if source == "folder" and version is not None:
                versions[base.name].add(Version.of(documents[base.name]))
        comparison.folder.remember(versions)

    return Call(remember, records_commit=True)


def _newest_base(found: Mapping[str, CurrentDocument], name: str) -> Base | None:
    return found[name].base if name in found else None


def _local_version(folder: Folder, name: str, *, labels: bool) -> Version | None:
    document = folder.documents.get(name)
    return None if document is None else Version.of(document, labels=labels)


def _remote_version(stored: Mapping[str, Stored], name: str) -> Version | None:
    return stored[name].version if name in stored else None


def _version_of(base: Base, *, labels: bool) -> Version | None:
    if base.digest is None:
        return None
    known = labels and base.labels is not None
    return Version(base.digest, tuple(sorted((base.labels or {}).items())) if known else None)


def _is_seen(folder: Folder, name: str, version: Version | None) -> bool:
    """Return whether to assume that a copy of a folder had a version; None: no file."""
    if _is_known(folder, name, version):
        return True
    # A copy whose past is not known is taken for the newest, but a file that it lacks may be
    # another folder's.
    return folder.seen is None and (name in folder.documents or folder.scope.is_given)


def _is_known(folder: Folder, name: str, version: Version | None) -> bool:
    """Return whether a copy of a folder is known to have had a version."""
    local = _local_version(folder, name, labels=True)
    return _matches(version, (local, *folder.remembered.get(name, ()))) or _matches(
        version, (folder.seen or {}).get(name, ())
    )


def _matches(version: Version | None, seen: Iterable[Version | None]) -> bool:
    if version is None or version.labels is not None:
        return version in seen
    return any(each is not None and each.digest == version.digest for each in seen)


def _status_of(
    comparison: Comparison,
    actions: Mapping[str, Action] | None = None,
    how: Transfer | None = None,
) -> FolderStatus:
    changes = comparison.records(actions)
    conflict = actions is not None and Action.CONFLICT in actions.values()
    return FolderStatus(
        folder=comparison.folder.path,
        changes=changes,
        unchanged=sum(change == "unchanged" for change in comparison.changes.values()),
        done=how is not None and not how.dry_run and (how.keep_going or not conflict),
        unread=comparison.folder.unread,
    )
