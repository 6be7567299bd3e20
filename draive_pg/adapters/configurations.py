"""The ``configurations`` table as the repository of draive 0.87 to 0.92."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from draive import BasicValue, ConfigurationRepository

from draive_pg.adapters.database import Repository, Unavailable
from draive_pg.database.cache import Cache
from draive_pg.operations.documents import define, load, read, remove
from draive_pg.operations.documents.kind import CONFIGURATIONS


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
    new_cache = partial(Cache, cache_limit, cache_expiration, stale_if_error)
    database = Repository(CONFIGURATIONS, label, schema, new_cache, preload=preload)

    async def listing(**extra: Any) -> Sequence[str]:
        return await database.run(read.names(CONFIGURATIONS))

    async def loading(identifier: str, **extra: Any) -> Mapping[str, BasicValue] | None:
        try:
            return await database.load(
                identifier,
                extra,
                partial(load.load_raw, identifier, required=False),
                fallback and partial(fallback.loading, identifier, **extra),
            )
        except Exception as error:
            return Unavailable(error)

    async def defining(identifier: str, value: Mapping[str, BasicValue], **extra: Any) -> None:
        await database.run(define.append_configuration(identifier, value))

    async def removing(identifier: str, **extra: Any) -> None:
        await database.run(remove.remove_all(CONFIGURATIONS, identifier))

    return ConfigurationRepository(
        listing=listing, loading=loading, defining=defining, removing=removing
    )
