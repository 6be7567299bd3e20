"""The ``conversation_memory`` table as the memory of draive 0.100 and newer."""

# pyright knows the draive of the development environment, which has none of these.
# pyright: reportAttributeAccessIssue=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportMissingImports=false

from collections.abc import Sequence
from itertools import chain
from typing import Any
from uuid import UUID

from draive.conversation.state import ConversationMemory
from haiway import Paginated, Pagination

from draive_pg.adapters.database import ScopeDatabase, migrate
from draive_pg.codec.validation import check_text
from draive_pg.database.cache import Cache
from draive_pg.database.endpoint import schema_of
from draive_pg.lines.line import LINE_103
from draive_pg.operations.conversations import turns as operations
from draive_pg.operations.conversations.relations import relations


class PostgresConversationMemory:
    """One thread of the ``conversation_memory`` table, in the interface of the installed draive.

    draive 0.100 to 0.103 calls it, ``PostgresConversationMemory(thread=…)``; draive 0.104 and newer
    calls `prepare` and `migrate`.
    """

    def __new__(cls, *, thread: UUID | str, schema: str | None = None) -> ConversationMemory:
        """Return `prepare` of the arguments."""
        return cls.prepare(thread=thread, schema=schema)

    @staticmethod
    async def migrate() -> None:
        """Create the table and its index, unless they exist; processes wait for each other."""
        await migrate("conversation_memory")

    @staticmethod
    def prepare(*, thread: UUID | str, schema: str | None = None) -> ConversationMemory:
        """Return the memory of one thread.

        ``recall`` returns what can be replayed to a model: it begins with a turn of the user, and
        leaves out turns with tool requests that were not answered.

        Parameters
        ----------
        thread : UUID | str
            The thread.
        schema : str | None
            The schema of the tables; None: ``$DRAIVE_PG_SCHEMA``, else the search path.

        Returns
        -------
        ConversationMemory
            For a scope with a ``Postgres`` state.
        """
        identifier = check_text(str(thread), "thread")
        database = ScopeDatabase(
            Cache(0, 1.0), schema_of(schema), relations=relations(LINE_103, LINE_103.stores)
        )

        async def fetch(pagination: Pagination, **extra: Any) -> Any:
            found: list[Any] = []
            if pagination.limit > 0:
                page = operations.fetch(identifier, pagination.limit, _cursor(pagination.token))
                found += await database.run(page)
            is_last = len(found) < max(pagination.limit, 1)
            token = None if is_last else found[0].identifier
            return Paginated[Any].of(found, pagination=pagination.with_token(token))

        async def recall(pagination: Pagination | None = None, **extra: Any) -> Any:
            found: Any
            if pagination is None:
                found = await database.run(operations.recall(identifier, None, lenient=False))
            elif pagination.token is None and pagination.limit > 0:
                limit = pagination.limit
                found = await database.run(operations.recall(identifier, limit, lenient=False))
            else:
                found = await fetch(pagination)
            return tuple(chain.from_iterable(turn.to_model_context() for turn in found))

        async def remember(turns: Sequence[Any], **extra: Any) -> None:
            if turns:
                await database.run(operations.remember(identifier, turns))

        return ConversationMemory(fetching=fetch, recalling=recall, remembering=remember)


def _cursor(token: object) -> UUID | None:
    if token is None or isinstance(token, UUID):
        return token
    try:
        return UUID(str(token))
    except ValueError:
        raise ValueError(f"the pagination token must be a UUID, not {token!r:.60}") from None
