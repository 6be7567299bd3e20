"""draive's repositories and memory over the tables."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from draive import (
    BasicValue,
    ConfigurationRepository,
    InstructionsDeclaration,
    InstructionsRepository,
    Meta,
    ModelInput,
    ModelMemory,
    ModelMemoryRecall,
    ModelOutput,
)

from draive_pg.adapters.database import Repository, ScopeDatabase, Unavailable, selector_of_call
from draive_pg.codec.validation import check_limit, check_text
from draive_pg.database.cache import Cache
from draive_pg.database.endpoint import schema_of
from draive_pg.operations.conversations import recall as recalling
from draive_pg.operations.conversations import write as memory
from draive_pg.operations.documents import load, read, write
from draive_pg.operations.documents.kind import CONFIGURATIONS, INSTRUCTIONS
from draive_pg.operations.documents.selectors import select


def PostgresConfigurationRepository(
    cache_limit: int = 32,
    cache_expiration: float = 600.0,
    *,
    label: str | None = None,
    schema: str | None = None,
    preload: bool = False,
    stale_if_error: float = 3600.0,
    fallback: ConfigurationRepository | None = None,
) -> ConfigurationRepository:
    """Return a repository of the ``configurations`` table.

    If a configuration cannot be read, using it raises the error: ``Configuration.load`` raises
    ``ConfigurationInvalid`` instead of returning defaults.

    Parameters
    ----------
    cache_limit : int
        The most configurations to cache; 0 disables the cache.
    cache_expiration : float
        Seconds until a cached value is read again.
    label : str | None
        Serve the snapshots with this label, and no identifiers without it, of which the logger
        ``draive_pg`` warns once; None: the newest ones.
        A call may select another one by ``label=`` or ``revision=``.
    schema : str | None
        The schema of the tables; None: ``$DRAIVE_PG_SCHEMA``, else the search path.
    preload : bool
        Whether to load all of them at the first call, in one round trip, into a cache that grows to
        hold them.
    stale_if_error : float
        Seconds for which a cached value is still served after it expired, while the server does
        not answer; 0: not at all. The logger ``draive_pg`` warns of the first use.
    fallback : ConfigurationRepository | None
        Serves while the server does not answer what is not cached, such as `FolderConfigurations`.

    Returns
    -------
    ConfigurationRepository
        For a scope with a ``Postgres`` state.
    """
    preloading = partial(load.preload, (CONFIGURATIONS,), label) if preload else None
    database = Repository(cache_limit, cache_expiration, stale_if_error, schema, preloading)
    served = select(label=label)

    async def listing(**extra: Any) -> Sequence[str]:
        return await database.run(read.names(CONFIGURATIONS))

    async def loading(identifier: str, **extra: Any) -> Mapping[str, BasicValue] | None:
        try:
            selector = selector_of_call(served, extra)
            found = await database.load(
                identifier,
                load.load_raw_or_none(identifier, selector),
                fallback and partial(fallback.loading, identifier, **extra),
            )
            if found is None and selector.label is not None:
                await database.warn_if_unlabelled(identifier, load.load_raw(identifier, selector))
        except Exception as error:
            return Unavailable(error)
        return found

    async def defining(identifier: str, value: Mapping[str, BasicValue], **extra: Any) -> None:
        await database.run(write.append_configuration(identifier, value))

    async def removing(identifier: str, **extra: Any) -> None:
        await database.run(write.remove_all(CONFIGURATIONS, identifier))

    return ConfigurationRepository(
        listing=listing, loading=loading, defining=defining, removing=removing
    )


def PostgresInstructionsRepository(
    cache_limit: int = 32,
    cache_expiration: float = 600.0,
    *,
    label: str | None = None,
    schema: str | None = None,
    preload: bool = False,
    stale_if_error: float = 3600.0,
    fallback: InstructionsRepository | None = None,
) -> InstructionsRepository:
    """Return a repository of the ``instructions`` table.

    Parameters
    ----------
    cache_limit : int
        The most instructions to cache; 0 disables the cache.
    cache_expiration : float
        Seconds until a cached value is read again.
    label : str | None
        Serve the revisions with this label, and no names without it, of which the logger
        ``draive_pg`` warns once; None: the newest revisions.
        ``define`` appends a newest revision, and does not move the label.
        A call may select another one by ``label=`` or ``revision=``.
    schema : str | None
        The schema of the tables; None: ``$DRAIVE_PG_SCHEMA``, else the search path.
    preload : bool
        Whether to load all of them at the first call, in one round trip, into a cache that grows to
        hold them.
    stale_if_error : float
        Seconds for which a cached value is still served after it expired, while the server does
        not answer; 0: not at all. The logger ``draive_pg`` warns of the first use.
    fallback : InstructionsRepository | None
        Serves while the server does not answer what is not cached, such as `FolderPrompts`.

    Returns
    -------
    InstructionsRepository
        For a scope with a ``Postgres`` state.
    """
    preloading = partial(load.preload, (INSTRUCTIONS,), label) if preload else None
    database = Repository(cache_limit, cache_expiration, stale_if_error, schema, preloading)
    served = select(label=label)

    async def listing(*, lenient: bool = False, **extra: Any) -> Sequence[InstructionsDeclaration]:
        return await database.run(read.declarations(label=label, lenient=lenient))

    async def loading(name: str, meta: Meta, **extra: Any) -> str | None:
        selector = selector_of_call(served, extra)
        found = await database.load(
            name,
            load.load_text_or_none(name, selector),
            fallback and partial(fallback.loading, name, meta, **extra),
        )
        if found is None and selector.label is not None:
            await database.warn_if_unlabelled(name, load.load_instructions(name, selector))
        return found

    async def defining(declaration: InstructionsDeclaration, content: str, **extra: Any) -> None:
        await database.run(write.append_instructions(declaration, content=content))

    async def removing(name: str, meta: Meta, **extra: Any) -> None:
        await database.run(write.remove_all(INSTRUCTIONS, name))

    return InstructionsRepository(
        listing=listing, loading=loading, defining=defining, removing=removing
    )


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
    database = ScopeDatabase(Cache(0, 1.0), schema_of(schema))

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

    return ModelMemory(recall=recall, remember=remember, maintenance=maintenance)
