"""Push, pull, status and diff of a folder, as requests."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from draive_pg.codec.validation import check_optional
from draive_pg.errors import (
    FileInvalid,
    RevisionMissing,
    StoredDataInvalid,
    TemplateInvalid,
    warn,
)
from draive_pg.models.folders import FileDiff, FolderChange, FolderDiff, FolderStatus
from draive_pg.models.record import Records
from draive_pg.operations.documents import bases, read, remove, rename
from draive_pg.operations.documents import labels as labelling
from draive_pg.operations.documents.bases import Base, CurrentDocument
from draive_pg.operations.documents.kind import DocumentKind, lock_all
from draive_pg.operations.operation import Call, Row, Steps, transactional, workflow
from draive_pg.sync.check import Classes, by_identifier, class_problems
from draive_pg.sync.comparison import Action, Comparison, Plan, Stored, base_version
from draive_pg.sync.folder import Folder
from draive_pg.sync.formats import FileContent
from draive_pg.sync.kinds import FILES, FileKind
from draive_pg.sync.scope import Scope
from draive_pg.sync.seen import Version

if TYPE_CHECKING:
    from draive_pg.models.documents import DocumentRevision

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

    @classmethod
    def of(
        cls,
        stored: DocumentKind[Any, Any],
        path: PathArgument,
        prefix: str | None,
        names: Iterable[str] | None,
        *,
        labels: bool,
    ) -> "Options":
        """Return the options for the arguments of a call, or raise TypeError or ValueError."""
        return cls(FILES[stored], path, Scope.of(prefix, names), labels)


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
    classes: Classes = (),
    message: str | None = None,
    author: str | None = None,
) -> Steps[FolderStatus]:
    """Write the changes of a folder into the database, in one transaction."""
    note = {
        "message": check_optional(message, "message"),
        "author": check_optional(author, "author"),
    }
    configurations = by_identifier(options.kind, classes)
    comparison: Comparison = yield _compare(options, for_push=True, keep_going=how.keep_going)
    folder = comparison.folder
    for name, problem in class_problems(configurations, folder.documents):
        if name in options.scope:
            raise FileInvalid(f"{str(folder.path / folder.path_of(name))!r:.200}: {problem}")
    plan = comparison.plan("folder", force=how.force, delete=how.delete)
    for name in plan.written:
        check_document(name, folder.documents[name], strict=strict)
    result = _status_of(comparison, plan, how)
    if result.done:
        record = yield _may_record(plan)
        yield _note(plan, (yield _publish(plan, note, record=record)))
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
def _publish(plan: Plan, note: Mapping[str, Any], *, record: bool) -> Steps[list[Base]]:
    """Rename, define and remove documents; raise if one was changed meanwhile."""
    comparison, renamed, removed = plan.comparison, plan.renamed, plan.names(Action.REMOVE)
    kind, stored = comparison.folder.kind.stored, comparison.stored
    created: dict[str, datetime] = {}
    if plan.written or removed:
        yield lock_all({kind: [*plan.written, *renamed.values(), *removed]})
        for new, old in renamed.items():
            yield rename.rename(kind, old, new, expected=stored[old].created, **note)
        for name in plan.written:
            expected = stored[name].created if name in stored else 0
            revision: DocumentRevision = yield comparison.folder.documents[name].define(
                name, expected=None if name in renamed else expected, **note
            )
            created[name] = revision.created
        if comparison.labels:
            for name in plan.written:
                yield _move_labels(comparison, name, renamed.get(name, name), note)
        for name in removed:
            yield remove.remove(
                kind,
                name,
                labelled=comparison.labels,
                expected=stored[name].created,
                option="labels=True (--labels)",
                **note,
            )
    new = _new_bases(plan, created)
    if record:
        yield _record(comparison, new)
    return new


@workflow
def _move_labels(
    comparison: Comparison, name: str, old_name: str, note: Mapping[str, Any]
) -> Steps[None]:
    """Move labels to the revisions that a file names, and remove those that it no longer has."""
    kind, document = comparison.folder.kind, comparison.folder.documents[name]
    stored = comparison.stored.get(old_name)
    before = {} if stored is None else dict(stored.version.labels or ())
    was_on: Mapping[str, datetime] = {} if stored is None else stored.labelled
    moved = [(label, on) for label, on in document.labels if not on or before.get(label) != on]
    revisions: dict[str, DocumentRevision | None] = {"": None}
    if any(on for _, on in moved):
        history = yield read.history(kind.stored, name)
        revisions |= {kind.content.of_revision(each).digest: each for each in reversed(history)}
    for label, on in moved:
        if on not in revisions:
            raise RevisionMissing(
                f"push {name!r:.80}: the label {label!r:.60} is to be on a revision that this "
                f"database does not have (digest {on:.12}...); push that version first, "
                "or correct the labels in the file"
            )
        strict = False if on else None  # the file was reported already
        revision = revisions[on]
        expected = was_on.get(label)
        yield labelling.move(
            kind.stored, name, label, revision, expected=expected, strict=strict, **note
        )
    if stored is None:
        return
    listed = dict(document.labels)
    base = comparison.base.get(old_name)
    base_older = {label for label, on in (base and base.labels) or () if on}
    for label, time in stored.labelled.items():
        # A label on a revision that this push supersedes stays there.
        is_here = time == stored.created and stored.version.digest == document.digest
        if label not in listed and (is_here or label in base_older):
            yield labelling.remove(kind.stored, name, label, expected=time, **note)


@workflow
def pull(options: Options, how: Transfer) -> Steps[FolderStatus]:
    """Write the changes of the database into a folder."""
    comparison: Comparison = yield _compare(options, create=True, keep_going=how.keep_going)
    plan = comparison.plan("database", force=how.force, delete=how.delete)
    result = _status_of(comparison, plan, how)
    if result.done:
        yield _load(comparison, plan.written)
        yield Call(plan.write_files)
        new = _new_bases(plan, {})
        if (yield _may_record(plan)):
            yield _record(comparison, new)
        yield _note(plan, new)
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
    options: Options, *, create: bool = False, for_push: bool = False, keep_going: bool = True
) -> Steps[Comparison]:
    """Read a folder and the current revisions in the database.

    Names whose revisions cannot be read are left out if ``keep_going``.
    """
    kind, labels = options.kind.stored, options.labels
    folder: Folder = yield Call(partial(_read, options, create=create))
    current: list[CurrentDocument] = yield bases.current(kind)
    found = {each.name: each for each in current if folder.includes(each.name)}
    options.scope.check_found([*folder.documents, *found], options.kind.name)
    unreadable: dict[str, str] = {}
    stored: dict[str, Stored] = yield _stored(
        options.kind, found.values(), unreadable if keep_going else None, labels=labels
    )
    for name, reason in unreadable.items():
        folder.withhold(name, reason)
        del found[name]
    local = folder.versions(labels=labels)
    remote = {name: each.version for name, each in stored.items()}
    differing = [
        name for name in local.keys() | found.keys() if local.get(name) != remote.get(name)
    ]
    legacy = [each for name in differing if (each := folder.seen.legacy.get(name)) is not None]
    earlier: list[Base] = (yield bases.earlier(kind, differing, legacy)) if differing else []

    def common() -> dict[str, Version]:
        history: dict[str, list[Version | None]] = {name: [] for name in differing}
        for each in earlier:
            history[each.name].append(Version.of_base(each, labels=labels))
        base: dict[str, Version] = {}
        for name, versions in history.items():
            now = remote.get(name)
            version = base_version(
                versions,
                partial(folder.may_have_had, name),
                folder.histories(name, versions),
                now if folder.had(name, now) else None,
            )
            if version is not None:
                base[name] = version._replace(labels=(version.labels or ()) if labels else None)
        return base

    recorded = {each.name: each.base for each in current if each.base is not None}
    return Comparison(
        folder,
        stored,
        (yield Call(common)),
        recorded,
        [each for each in legacy if each in earlier and each.name not in recorded],
        labels=labels,
        for_push=for_push,
    )


def _read(options: Options, *, create: bool) -> Folder:
    path = Path(options.path)
    if not create and not path.is_dir():  # a misspelled path must not look like an empty folder
        raise FileInvalid(f"there is no folder {str(path)!r:.200}; a pull creates it")
    return Folder(path, options.kind, options.scope)


@workflow
def _stored(
    kind: FileKind,
    found: Iterable[CurrentDocument],
    unreadable: dict[str, str] | None,
    *,
    labels: bool,
) -> Steps[dict[str, Stored]]:
    """Return the newest revisions; read the contents of those that are not bases."""
    newest = {each.name: each.created for each in found if each.created is not None}
    digests = {each.name: each.base.digest for each in found if each.is_base and each.base}
    labelled: dict[str, dict[str, datetime]] = {name: {} for name in newest}
    if labels:
        for name, label, time in (yield bases.labelled(kind.stored)):
            if name in newest:
                labelled[name][label] = time
    wanted = {(name, time) for name, time in newest.items() if name not in digests}
    wanted |= {
        (name, time)
        for name, times in labelled.items()
        for time in times.values()
        if time != newest[name]
    }
    documents: dict[tuple[str, datetime], FileContent] = yield _contents(kind, wanted, unreadable)

    def stored(name: str, created: datetime) -> Stored:
        document = documents.get((name, created))
        digest = document.digest if document else str(digests.get(name))
        if not labels:
            return Stored(created, Version(digest), document)
        placed: list[tuple[str, str]] = []
        for label, time in sorted(labelled[name].items()):
            on = digest if time == created else documents[name, time].digest
            placed.append((label, "" if on == digest else on))
        version = Version(digest, tuple(placed))
        document = document and document.with_labels(tuple(placed))
        return Stored(created, version, document, labelled[name])

    return {
        name: stored(name, created)
        for name, created in newest.items()
        if name not in (unreadable or ())
    }


@workflow
def _contents(
    kind: FileKind,
    wanted: Collection[tuple[str, datetime]],
    unreadable: dict[str, str] | None = None,
) -> Steps[dict[tuple[str, datetime], FileContent]]:
    """Read revisions as the contents of files.

    Parameters
    ----------
    kind : FileKind
        Their kind.
    wanted : collection
        Their names and times.
    unreadable : dict | None
        Receives the errors of revisions that cannot be read, by name, instead of raising the first.
    """
    if not wanted:
        return {}
    rows: Sequence[Row] = yield bases.contents(kind.stored, wanted)

    def decoded() -> dict[tuple[str, datetime], FileContent]:
        documents: dict[tuple[str, datetime], FileContent] = {}
        for row in rows:
            try:
                revision = kind.stored.decode(row)
                documents[row[0], revision.created] = kind.content.of_revision(revision)
            except (StoredDataInvalid, FileInvalid) as error:
                if unreadable is None:
                    raise type(error)(
                        f"{error}; draive-pg doctor lists such rows, and keep_going=True "
                        "(--keep-going) leaves them out"
                    ) from error
                unreadable[row[0]] = str(error)
        return documents

    return (yield Call(decoded))


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
        labelled = document.with_labels(stored[name].version.labels or ())
        stored[name] = stored[name]._replace(document=labelled)


@workflow
def _may_record(plan: Plan) -> Steps[bool]:
    """Return whether the result can be recorded in the database; warn if not."""
    if not plan.common and not plan.comparison.inherited:
        return False
    if (yield bases.may_record()):
        return True
    warn(
        "the database does not record what it has in common with the folder, because the table "
        f"{bases.TABLE} is missing (run setup), this role may not write to it, or the database is "
        "read-only",
        UserWarning,
    )
    return False


@workflow
def _record(comparison: Comparison, new: Iterable[Base]) -> Steps[None]:
    """Record the bases that changed."""
    changed = [each for each in new if each != comparison.recorded.get(each.name)]
    if changed:
        yield bases.record(comparison.folder.kind.stored, changed)


def _new_bases(plan: Plan, created: Mapping[str, datetime]) -> list[Base]:
    """Return the bases after a push that wrote revisions at these times, or after a pull."""
    comparison = plan.comparison
    new = [each for each in comparison.inherited if each.name not in plan.common]
    for name, version in plan.common.items():
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
    listed = {label for label, on in comparison.folder.documents[name].labels if not on}
    return {label: on or before.digest for label, on in before.labels.items() if label in listed}


def _note(plan: Plan, new: Iterable[Base]) -> Call[None]:
    """Note in the folder what was pushed or pulled, unless that may be rolled back."""

    def note() -> None:
        folder = plan.comparison.folder
        versions: dict[str, list[Version | None]] = {}
        for base in new:
            if base in plan.comparison.inherited:
                continue
            noted = versions.setdefault(base.name, [])
            if plan.source == "folder" and base.name in folder.documents:
                # A file may have labels that were not compared.
                noted.append(folder.version(base.name))
            version = Version.of_base(base)
            noted.append(version and version._replace(labels=version.labels or ()))
        folder.seen.note(versions, folder.known)

    return Call(note, records_commit=True)


def _status_of(
    comparison: Comparison, plan: Plan | None = None, how: Transfer | None = None
) -> FolderStatus:
    actions: Mapping[str, Action] = plan.actions if plan else {}
    # A forced transfer against the direction of a rename writes or removes the old name, too.
    replaced = {
        old
        for old in comparison.renamed.values()
        if actions.get(old, Action.NOTHING) is not Action.NOTHING
    }
    return FolderStatus(
        folder=comparison.folder.path,
        changes=Records(
            FolderChange,
            (
                FolderChange(
                    name=name,
                    change=str(comparison.changes[name]),
                    file=str(comparison.folder.path_of(name)),
                    action=str(actions[name]) if plan else None,
                    renamed_from=comparison.renamed.get(name),
                )
                for name in sorted({*comparison.differing, *replaced})
            ),
        ),
        unchanged=sum(change == "unchanged" for change in comparison.changes.values()),
        done=how is not None
        and not how.dry_run
        and (how.keep_going or Action.CONFLICT not in actions.values()),
        unread=comparison.folder.unread,
    )
