"""DataFrames: `db.frames`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from draive_pg.api._method import Namespace, method, stream
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.frames import frame_named
from draive_pg.frames.conversations import CONVERSATION_LOG, SESSIONS, TOOL_CALLS, VARIABLES
from draive_pg.frames.frame import Format
from draive_pg.frames.query import Filters, FrameQuery, OneOrMany, read
from draive_pg.frames.revisions import CONFIGURATIONS, INSTRUCTION_REVISIONS
from draive_pg.operations.copy import Copy

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ("Frames",)


class Frames[D: Database | AsyncDatabase](Namespace[D]):
    """pandas DataFrames for analysis: fixed columns and dtypes, times in UTC.

    All take the same arguments: ``identifier`` (or ``name``), one or several, chooses; ``since``
    (inclusive) and ``until`` (exclusive) bound ``created``; ``limit``
    is the most rows; ``columns`` are the columns wanted, in their order, and others are not
    computed. ``role`` (``"input"`` or ``"output"``) and ``tool`` (one name or several) choose among
    elements and calls. JSON columns hold Python dicts and lists.
    """

    __slots__ = ()

    @method
    def conversation_log(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        role: str | None = None,
        tool: OneOrMany | None = None,
        columns: Sequence[str] | None = None,
    ) -> "Copy[DataFrame]":
        """Return the elements of memories: a row each, by identifier and position.

        Columns: ``identifier``, ``position`` (from 0 in the memory's order), ``created``, ``role``
        (``input`` or ``output``), ``text``, ``reasoning``, ``tools`` (the tool names of requests
        and responses in order), ``tool_requests``, ``tool_responses`` and ``parts`` (counts),
        ``n_chars`` (of ``text``), ``meta``. What tools were asked and what they responded is in
        `tool_calls`; ``tool`` chooses the elements that request it or respond for it.
        """
        return read(
            CONVERSATION_LOG, identifier, since, until, limit, columns, role=role, tool=tool
        )

    @method
    def tool_calls(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        tool: OneOrMany | None = None,
        columns: Sequence[str] | None = None,
    ) -> "Copy[DataFrame]":
        """Return tool requests with their responses: a row each, in the order of the requests.

        Columns: ``identifier``, ``position`` and ``created`` of the request's element, ``call``
        (its id), ``tool``, ``arguments``, ``response`` (text), ``handling``, ``responded``,
        ``seconds`` between the two; the last four are missing where none answered.
        """
        return read(TOOL_CALLS, identifier, since, until, limit, columns, tool=tool)

    @method
    def sessions(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "Copy[DataFrame]":
        """Return memories: a row each.

        Columns: ``identifier``, ``created``, ``first`` and ``last`` (of its elements),
        ``elements``, ``turns`` (inputs without tool responses), ``tool_calls``, ``n_chars``,
        ``seconds`` from first to last.
        """
        return read(SESSIONS, identifier, since, until, limit, columns)

    @method
    def variables(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "Copy[DataFrame]":
        """Return snapshots of memory variables: a row each.

        Columns: ``identifier``, ``created``, ``variables``.
        """
        return read(VARIABLES, identifier, since, until, limit, columns)

    @method
    def instruction_revisions(
        self,
        name: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "Copy[DataFrame]":
        """Return revisions of instructions: a row each.

        Columns: ``name``, ``revision`` (from 1 in order of ``created``), ``created``,
        ``description``, ``content``, ``arguments``, ``meta``, ``n_chars``, ``author``,
        ``message``, ``labels`` (those that are on it, a list), ``current``.
        """
        return read(INSTRUCTION_REVISIONS, name, since, until, limit, columns)

    @method
    def configurations(
        self,
        identifier: OneOrMany | None = None,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "Copy[DataFrame]":
        """Return configuration snapshots: a row each.

        Columns: ``identifier``, ``revision`` (from 1 in order of ``created``), ``created``,
        ``content``, ``author``, ``message``, ``labels`` (those that are on it, a list),
        ``current``.
        """
        return read(CONFIGURATIONS, identifier, since, until, limit, columns)

    @stream
    def chunks(
        self, frame: str, *, rows: int = 100_000, **filters: Unpack[Filters]
    ) -> "Copy[DataFrame]":
        """Iterate over a frame that need not fit in memory, as DataFrames of so many rows.

        Parameters
        ----------
        frame : str
            Its name: ``"conversation_log"``, ``"tool_calls"``, ``"sessions"``, ``"variables"``,
            ``"instruction_revisions"`` or ``"configurations"``.
        rows : int
            Of each; the last may have fewer. There is at least one, which may be empty.
        **filters
            As the frame's own method takes them; ``identifier`` also for what has a ``name``.

        Yields
        ------
        DataFrame
            All of one instant. Until the end, or until the iterator is closed, it uses a
            connection; in a `transaction`, nothing else can be asked meanwhile.
        """
        return FrameQuery(frame_named(frame), filters).chunks(rows)

    @method
    def export(
        self,
        frame: str,
        path: Path | str,
        *,
        format: Format | None = None,  # noqa: A002 - what it is
        progress: bool | None = None,
        **filters: Unpack[Filters],
    ) -> Copy[int]:
        """Write a frame of any size to a file, in constant memory, and return how many rows.

        Parameters
        ----------
        frame : str
            Its name, as `chunks` takes it.
        path : Path | str
            The file. It is replaced when all is written; after an error it is as it was.
        format : str | None
            ``"parquet"``, ``"csv"`` or ``"jsonl"``; None for what the suffix says. A suffix of
            ``.gz`` after the others compresses CSV and JSON Lines.
        progress : bool | None
            Show a progress bar; None for where a person watches.
        **filters
            As `chunks` takes them.

        Notes
        -----
        JSON columns are written as JSON: in Parquet and CSV as text, in JSON Lines as part of the
        document. CSV and JSON Lines have times in ISO 8601, in UTC.
        """
        from draive_pg.frames.export import export

        return export(frame_named(frame), path, filters, format=format, progress=progress)
