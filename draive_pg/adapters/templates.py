"""The ``templates`` table as the repository of draive 0.90 and newer."""

# pyright knows the draive of the development environment, which has none of these.
# pyright: reportAttributeAccessIssue=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from draive import Meta, TemplateDeclaration, TemplatesRepository

from draive_pg.adapters.database import Repository, loading_of, migrate
from draive_pg.database.cache import Cache
from draive_pg.operations.documents import load, templates
from draive_pg.operations.documents.kind import TEMPLATES


class PostgresTemplatesRepository:
    """The ``templates`` table, in the interface of the installed draive.

    draive 0.90 to 0.103 calls it, ``PostgresTemplatesRepository()``; draive 0.104 and newer calls
    `prepare` and `migrate`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> TemplatesRepository:
        """Return `prepare` of the arguments."""
        return cls.prepare(*args, **kwargs)

    @staticmethod
    async def migrate() -> None:
        """Create the table and its index, unless they exist; processes wait for each other."""
        await migrate("templates")

    @staticmethod
    def prepare(
        cache_limit: int = 32,
        cache_expiration: float = 600.0,
        meta: Any = None,
        *,
        label: str | None = None,
        schema: str | None = None,
        preload: bool = False,
        stale_if_error: float = 3600.0,
        fallback: TemplatesRepository | None = None,
    ) -> TemplatesRepository:
        """Return a repository of the ``templates`` table.

        Parameters
        ----------
        cache_limit : int
            The most templates to cache; 0 disables the cache.
        cache_expiration : float
            Seconds until a cached value is read again.
        meta : Meta | Mapping | None
            The meta of the repository.
        label : str | None
            Serve the revisions with this label; None: the newest revisions. A call may select
            another one by ``label=`` or ``revision=``.
        schema : str | None
            The schema of the tables; None: ``$DRAIVE_PG_SCHEMA``, else the search path.
        preload : bool
            Whether to load all of them at the first call, in one round trip.
        stale_if_error : float
            Seconds for which a cached value is served after it expired, while the server does not
            answer; 0: not at all.
        fallback : TemplatesRepository | None
            Serves while the server does not answer what is not cached.

        Returns
        -------
        TemplatesRepository
            For a scope with a ``Postgres`` state.
        """
        new_cache = partial(Cache, cache_limit, cache_expiration, stale_if_error)
        database = Repository(TEMPLATES, label, schema, new_cache, preload=preload)

        async def listing(*pages: Any, **extra: Any) -> Any:
            if pages or "pagination" in extra:  # from draive 0.101
                return await _page(database, *(pages or (extra["pagination"],)))
            return tuple(map(_declaration, await database.run(templates.declarations())))

        async def loading(identifier: str, meta: Meta, **extra: Any) -> str | None:
            return await database.load(
                identifier,
                extra,
                partial(load.load_text, TEMPLATES, identifier, required=False),
                fallback and partial(loading_of(fallback), identifier, meta, **extra),
            )

        async def defining(
            identifier: str,
            description: str | None,
            content: str,
            variables: Mapping[str, str],
            meta: Meta,
            **extra: Any,
        ) -> None:
            declaration = templates.Declaration(
                identifier, description, dict(variables), json.loads(meta.to_json())
            )
            await database.run(templates.append_template(declaration, content=content))

        return TemplatesRepository(
            listing=listing,
            loading=loading,
            defining=defining,
            meta=Meta.of({"source": "postgres"} if meta is None else meta),
        )


async def _page(database: Repository, pagination: Any) -> Any:
    """Return a page of declarations, as draive does."""
    from haiway import Paginated, Pagination

    pagination = pagination or Pagination.of(limit=32)
    token, limit = pagination.token, pagination.limit
    found: Sequence[templates.Declaration] = ()
    if limit > 0:
        found = await database.run(
            templates.declarations(
                before=token if isinstance(token, str) else None,
                skipped=token if isinstance(token, int) else 0,
                limit=limit + 1,
            )
        )
    shown = found[: max(limit, 0)]
    following = shown[-1].identifier if len(found) > len(shown) > 0 else None
    return Paginated[TemplateDeclaration].of(
        tuple(map(_declaration, shown)), pagination=pagination.with_token(following)
    )


def _declaration(found: templates.Declaration) -> TemplateDeclaration:
    return TemplateDeclaration(
        identifier=found.identifier,
        description=found.description,
        variables=found.variables,
        meta=Meta.of(found.meta),
    )
