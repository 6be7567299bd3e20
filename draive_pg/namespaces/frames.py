"""DataFrames: `db.frames`."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from draive_pg.database.asynchronous import AsyncDatabase
from draive_pg.database.sync import Database
from draive_pg.frames import definitions as frames
from draive_pg.frames.reading import Subjects, read
from draive_pg.namespaces.twins import documented_as

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ("AsyncFrames", "Frames")


class Frames:
    """pandas DataFrames for analysis: fixed columns and dtypes, times in UTC.

    All take the same arguments: ``identifier`` (or ``name``), one or several, chooses; ``since``
    (inclusive) and ``until`` (exclusive), datetimes with a time zone, bound ``created``; ``limit``
    is the most rows; ``columns`` are the columns wanted, in their order. JSON columns hold Python
    dicts and lists.
    """

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def conversation_log(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        """Return the elements of memories: a row each, by identifier and position.

        Columns: ``identifier``, ``position`` (from 0 in the memory's order), ``created``, ``role``
        (``input`` or ``output``), ``text``, ``reasoning``, ``tools`` (the tool names of requests
        and responses in order), ``tool_requests``, ``tool_responses`` and ``parts`` (counts),
        ``n_chars`` (of ``text``), ``meta``. What tools were asked and what they responded is in
        `tool_calls`.
        """
        return self._database.run(
            read(frames.CONVERSATION_LOG, identifier, since, until, limit, columns)
        )

    def tool_calls(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        """Return tool requests with their responses: a row each, in the order of the requests.

        Columns: ``identifier``, ``position`` and ``created`` of the request's element, ``call``
        (its id), ``tool``, ``arguments``, ``response`` (text), ``handling``, ``responded``,
        ``seconds`` between the two; the last four are missing where none answered.
        """
        return self._database.run(read(frames.TOOL_CALLS, identifier, since, until, limit, columns))

    def sessions(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        """Return memories: a row each.

        Columns: ``identifier``, ``created``, ``first`` and ``last`` (of its elements),
        ``elements``, ``turns`` (inputs without tool responses), ``tool_calls``, ``n_chars``,
        ``seconds`` from first to last.
        """
        return self._database.run(read(frames.SESSIONS, identifier, since, until, limit, columns))

    def variables(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        """Return snapshots of memory variables: a row each.

        Columns: ``identifier``, ``created``, ``variables``.
        """
        return self._database.run(read(frames.VARIABLES, identifier, since, until, limit, columns))

    def instruction_revisions(
        self,
        name: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        """Return revisions of instructions: a row each.

        Columns: ``name``, ``revision`` (from 1 in order of ``created``), ``created``,
        ``description``, ``content``, ``arguments``, ``meta``, ``n_chars``, ``current``.
        """
        return self._database.run(
            read(frames.INSTRUCTION_REVISIONS, name, since, until, limit, columns)
        )

    def configurations(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        """Return configuration snapshots: a row each.

        Columns: ``identifier``, ``revision`` (from 1 in order of ``created``), ``created``,
        ``content``, ``current``.
        """
        return self._database.run(
            read(frames.CONFIGURATIONS, identifier, since, until, limit, columns)
        )


@documented_as(Frames)
class AsyncFrames:
    __slots__ = ("_database",)

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database

    async def conversation_log(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        return await self._database.run(
            read(frames.CONVERSATION_LOG, identifier, since, until, limit, columns)
        )

    async def tool_calls(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        return await self._database.run(
            read(frames.TOOL_CALLS, identifier, since, until, limit, columns)
        )

    async def sessions(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        return await self._database.run(
            read(frames.SESSIONS, identifier, since, until, limit, columns)
        )

    async def variables(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        return await self._database.run(
            read(frames.VARIABLES, identifier, since, until, limit, columns)
        )

    async def instruction_revisions(
        self,
        name: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        return await self._database.run(
            read(frames.INSTRUCTION_REVISIONS, name, since, until, limit, columns)
        )

    async def configurations(
        self,
        identifier: Subjects = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> "DataFrame":
        return await self._database.run(
            read(frames.CONFIGURATIONS, identifier, since, until, limit, columns)
        )
