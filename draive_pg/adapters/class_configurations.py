"""The ``configurations`` table as the repository of draive 0.93 and newer."""

# pyright knows the draive of the development environment, which has another interface.
# pyright: reportArgumentType=false

from collections.abc import Sequence
from functools import partial
from typing import Any

from draive import Configuration, ConfigurationRepository

from draive_pg.adapters.database import Repository, loading_of, migrate
from draive_pg.database.cache import Cache
from draive_pg.operations.documents import define, load, read, remove
from draive_pg.operations.documents.kind import CONFIGURATIONS


class PostgresConfigurationRepository:
    """The ``configurations`` table, in the interface of the installed draive.

    draive 0.93 to 0.105 calls it, ``PostgresConfigurationRepository()``; draive 0.106 and newer
    calls `prepare` and `migrate`.
    """

    def __new__(
        cls, cache_limit: int = 32, cache_expiration: float = 600.0, **kwargs: Any
    ) -> ConfigurationRepository:
        """Return `prepare` of the arguments."""
        return cls.prepare(cache_limit=cache_limit, cache_expiration=cache_expiration, **kwargs)

    @staticmethod
    async def migrate() -> None:
        """Create the table and its index, unless they exist; processes wait for each other."""
        await migrate("configurations")

    @staticmethod
    def prepare(
        *,
        cache_limit: int = 64,
        cache_expiration: float = 600.0,
        label: str | None = None,
        schema: str | None = None,
        preload: bool = False,
        stale_if_error: float = 3600.0,
        fallback: ConfigurationRepository | None = None,
    ) -> ConfigurationRepository:
        """Return a repository of the ``configurations`` table.

        Loading a configuration of another class raises ``ConfigurationInvalid``.

        Parameters
        ----------
        cache_limit : int
            The most configurations to cache; 0 disables the cache.
        cache_expiration : float
            Seconds until a cached value is read again.
        label : str | None
            Serve the snapshots with this label; None: the newest ones. A call may select another
            one by ``label=`` or ``revision=``.
        schema : str | None
            The schema of the tables; None: ``$DRAIVE_PG_SCHEMA``, else the search path.
        preload : bool
            Whether to load all of them at the first call, in one round trip.
        stale_if_error : float
            Seconds for which a cached value is served after it expired, while the server does not
            answer; 0: not at all.
        fallback : ConfigurationRepository | None
            Serves while the server does not answer what is not cached.

        Returns
        -------
        ConfigurationRepository
            For a scope with a ``Postgres`` state.
        """
        new_cache = partial(Cache, cache_limit, cache_expiration, stale_if_error)
        database = Repository(CONFIGURATIONS, label, schema, new_cache, preload=preload)

        async def listing(config: type[Configuration] | None = None, **extra: Any) -> Sequence[str]:
            if config is None:
                return await database.run(read.names(CONFIGURATIONS))
            return await database.run(read.names_of_class(config.__name__))

        async def loading[Config: Configuration](
            config: type[Config], identifier: str, **extra: Any
        ) -> Config | None:
            request = partial(
                load.load_configuration,
                config,
                identifier=identifier,
                default=None,
                required=False,
            )
            return await database.load(
                identifier,
                extra,
                request,
                fallback and partial(loading_of(fallback), config, identifier, **extra),
            )

        async def defining(identifier: str, value: Configuration, **extra: Any) -> None:
            await database.run(define.append_of_class(identifier, value))

        async def removing(identifier: str, **extra: Any) -> None:
            await database.run(remove.remove_all(CONFIGURATIONS, identifier))

        return ConfigurationRepository(
            listing=listing, loading=loading, defining=defining, removing=removing
        )
