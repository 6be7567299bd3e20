"""Folders of prompts or configurations: part of `db.instructions` and `db.configurations`."""

from os import PathLike
from typing import ClassVar

from draive_pg.api._method import Namespace, method
from draive_pg.database import AsyncDatabase, Database
from draive_pg.models.folders import FolderDiff, FolderStatus
from draive_pg.operations.operation import Workflow
from draive_pg.sync import requests
from draive_pg.sync.kinds import FileKind


class Folders[D: Database | AsyncDatabase](Namespace[D]):
    """Keep all documents of a kind in a folder, one file each."""

    __slots__ = ()

    _kind: ClassVar[FileKind]

    @method
    def push(
        self,
        folder: str | PathLike[str],
        *,
        labels: bool = False,
        force: bool = False,
        delete: bool = False,
        dry_run: bool = False,
        message: str | None = None,
        author: str | None = None,
    ) -> Workflow[FolderStatus]:
        """Write what changed in a folder since the last push or pull into the database.

        All of it is written in one transaction. If a name changed on both sides, nothing is
        written, and the result names it in ``conflicts``.

        Parameters
        ----------
        folder : str | PathLike
            The folder, which must exist. Its file ``.draive_pg.json`` records the state of the last
            push or pull: keep it in version control with the others.
        labels : bool
            Compare labels, too: move those in the files to the new revisions, and remove those that
            are no longer there. By default, labels stay where they are. In the front matter of a
            prompt they are ``labels``, in the file of a configuration ``$labels``.
        force : bool
            Let the folder win conflicts.
        delete : bool
            Remove documents, with all their revisions, whose files were removed; labelled ones
            only with ``labels``.
        dry_run : bool
            Return what would be done, and do nothing.
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
        FileInvalid
            If there is no such folder, or a file cannot be parsed; nothing is written.
        TemplateInvalid
            If a prompt does not match its declared arguments; nothing is written.

        Examples
        --------
        >>> db.instructions.push("prompts", message="Friendlier greetings").done
        True
        """
        return requests.push(
            self._kind,
            folder,
            labels=labels,
            force=force,
            delete=delete,
            dry_run=dry_run,
            message=message,
            author=author,
        )

    @method
    def pull(
        self,
        folder: str | PathLike[str],
        *,
        labels: bool = False,
        force: bool = False,
        delete: bool = False,
        dry_run: bool = False,
    ) -> Workflow[FolderStatus]:
        """Write what changed in the database since the last push or pull into a folder.

        If a name changed on both sides, nothing is written, and the result names it in
        ``conflicts``.

        Parameters
        ----------
        folder : str | PathLike
            The folder; it is created if it does not exist.
        labels : bool
            Compare and write labels, too.
        force : bool
            Let the database win conflicts.
        delete : bool
            Remove the files of documents that were removed from the database.
        dry_run : bool
            Return what would be done, and do nothing.

        Returns
        -------
        FolderStatus
            The differences with their actions; ``done`` is False after a dry run or a conflict.

        Raises
        ------
        FileInvalid
            If the folder has a file that cannot be parsed; nothing is written.

        Examples
        --------
        >>> db.instructions.pull("prompts").done
        True
        """
        return requests.pull(
            self._kind, folder, labels=labels, force=force, delete=delete, dry_run=dry_run
        )

    @method
    def status(
        self, folder: str | PathLike[str], *, labels: bool = False
    ) -> Workflow[FolderStatus]:
        """Return how a folder and the database differ; nothing is written.

        Parameters
        ----------
        folder : str | PathLike
            The folder, which must exist.
        labels : bool
            Compare labels, too.

        Raises
        ------
        FileInvalid
            If there is no such folder, or a file cannot be parsed.

        Examples
        --------
        >>> db.instructions.status("prompts").drift
        False
        """
        return requests.status(self._kind, folder, labels=labels)

    @method
    def diff_folder(
        self, folder: str | PathLike[str], *, labels: bool = False
    ) -> Workflow[FolderDiff]:
        """Return how a folder and the database differ, line by line.

        Parameters and errors are those of `status`. For revisions in the database see `diff`.

        Examples
        --------
        >>> print(db.instructions.diff_folder("prompts"))
        """
        return requests.diff(self._kind, folder, labels=labels)
