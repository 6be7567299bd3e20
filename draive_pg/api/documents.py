"""Versioned documents: what `db.instructions` and `db.configurations` have in common."""

from collections.abc import Iterable, Mapping
from typing import Any

from draive_pg.api._method import Namespace, method
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.models.documents import Diff, LabelMove
from draive_pg.models.record import Records
from draive_pg.operations.documents import define, labels, promotion, read, remove, rename, search
from draive_pg.operations.documents.kind import DocumentKind, DocumentRevision
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import RevisionRef
from draive_pg.operations.operation import Operation, Request, Workflow


class Documents[D: Database | AsyncDatabase, Reference, R: DocumentRevision](Namespace[D]):
    """Named documents with a history of revisions; the newest revision is the current one."""

    __slots__ = ()

    _documents: DocumentKind[Reference, R]  # set by subclasses

    @method
    def list(
        self,
        prefix: str | None = None,
        *,
        label: str | None = None,
        as_of: Timestamp | None = None,
        limit: int | None = None,
    ) -> Operation[Records[R]]:
        """Return the current revision of each document, in order of the names.

        Parameters
        ----------
        prefix : str | None
            Return only documents whose names start with this.
        label : str | None
            Return the revision with this label instead; skip documents without the label.
        as_of : datetime | date | str | None
            Return the revision that was current, or had the label, at this time.
        limit : int | None
            Maximum number of documents.

        Returns
        -------
        Records
            One record per document.

        Examples
        --------
        >>> db.instructions.list("support/", label="production").to_df()
        """
        return read.list_(self._documents, prefix, label=label, as_of=as_of, limit=limit)

    @method
    def history(self, name: Reference, /) -> Operation[Records[R]]:
        """Return all revisions of a document, the newest first; none if there is no document.

        Parameters
        ----------
        name : str
            The name, or an object of draive that has it.
        """
        return read.history(self._documents, name)

    @method
    def revision(self, name: Reference, /, revision: RevisionRef[R] = None) -> Workflow[R]:
        """Return one revision of a document.

        Parameters
        ----------
        name : str
            The name, or an object of draive that has it.
        revision : int | str | datetime | Revision | Snapshot | None
            A number, a label, a time (the revision that was current then), a record to read again,
            or None for the newest revision.

        Raises
        ------
        RevisionMissing
            If there is no such revision; the message lists the existing ones.
        DocumentMissing
            If there is no such document; the message suggests similar names.

        Examples
        --------
        >>> db.instructions.revision("greeting", "production").content
        'Hello {name}!'
        """
        return read.revision(self._documents, name, revision)

    @method
    def diff(
        self, name: Reference, /, a: RevisionRef[R], b: RevisionRef[R] = None
    ) -> Workflow[Diff[R]]:
        """Compare two revisions of a document.

        Parameters
        ----------
        name : str
            The name, or an object of draive that has it.
        a, b : int | str | datetime | Revision | Snapshot | None
            Revisions as in `revision`; b is the newest by default.

        Returns
        -------
        Diff
            Prints as a unified diff; a notebook shows it side by side. False if nothing differs.

        Raises
        ------
        RevisionMissing, DocumentMissing
            As in `revision`.

        Examples
        --------
        >>> print(db.configurations.diff("chat", "production"))
        """
        return read.diff(self._documents, name, a, b)

    @method
    def search(
        self,
        text: str | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        author: str | None = None,
        label: str | None = None,
        current: bool = False,
        limit: int | None = None,
    ) -> Operation[Records[R]]:
        """Search the revisions of all documents; every given condition must hold.

        Parameters
        ----------
        text : str | None
            Substring of the name, content, description or message, ignoring case.
        meta : Mapping[str, Any] | None
            Mapping that the declared meta must contain. Configurations have no meta.
        since, until : datetime | date | str | None
            Bounds (inclusive, exclusive) of the time when a revision was written.
        author : str | None
            Author of the revisions.
        label : str | None
            Label of the revisions.
        current : bool
            Search only the newest revision of each document.
        limit : int | None
            Maximum number of revisions.

        Returns
        -------
        Records
            Ordered by name, then newest revision first.
        """
        return search.search(
            self._documents,
            text,
            meta=meta,
            since=since,
            until=until,
            author=author,
            label=label,
            current=current,
            limit=limit,
        )

    @method
    def create_search_index(self) -> Workflow[bool]:
        """Create the GIN index that makes `search` for text fast.

        Search works without it, and reads all revisions. Creating it takes about a minute for
        500,000 revisions of 900 characters, so give the client a sufficient ``timeout``; writers
        are not blocked, and each later write updates it. It speeds up searches for three or more
        letters, needs the owner of the tables and the extension pg_trgm, which is created if the
        server has it, cannot run in a transaction, and can be repeated.

        Returns
        -------
        bool
            True if the index was missing.

        Raises
        ------
        OperationFailed
            If the server does not have pg_trgm, or the role lacks a privilege.

        Examples
        --------
        >>> db.instructions.create_search_index()
        True
        """
        return search.create_search_index(self._documents, self._database.schema)

    @method
    def restore(
        self,
        name: Reference,
        /,
        revision: RevisionRef[R],
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Expected[R] = None,
    ) -> Workflow[R]:
        """Write a new revision equal to an old one, and return the newest revision.

        Nothing is written if the newest revision is equal already.

        Parameters
        ----------
        name : str
            The name, or an object of draive that has it.
        revision : int | str | datetime | Revision | Snapshot | None
            The old revision, as in `revision`; also a removed one, if its content was kept.
        message, author : str | None
            Why it is restored, and by whom; kept with the new revision.
        expected : int | Revision | Snapshot | None
            Write only if this revision is the newest.

        Raises
        ------
        RevisionConflict
            If the newest revision is not the expected one.
        RevisionMissing, DocumentMissing
            As in `revision`.
        """
        return define.restore(
            self._documents, name, revision, message=message, author=author, expected=expected
        )

    @method
    def rename(
        self,
        name: Reference,
        /,
        new_name: str,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Expected[R] = None,
    ) -> Workflow[R]:
        """Give a document another name, and return its current revision.

        Its revisions with their numbers, authors and messages, its labels and their history move
        to the new name, in one transaction.

        Parameters
        ----------
        name : str
            The name, or an object of draive that has it.
        new_name : str
            The new name; there must be no document with it.
        message, author : str | None
            Why it is renamed, and by whom; `frames.audit` shows them with the old name.
        expected : int | Revision | Snapshot | None
            Rename only if this revision is the newest.

        Raises
        ------
        RevisionConflict
            If the newest revision is not the expected one.
        DocumentExists
            If the new name has revisions.
        DocumentMissing
            If the old name has no revisions.
        """
        return rename.rename(
            self._documents, name, new_name, message=message, author=author, expected=expected
        )

    @method
    def labels(self, name: Reference | None = None, /) -> Operation[Records[LabelMove]]:
        """Return the labels that point to a revision, of one document or of all, in order.

        Parameters
        ----------
        name : str | None
            The name, or an object of draive that has it; None for all documents.
        """
        return labels.labels(self._documents, name)

    @method
    def label(
        self,
        name: Reference,
        /,
        label: str,
        revision: RevisionRef[R] = None,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Expected[R] = None,
        strict: bool = False,
    ) -> Workflow[LabelMove]:
        """Move a label to a revision, and return its newest move.

        Nothing is written if the label is on that revision already.

        Parameters
        ----------
        name : str
            The name, or an object of draive that has it.
        label : str
            The label: not a number, and not ``latest``, which is always on the newest revision.
        revision : int | str | datetime | Revision | Snapshot | None
            A number, another label, a time or a record; None for the newest.
        message, author : str | None
            Why it is moved, and by whom.
        expected : int | Revision | Snapshot | None
            Move the label only if it is on this revision now; 0: only if it is on no revision.
        strict : bool
            Raise for a prompt that cannot be filled, instead of warning of it.

        Raises
        ------
        RevisionConflict
            If the label is not on the expected revision.
        TemplateInvalid
            If the prompt cannot be filled, with ``strict``.
        RevisionMissing, DocumentMissing
            As in `revision`.

        Examples
        --------
        >>> db.instructions.label("greeting", "production", 3, message="reviewed")
        """
        return labels.move(
            self._documents,
            name,
            label,
            revision,
            message=message,
            author=author,
            expected=expected,
            strict=strict,
        )

    @method
    def unlabel(
        self,
        name: Reference,
        /,
        label: str,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Expected[R] = None,
    ) -> Operation[bool]:
        """Remove a label from a document, and return whether it was there; its moves are kept.

        Parameters
        ----------
        name : str
            The name, or an object of draive that has it.
        label : str
            The label.
        message, author : str | None
            Why it is removed, and by whom.
        expected : int | Revision | Snapshot | None
            Remove the label only if it is on this revision now.

        Raises
        ------
        RevisionConflict
            If the label is not on the expected revision.
        """
        return labels.remove(
            self._documents, name, label, message=message, author=author, expected=expected
        )

    @method
    def label_history(
        self, name: Reference | None = None, /, label: str | None = None
    ) -> Operation[Records[LabelMove]]:
        """Return the moves of labels, of one document or of all, the newest first.

        The moves are kept when the document is removed; their ``revision`` is then None.

        Parameters
        ----------
        name : str | None
            The name, or an object of draive that has it; None for all documents.
        label : str | None
            Only the moves of this label.
        """
        return labels.history(self._documents, name, label)

    @method
    def promote(
        self,
        source_label: str,
        target_label: str,
        names: Iterable[str] | None = None,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Mapping[str, Expected[R]] | None = None,
    ) -> Workflow[Records[LabelMove]]:
        """Move a label to the revisions that have another label, in one transaction.

        `Client.promote` does it for prompts and configurations together.

        Parameters
        ----------
        source_label : str
            The label whose revisions are promoted.
        target_label : str
            The label to move.
        names : iterable of str | None
            The documents; None for all that have the source label, if that is not ``latest``.
        message, author : str | None
            Why it is moved, and by whom.
        expected : Mapping[str, int | Revision | Snapshot] | None
            By name, the revision that the target label must be on now; 0: on none.

        Returns
        -------
        Records[LabelMove]
            The newest moves of the target label.

        Raises
        ------
        RevisionMissing, DocumentMissing
            If one of the names lacks the source label, or no document has it; nothing is moved.
        RevisionConflict
            If the target label is not on an expected revision; nothing is moved.

        Examples
        --------
        >>> db.instructions.promote("staging", "production")
        """
        moves = promotion.promote(
            source_label,
            target_label,
            {self._documents: names},
            message=message,
            author=author,
            expected={self._documents: expected},
        )
        return promotion.of_kind(self._documents, moves)

    @method
    def rollback(
        self,
        label: str,
        names: Iterable[str] | None = None,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Mapping[str, Expected[R]] | None = None,
    ) -> Workflow[Records[LabelMove]]:
        """Move a label to the revision that it was on before, in one transaction.

        A second call moves it back again. `Client.rollback` does it for prompts and configurations
        together.

        Parameters
        ----------
        label : str
            The label.
        names : iterable of str | None
            The documents; None for those that the last release or move of the label changed.
        message, author : str | None
            Why it is moved, and by whom.
        expected : Mapping[str, int | Revision | Snapshot] | None
            By name, the revision that the label must be on now.

        Returns
        -------
        Records[LabelMove]
            The newest moves of the label.

        Raises
        ------
        RevisionMissing
            If it was on no other revision that exists; nothing is moved.
        RevisionConflict
            If it is not on an expected revision, or somebody moves it at the same time; nothing is
            moved.

        Examples
        --------
        >>> db.instructions.rollback("production", message="People did not like it")
        """
        moves = promotion.rollback(
            label,
            {self._documents: names},
            message=message,
            author=author,
            expected={self._documents: expected},
        )
        return promotion.of_kind(self._documents, moves)

    @method
    def remove(
        self,
        name: Reference,
        /,
        *,
        revision: RevisionRef[R] = None,
        labelled: bool = False,
        message: str | None = None,
        author: str | None = None,
        expected: Expected[R] = None,
    ) -> Request[int]:
        """Remove a document, or one revision of it, and return how many revisions were removed.

        Numbers of removed revisions are never used again, even if the name is defined again.

        Parameters
        ----------
        name : str
            The name, or an object of draive that has it.
        revision : int | str | datetime | Revision | Snapshot | None
            The revision to remove, as in `revision`; None for all of them.
        labelled : bool
            Remove it even if a label is on it; the label is then on no revision.
        message, author : str | None
            Why it is removed, and by whom; `frames.audit` shows them.
        expected : int | Revision | Snapshot | None
            Remove only if this revision is the newest.

        Raises
        ------
        RevisionLabelled
            If a label is on what would be removed, unless ``labelled``.
        RevisionConflict
            If the newest revision is not the expected one.
        RevisionMissing
            If there is a document, but not that revision of it.

        Examples
        --------
        >>> db.instructions.remove("greeting", revision=2)
        1
        """
        return remove.remove(
            self._documents,
            name,
            revision=revision,
            labelled=labelled,
            message=message,
            author=author,
            expected=expected,
        )
