"""The ``instructions`` table as the repository of draive 0.87 to 0.89."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from draive import InstructionsDeclaration, InstructionsRepository, Meta

from draive_pg.adapters.database import Repository
from draive_pg.database.cache import Cache
from draive_pg.operations.documents import define, load, read, remove
from draive_pg.operations.documents.kind import INSTRUCTIONS


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
    new_cache = partial(Cache, cache_limit, cache_expiration, stale_if_error)
    database = Repository(INSTRUCTIONS, label, schema, new_cache, preload=preload)

    async def listing(*, lenient: bool = False, **extra: Any) -> Sequence[InstructionsDeclaration]:
        return await database.run(read.declarations(label=label, lenient=lenient))

    async def loading(name: str, meta: Meta, **extra: Any) -> str | None:
        return await database.load(
            name,
            extra,
            partial(load.load_text, INSTRUCTIONS, name, required=False),
            fallback and partial(fallback.loading, name, meta, **extra),
        )

    async def defining(declaration: InstructionsDeclaration, content: str, **extra: Any) -> None:
        await database.run(define.append_instructions(declaration, content=content))

    async def removing(name: str, meta: Meta, **extra: Any) -> None:
        await database.run(remove.remove_all(INSTRUCTIONS, name))

    return InstructionsRepository(
        listing=listing, loading=loading, defining=defining, removing=removing
    )
