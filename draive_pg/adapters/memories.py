"""The ``memories`` tables as the memory of draive 0.87 to 0.92."""

from collections.abc import Mapping
from typing import Any

from draive import BasicValue, ModelInput, ModelMemory, ModelMemoryRecall, ModelOutput

from draive_pg.adapters.database import ScopeDatabase
from draive_pg.codec.validation import check_limit, check_text
from draive_pg.database.cache import Cache
from draive_pg.database.endpoint import schema_of
from draive_pg.operations.conversations import recall as recalling
from draive_pg.operations.conversations import write as memory
from draive_pg.operations.conversations.relations import OLDEST_LINE


def PostgresModelMemory(
    identifier: str,
    *,
    recall_limit: int | None = None,
    schema: str | None = None,
) -> ModelMemory:
    """Return one memory of the ``memories`` tables.

    Parameters
    ----------
    identifier : str
        The memory.
    recall_limit : int | None
        The default limit of ``recall``: how many of the newest elements it considers; None: all.
    schema : str | None
        The schema of the tables; None: ``$DRAIVE_PG_SCHEMA``, else the search path.

    Returns
    -------
    ModelMemory
        For a scope with a ``Postgres`` state. Its ``recall`` takes
        ``lenient=True``, and its ``remember`` a ``key=``, as those of `Memory` do.

    Raises
    ------
    TypeError, ValueError
        If the identifier is not a text that PostgreSQL can store, or the limit is not positive.
    """
    check_text(identifier, "identifier")
    check_limit(recall_limit, "recall_limit")
    database = ScopeDatabase(Cache(0, 1.0), schema_of(schema), relations=OLDEST_LINE)

    async def recall(
        *, limit: int | None = None, lenient: bool = False, **extra: Any
    ) -> ModelMemoryRecall:
        chosen = recall_limit if limit is None else limit
        if lenient:
            return await database.run(recalling.recall_leniently(identifier, chosen))
        return await database.run(recalling.recall(identifier, chosen))

    async def remember(
        *items: ModelInput | ModelOutput,
        variables: Mapping[str, BasicValue] | None = None,
        key: str | None = None,
        **extra: Any,
    ) -> None:
        await database.run(memory.remember(identifier, items, variables, key=key))

    async def maintenance(
        *, variables: Mapping[str, BasicValue] | None = None, **extra: Any
    ) -> None:
        await database.run(memory.maintain(identifier, variables))

    make: Any = ModelMemory
    if "recalling" in ModelMemory.__annotations__:  # from draive 0.91
        return make(recalling=recall, remembering=remember, maintaining=maintenance)
    return make(recall=recall, remember=remember, maintenance=maintenance)
