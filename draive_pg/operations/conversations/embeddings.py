"""Embeddings of elements for search by meaning, with the extension pgvector.

They are in a table that `embed` creates, because few databases have the extension. An embedding is
of the text of an element, which it refers to by a digest, in one memory. A trigger of the table of
elements removes it when no element of the memory has that text any more, whoever removed it.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from hashlib import sha256
from itertools import batched
from typing import Any, LiteralString, NamedTuple, cast

from psycopg.sql import Literal

from draive_pg.codec.embedding import EmbeddingModel, encode_vectors
from draive_pg.codec.json import encode_mapping
from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_optional, check_size, check_texts
from draive_pg.display.progress import progress, watched
from draive_pg.errors import OperationFailed, TableMissing
from draive_pg.lines.line import Line, Store, present_stores
from draive_pg.operations.conversations.expressions import CHOSEN, SPOKEN_TEXT
from draive_pg.operations.conversations.relations import (
    ELEMENTS,
    EMBEDDINGS,
    FENCE,
    STORES,
    WRITES,
    lock_memories,
    read_tables,
    relations,
)
from draive_pg.operations.operation import (
    LINE,
    Call,
    Operation,
    Query,
    Row,
    Statement,
    Steps,
    advisory_lock,
    read_rows,
    transactional,
    workflow,
)

TRIGGER: LiteralString = "draive_pg_embeddings"
# Replaced by the quoted schema of the extension, and by the number of dimensions of a vector.
PGVECTOR: LiteralString = "{vector}"
SIZE: LiteralString = "{dimensions}"
EXACT: LiteralString = "{exact}"  # keeps the planner from using an index, if all are compared
FIRST: LiteralString = "{first}"  # or makes it use one
DIGEST: LiteralString = "sha256(convert_to(spoken.text, 'UTF8'))"

READ = 5_000  # texts read at once
MAX_INDEXED = 2_000  # dimensions that an index of pgvector can have

# The table of each store with its elements.
ELEMENT_TABLES: Mapping[Store, LiteralString] = {
    "memories": "memories_elements",
    "uuid_memories": "memories_elements",
    "conversation_memory": "conversation_memory",
    "agent_memory": "agent_memory",
}

STATE = Query(
    "embeddings.state",
    f"""
WITH written AS (
    SELECT to_regclass(coalesce(quote_ident(:schema::TEXT) || '.', '') || name) AS oid
    FROM unnest(:tables::TEXT[]) AS name
)
SELECT
    (
        SELECT quote_ident(nspname)
        FROM pg_extension
        JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = 'vector'
            AND string_to_array(extversion, '.')::INTEGER[] >= ARRAY[0, 8]
    ),
    (SELECT quote_ident(min(nspname)) FROM written JOIN pg_class USING (oid)
        JOIN pg_namespace ON pg_namespace.oid = relnamespace),
    NOT EXISTS (
        SELECT FROM written
        WHERE NOT EXISTS (
            SELECT FROM pg_trigger WHERE tgrelid = written.oid AND tgname = '{TRIGGER}'
        )
    ) AND to_regclass(coalesce(quote_ident(:schema::TEXT) || '.', '') || '{EMBEDDINGS}') IS NOT NULL
""",
)


class State(NamedTuple):
    """Quoted schemas of the extension and of the tables, and whether `embed` was called."""

    extension: str | None
    schema: str | None
    ready: bool


CREATE: LiteralString = f"""
CREATE TABLE IF NOT EXISTS {{schema}}.{EMBEDDINGS} (
    identifier TEXT NOT NULL,
    model TEXT NOT NULL,
    digest BYTEA NOT NULL,
    embedding {PGVECTOR}.vector NOT NULL,
    PRIMARY KEY (identifier, model, digest)
);
CREATE INDEX IF NOT EXISTS {EMBEDDINGS}_model ON {{schema}}.{EMBEDDINGS} (model);
"""


def _trigger(store: Store) -> LiteralString:
    """Return the SQL of the trigger of a table with elements; any role may remove those."""
    table = ELEMENT_TABLES[store]
    removed = STORES[store][WRITES].replace(f"{{schema}}.{table}", "removed")
    return f"""
CREATE OR REPLACE FUNCTION {{schema}}.{TRIGGER}_{table}() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM {{schema}}.{EMBEDDINGS} AS stored
        WHERE stored.identifier NOT IN (SELECT identifier FROM {ELEMENTS} AS element);
        RETURN NULL;
    END IF;
    -- An array, because a join may read all elements for each one that was removed; and the digests
    -- once, because the planner may expect too many for the hash table of a NOT IN.
    WITH gone AS MATERIALIZED (
        SELECT array_agg(DISTINCT identifier) AS identifiers FROM {removed} AS gone
    ),
    kept AS MATERIALIZED (
        SELECT element.identifier, {DIGEST} AS digest
        FROM {ELEMENTS} AS element
        CROSS JOIN LATERAL ({SPOKEN_TEXT}) AS spoken
        WHERE element.identifier = ANY ((SELECT identifiers FROM gone)::TEXT[])
    )
    DELETE FROM {{schema}}.{EMBEDDINGS} AS stored
    WHERE stored.identifier = ANY ((SELECT identifiers FROM gone)::TEXT[])
        AND NOT EXISTS (
            SELECT FROM kept
            WHERE kept.identifier = stored.identifier AND kept.digest = stored.digest
        );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER {TRIGGER} AFTER DELETE ON {{schema}}.{table}
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.{TRIGGER}_{table}();
CREATE OR REPLACE TRIGGER {TRIGGER}_update AFTER UPDATE ON {{schema}}.{table}
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.{TRIGGER}_{table}();
CREATE OR REPLACE TRIGGER {TRIGGER}_truncate AFTER TRUNCATE ON {{schema}}.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.{TRIGGER}_{table}();
"""


DIMENSIONS = Query(
    "embeddings.dimensions",
    f"""
SELECT {PGVECTOR}.vector_dims(embedding)
FROM {{schema}}.{EMBEDDINGS}
WHERE model = :model::TEXT
LIMIT 1
""",
)

INDEXED = Query(
    "embeddings.indexed",
    f"SELECT to_regclass(:schema::TEXT || '.{EMBEDDINGS}_' || :index::TEXT) IS NOT NULL",
)

MISSING: LiteralString = f"""
FROM {ELEMENTS} AS element
CROSS JOIN LATERAL ({SPOKEN_TEXT}) AS spoken
WHERE {CHOSEN}
    AND (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
    AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
    AND spoken.text ~ E'\\\\S'
    AND NOT EXISTS (
        SELECT FROM {{schema}}.{EMBEDDINGS} AS stored
        WHERE stored.identifier = element.identifier
            AND stored.model = :model::TEXT
            AND stored.digest = {DIGEST}
        {FENCE}
    )
"""

# The elements with their distances from a vector.
NEAREST: LiteralString = f"""(
            SELECT element.*, nearest.distance
            FROM (
                SELECT
                    identifier,
                    digest,
                    (
                        embedding::{PGVECTOR}.vector({SIZE})
                        OPERATOR({PGVECTOR}.<=>) :near::TEXT::{PGVECTOR}.vector
                    ){EXACT} AS distance
                FROM {{schema}}.{EMBEDDINGS}
                WHERE model = :model::TEXT
                {FIRST}
            ) AS nearest
            JOIN {ELEMENTS} AS element ON element.identifier = nearest.identifier
            CROSS JOIN LATERAL ({SPOKEN_TEXT}) AS spoken
            WHERE {DIGEST} = nearest.digest
        )"""

COUNT = Query("embeddings.count", f"SELECT count(DISTINCT spoken.text){MISSING}")

READ_MISSING = Query(
    "embeddings.missing",
    f"""SELECT identifier, to_json(created) #>> '{{}}', place::TEXT, spoken.text{MISSING}
    AND (:after::TEXT IS NULL OR (identifier, created, place) > (
        :after::TEXT, :after_time::TEXT::TIMESTAMPTZ, :after_place::TEXT::TID
    ))
ORDER BY identifier, created, element.place
LIMIT :limit::INT8
""",
)

# Only for elements that are still stored: some may have been removed while the model was running.
# They are found by their times, and by the last one, with which an agent stores all of them again.
ADD = Query(
    "embeddings.add",
    f"""
WITH stored AS MATERIALIZED (
    SELECT identifier, {DIGEST} AS digest
    FROM {ELEMENTS} AS element
    CROSS JOIN LATERAL ({SPOKEN_TEXT}) AS spoken
    WHERE identifier = ANY (:identifiers::TEXT[])
        AND created = ANY (ARRAY(
            SELECT time::TIMESTAMPTZ FROM unnest(:times::TEXT[]) AS time
            UNION ALL
            SELECT (SELECT max(created) FROM {WRITES} AS write WHERE write.identifier = memory)
            FROM unnest(:identifiers::TEXT[]) AS memory
        ))
)
INSERT INTO {{schema}}.{EMBEDDINGS} (identifier, model, digest, embedding)
SELECT stored.identifier, :model::TEXT, digest, computed.embedding::{PGVECTOR}.vector
FROM stored
JOIN unnest(:digests::BYTEA[], :embeddings::TEXT[]) AS computed (digest, embedding) USING (digest)
ON CONFLICT DO NOTHING
""",
)


@workflow
def embed(  # noqa: PLR0913 - filters
    model: EmbeddingModel,
    schema: str | None,
    *,
    identifier: str | Iterable[str] | None,
    prefix: str | None,
    variables: Mapping[str, Any] | None,
    since: Timestamp | None,
    until: Timestamp | None,
    batch: int,
    wanted: bool | None,
) -> Steps[int]:
    """Compute and store the embeddings that are missing, and return their number."""
    check_model(model)
    check_size(batch, "batch")
    criteria = {
        "identifier": check_texts(identifier, "identifier"),
        "prefix": check_optional(prefix, "prefix"),
        "variables": encode_mapping(variables, "variables"),
        "since": check_timestamp(since, "since"),
        "until": check_timestamp(until, "until"),
        "model": model.name,
    }
    state: State = yield _create(schema)
    extension = state.extension or ""
    dimensions: int | None = yield _dimensions(model, extension)
    total: int | None = None
    if watched(wanted):
        total = (yield _rows(COUNT(**criteria)))[0][0]
    computed = 0
    after: dict[str, str | None] = dict.fromkeys(("after", "after_time", "after_place"))
    with progress(total, "Computing embeddings", " texts", wanted=wanted) as bar:
        while rows := (yield _rows(READ_MISSING(**criteria, **after, limit=READ))):
            after = dict(zip(after, rows[-1], strict=False))
            places: dict[str, list[tuple[str, str]]] = {}
            for memory, time, _, text in rows:
                places.setdefault(text, []).append((memory, time))
            for texts in batched(places, batch, strict=False):
                result = yield Call(partial(model.function, [*texts]))
                vectors, returned = encode_vectors(model, result, texts)
                dimensions = _same(model, returned, dimensions or returned)
                written = {place for text in texts for place in places[text]}
                yield _add(model, extension, written, dict(zip(texts, vectors, strict=True)))
                computed += len(texts)
                bar.update(len(texts))
    # At the end, because adding rows to an index takes longer than creating it.
    if dimensions is not None and dimensions <= MAX_INDEXED:
        yield _create_index(model.name, dimensions, extension, state.schema or "")
    return computed


def _add(
    model: EmbeddingModel,
    extension: str,
    written: Iterable[tuple[str, str]],
    vectors: Mapping[str, str],
) -> Operation[Any]:
    """Store the vectors of texts for the memories, and the times in them, with these texts."""
    identifiers = [*{memory for memory, _ in written}]
    statement = ADD(
        model=model.name,
        identifiers=identifiers,
        times=[*{time for _, time in written}],
        digests=[sha256(text.encode()).digest() for text in vectors],
        embeddings=[*vectors.values()],
    )
    return Operation(
        "compute embeddings", (*lock_memories(identifiers), of_extension(statement, extension))
    )


def check_model(model: object) -> None:
    """Raise TypeError for what is no model."""
    if not isinstance(model, EmbeddingModel):
        raise TypeError(f"model must be an EmbeddingModel, not {type(model).__name__}")


def extension_for(model: EmbeddingModel, dimensions: int, schema: str | None) -> Steps[str]:
    """Return the quoted schema of the extension, if there are embeddings of a model."""
    state, *_ = yield from _state(schema)
    stored = (
        (yield _dimensions(model, state.extension)) if state.extension and state.ready else None
    )
    if state.extension is None or stored is None:
        raise OperationFailed(
            f"search: there are no embeddings of model {model.name!r:.60}: compute them with "
            "memories.embed()"
        )
    _same(model, dimensions, stored)
    return state.extension


def _same(model: EmbeddingModel, dimensions: int, stored: int) -> int:
    """Return the number of dimensions of a vector, or raise ValueError if it is another one."""
    if dimensions != stored:
        raise ValueError(
            f"model {model.name!r:.60} returned {dimensions} dimensions, but its stored "
            f"embeddings have {stored}: give another model another name"
        )
    return dimensions


def _state(
    schema: str | None,
) -> Steps[tuple[State, Line, tuple[Store, ...]]]:
    """Return what exists for embeddings, and where the conversations are."""
    line = yield LINE
    stores = present_stores(line, (yield read_tables(schema)))
    state: State = yield read_rows(
        "look for pgvector",
        STATE(schema=schema, tables=[ELEMENT_TABLES[each] for each in stores]),
        lambda rows: State(*rows[0]),
    )
    return state, line, stores


@transactional
def _create(schema: str | None) -> Steps[State]:
    """Create what does not exist, as the owner of the tables."""
    state, line, stores = yield from _state(schema)
    if state.schema is None:
        raise TableMissing("compute embeddings: there are no tables of conversations: run setup")
    if state.extension and state.ready:
        return state
    yield Operation("compute embeddings", (advisory_lock("draive_pg/setup"),))
    if state.extension is None:
        yield Operation("compute embeddings", (Statement("CREATE EXTENSION IF NOT EXISTS vector"),))
        state, *_ = yield from _state(schema)
        if state.extension is None:
            raise OperationFailed("compute embeddings: pgvector must be 0.8 or newer: update it")
    script = Statement(CREATE + "".join(map(_trigger, stores)), None)
    script = relations(line, stores).apply(of_extension(script, state.extension))
    schema_name = cast("LiteralString", state.schema)
    script = script._replace(sql=script.sql.replace("{schema}", schema_name))
    yield Operation("compute embeddings", (script,))
    return state


@transactional
def _create_index(model: str, dimensions: int, extension: str, schema: str) -> Steps[None]:
    """Create the index of the embeddings of a model, if it does not exist."""
    index = sha256(f"{model} {dimensions}".encode()).hexdigest()[:16]
    if (yield _rows(INDEXED(schema=schema, index=index)))[0][0]:
        return
    # IF NOT EXISTS does not prevent an error when two sessions create an index.
    yield Operation("compute embeddings", (advisory_lock("draive_pg/setup"),))
    # CREATE INDEX takes no parameters, so psycopg quotes the name of the model.
    sql = (
        f"CREATE INDEX IF NOT EXISTS {EMBEDDINGS}_{index} ON {schema}.{EMBEDDINGS} "
        f"USING hnsw ((embedding::{extension}.vector({dimensions})) {extension}.vector_cosine_ops) "
        f"WHERE model = {Literal(model).as_string()}"
    )
    yield Operation("create index of embeddings", (Statement(cast("LiteralString", sql)),))


def _dimensions(model: EmbeddingModel, extension: str) -> Operation[int | None]:
    """Return the number of dimensions of the stored embeddings of a model, None without any."""
    return read_rows(
        "look for embeddings",
        of_extension(DIMENSIONS(model=model.name), extension),
        lambda rows: rows[0][0] if rows else None,
    )


def of_extension(statement: Statement, extension: str) -> Statement:
    """Return a statement with the quoted schema of the extension."""
    sql = statement.sql.replace(PGVECTOR, extension)
    return statement._replace(sql=cast("LiteralString", sql))


def of_vector(
    statement: Statement, extension: str, dimensions: int, first: int | None
) -> Statement:
    """Return a search that compares all embeddings, or finds the first by an index."""
    statement = of_extension(statement, extension)
    sql = (
        statement.sql.replace(SIZE, str(dimensions))
        .replace(EXACT, " + 0" if first is None else "")
        .replace(FIRST, "" if first is None else f"ORDER BY distance LIMIT {first}")
    )
    return statement._replace(sql=cast("LiteralString", sql))


def _rows(statement: Statement) -> Operation[list[Row]]:
    return read_rows("compute embeddings", statement, list)
