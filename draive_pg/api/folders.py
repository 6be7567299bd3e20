"""Folders of prompts or configurations: part of `db.instructions` and `db.configurations`.

The methods import `sync`, which services do not need, so that `import draive_pg` is faster.
"""

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from draive_pg.api._method import Namespace, method
from draive_pg.database import AsyncDatabase, Database
from draive_pg.models.folders import FolderCheck, FolderDiff, FolderStatus
from draive_pg.operations.documents.kind import DocumentKind
from draive_pg.operations.operation import Call, Workflow

if TYPE_CHECKING:
    from draive import Configuration


class Folders[D: Database | AsyncDatabase](Namespace[D]):
    """Keep all documents of a kind in a folder, one file each."""

    __slots__ = ()

    _documents: ClassVar[DocumentKind[Any, Any]]

    @method
    def push(  # noqa: PLR0913
        self,
        folder: str | PathLike[str],
        names: Iterable[str] | None = None,
        *,
        prefix: str | None = None,
        labels: bool = False,
        force: bool = False,
        delete: bool = False,
        keep_going: bool = False,
        dry_run: bool = False,
        strict: bool = False,
        classes: "Iterable[type[Configuration]] | Mapping[str, type[Configuration]]" = (),
        message: str | None = None,
        author: str | None = None,
    ) -> Workflow[FolderStatus]:
        """Write what changed in a folder since the last push or pull into the database.

        All of it is written in one transaction. If a name changed on both sides, nothing is
        written, and the result names it in ``conflicts``. A file with another name and the same
        content renames the document, with its history and labels.

        Parameters
        ----------
        folder : str | PathLike
            The folder, which must exist.
        names : iterable of str | None
            Only these names, or patterns such as ``support/*``; None for all.
        prefix : str | None
            Only names that start with this.
        labels : bool
            Compare labels, too: move those in the files to the new revisions, and remove those that
            are no longer there. By default, labels stay where they are. In the front matter of a
            prompt they are ``labels``, in the file of a configuration ``$labels``.
        force : bool
            Make the database as the folder is, also where the database changed.
        delete : bool
            Remove documents, with all their revisions, whose files were removed; labelled ones
            only with ``labels``.
        keep_going : bool
            Write what has no conflict, instead of nothing.
        dry_run : bool
            Return what would be done, and do nothing.
        strict : bool
            Raise for a template that cannot be filled, instead of warning of it.
        classes : iterable of type[Configuration], or Mapping[str, type[Configuration]]
            Classes that configurations must fit, as in `check_folder`.
        message, author : str | None
            Kept with each new revision and label move.

        Returns
        -------
        FolderStatus
            The differences with their actions; ``done`` is False after a dry run or a conflict.

        Raises
        ------
        RevisionConflict
            If one of the documents is written by somebody else at the same time; nothing is
            written.
        RevisionLabelled
            If a labelled document would be removed, without ``labels``; nothing is written.
        RevisionMissing
            If a file names an older revision for a label that this database does not have; nothing
            is written.
        FileInvalid
            If there is no such folder, a file cannot be parsed or does not fit its class, or one of
            the names is nowhere; nothing is written.
        TemplateInvalid
            If a prompt does not match its declared arguments; nothing is written.

        Warns
        -----
        UserWarning
            If a template cannot be filled, as one with a single brace.

        Examples
        --------
        >>> db.instructions.push("prompts", message="Friendlier greetings").done
        True
        >>> db.instructions.push("prompts", ["support/*"], force=True).conflicts
        ()
        """
        from draive_pg.sync.push_pull import Options, Transfer, push

        return push(
            Options.of(self._documents, folder, prefix, names, labels=labels),
            Transfer(force, delete, keep_going, dry_run),
            strict=strict,
            classes=classes,
            message=message,
            author=author,
        )

    @method
    def pull(
        self,
        folder: str | PathLike[str],
        names: Iterable[str] | None = None,
        *,
        prefix: str | None = None,
        labels: bool = False,
        force: bool = False,
        delete: bool = False,
        keep_going: bool = False,
        dry_run: bool = False,
    ) -> Workflow[FolderStatus]:
        """Write what changed in the database since the last push or pull into a folder.

        If a name changed on both sides, nothing is written, and the result names it in
        ``conflicts``.

        Parameters
        ----------
        folder : str | PathLike
            The folder; it is created if it does not exist.
        names, prefix
            Which names, as in `push`.
        labels : bool
            Compare and write labels, too.
        force : bool
            Make the folder as the database is, also where the folder changed.
        delete : bool
            Remove the files of documents that were removed from the database.
        keep_going : bool
            Write what has no conflict, instead of nothing.
        dry_run : bool
            Return what would be done, and do nothing.

        Returns
        -------
        FolderStatus
            The differences with their actions; ``done`` is False after a dry run or a conflict.

        Raises
        ------
        FileInvalid
            If the folder has a file that cannot be parsed, one of the names is nowhere, or a file
            to replace was changed meanwhile; nothing is written.

        Examples
        --------
        >>> db.instructions.pull("prompts").done
        True
        """
        from draive_pg.sync.push_pull import Options, Transfer, pull

        return pull(
            Options.of(self._documents, folder, prefix, names, labels=labels),
            Transfer(force, delete, keep_going, dry_run),
        )

    @method
    def status(
        self,
        folder: str | PathLike[str],
        names: Iterable[str] | None = None,
        *,
        prefix: str | None = None,
        labels: bool = False,
    ) -> Workflow[FolderStatus]:
        """Return how a folder and the database differ; nothing is written.

        Parameters
        ----------
        folder : str | PathLike
            The folder, which must exist.
        names, prefix
            Which names, as in `push`.
        labels : bool
            Compare labels, too.

        Raises
        ------
        FileInvalid
            If there is no such folder, a file cannot be parsed, or one of the names is nowhere.

        Examples
        --------
        >>> db.instructions.status("prompts").drift
        False
        """
        from draive_pg.sync.push_pull import Options, status

        return status(Options.of(self._documents, folder, prefix, names, labels=labels))

    @method
    def diff_folder(
        self,
        folder: str | PathLike[str],
        names: Iterable[str] | None = None,
        *,
        prefix: str | None = None,
        labels: bool = False,
    ) -> Workflow[FolderDiff]:
        """Return how a folder and the database differ, line by line.

        Parameters and errors are those of `status`. For revisions in the database see `diff`.

        Examples
        --------
        >>> print(db.instructions.diff_folder("prompts"))
        """
        from draive_pg.sync.push_pull import Options, diff

        return diff(Options.of(self._documents, folder, prefix, names, labels=labels))

    @method
    def check_folder(
        self,
        folder: str | PathLike[str],
        *,
        classes: "Iterable[type[Configuration]] | Mapping[str, type[Configuration]]" = (),
    ) -> Call[FolderCheck]:
        """Check all files of a folder, without the database.

        Parameters
        ----------
        folder : str | PathLike
            The folder, which must exist.
        classes : iterable of type[Configuration], or Mapping[str, type[Configuration]]
            Classes of draive that configurations must fit, without unknown keys; a mapping gives
            their identifiers, which are else the qualified names of the classes.

        Raises
        ------
        FileInvalid
            If there is no such folder.
        TypeError
            If there are classes, and it is not a folder of configurations.

        Examples
        --------
        >>> db.instructions.check_folder("prompts").valid
        True
        """
        from draive_pg.sync.check import check_folder
        from draive_pg.sync.kinds import FILES

        return Call(lambda: check_folder(FILES[self._documents], folder, classes=classes))
