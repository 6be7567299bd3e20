"""Annotations of memories and of their elements: add, list and remove them, and keep them in step.

An annotation of an element refers to its content, by a digest and the number of its occurrence in
the memory. Unlike its position or its row, that stays the same when the memory is renamed, exported
or restored, and when elements of other content are removed; `renumber` counts those of the same.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString

from draive_pg.codec.json import encode, encode_mapping, parse
from draive_pg.codec.timestamps import Timestamp, check_timestamp, from_epoch_us
from draive_pg.codec.validation import (
    MAX_INTEGER,
    check_limit,
    check_optional,
    check_position,
    check_text,
    check_texts,
    is_finite,
    shown,
)
from draive_pg.models.conversations import Annotation
from draive_pg.models.record import Records
from draive_pg.operations.conversations.expressions import CHOSEN, epoch_us
from draive_pg.operations.conversations.listing import memory_missing
from draive_pg.operations.conversations.relations import (
    CONVERSATIONS,
    ELEMENTS,
    lock_memory,
)
from draive_pg.operations.operation import (
    Fallback,
    Operation,
    Query,
    Row,
    Statement,
    Steps,
    read_rows,
    workflow,
)

TABLE: LiteralString = "draive_pg_annotations"

COLUMNS: LiteralString = (
    "identifier, id, digest, occurrence, name, score, comment, tags, author, annotated"
)

# For a database whose tables are of an older version. Not `WHERE FALSE`, because Citus cannot plan
# `ctid` in a join that is known to be empty.
NO_ANNOTATIONS = Fallback(
    {
        TABLE: """(
    SELECT
        NULL::TEXT AS identifier,
        NULL::TEXT AS id,
        NULL::TEXT AS digest,
        NULL::INTEGER AS occurrence,
        NULL::TEXT AS name,
        NULL::FLOAT8 AS score,
        NULL::TEXT AS comment,
        NULL::JSONB AS tags,
        NULL::TEXT AS author,
        NULL::TIMESTAMPTZ AS annotated
    LIMIT 0
)"""
    }
)
NOT_WRITTEN = Fallback({TABLE: ""})


def _digest(content: LiteralString) -> LiteralString:
    return f"encode(sha256(convert_to({content}::TEXT, 'UTF8')), 'hex')"


def _keyed(condition: LiteralString) -> LiteralString:
    """Return the SQL of the positions and keys of all elements of some memories."""
    return f"""(
    SELECT
        identifier,
        digest,
        row_number() OVER (PARTITION BY identifier, digest ORDER BY created, place) AS occurrence,
        row_number() OVER (PARTITION BY identifier ORDER BY created, place) - 1 AS position
    FROM (
        SELECT identifier, created, place, {_digest("content")} AS digest
        FROM {ELEMENTS} AS element
        WHERE {condition}
    ) AS element
)"""


def annotated(condition: LiteralString) -> LiteralString:
    """Return the SQL of some annotations with the positions of their elements.

    The position is NULL if the annotation is of the whole memory, or the element does not exist.
    """
    return f"""(
    SELECT annotation.*, element.position
    FROM (
        SELECT {COLUMNS} FROM {{schema}}.{TABLE} AS annotation WHERE {condition}
    ) AS annotation
    LEFT JOIN {
        _keyed(f'''identifier IN (
            SELECT identifier FROM {{schema}}.{TABLE} AS annotation
            WHERE digest IS NOT NULL AND {condition}
        )''')
    } AS element USING (identifier, digest, occurrence)
)"""


FILTERED: LiteralString = f"""{CHOSEN}
            AND (:since::TIMESTAMPTZ IS NULL OR annotated >= :since::TIMESTAMPTZ)
            AND (:until::TIMESTAMPTZ IS NULL OR annotated < :until::TIMESTAMPTZ)"""

# The rows of the frame, and of `list_`.
ROWS: LiteralString = f"""
    SELECT *
    FROM {annotated(FILTERED)} AS annotation
    ORDER BY identifier, position NULLS FIRST, annotated, id
    LIMIT :limit::INT8
"""

LIST = Query(
    "annotations.list",
    f"""
SELECT
    identifier,
    id,
    position,
    name,
    score,
    comment,
    tags::TEXT,
    author,
    {epoch_us("annotated")}
FROM ({ROWS}) AS annotation
""",
)

# In a subquery, because Citus cannot plan a condition on `ctid` that is known to be false.
POSITION: LiteralString = "(SELECT :position::INT8)"

# A repeated id replaces the annotation by DELETE and INSERT, as a role may lack UPDATE.
ADD = Query(
    "annotations.add",
    f"""
WITH target AS (
    SELECT
        conversation.identifier,
        element.digest,
        element.occurrence,
        :position::INT8 IS NULL OR element.position IS NOT NULL AS found
    FROM {CONVERSATIONS} AS conversation
    LEFT JOIN {_keyed(f"identifier = :identifier::TEXT AND {POSITION} IS NOT NULL")} AS element
        ON element.position = :position::INT8
    WHERE conversation.identifier = :identifier::TEXT
),
replaced AS (
    DELETE FROM {{schema}}.{TABLE} AS annotation
    WHERE identifier = :identifier::TEXT
        AND id = :id::TEXT
        AND (SELECT found FROM target)
    RETURNING id
),
added AS (
    INSERT INTO {{schema}}.{TABLE} (
        identifier, id, digest, occurrence, name, score, comment, tags, author
    )
    SELECT
        identifier,
        :id::TEXT,
        digest,
        occurrence,
        :name::TEXT,
        :score::FLOAT8,
        :comment::TEXT,
        :tags::JSONB,
        :author::TEXT
    FROM target
    WHERE found AND (SELECT count(*) FROM replaced) >= 0 -- after it
    RETURNING annotated
)
SELECT found, (SELECT {epoch_us("annotated")} FROM added) FROM target
""",
)

REMOVE = Query(
    "annotations.remove",
    f"""
WITH removed AS (
    DELETE FROM {{schema}}.{TABLE} AS annotation
    WHERE identifier = :identifier::TEXT AND id = ANY (:ids::TEXT[])
    RETURNING TRUE
)
SELECT count(*) FROM removed
""",
)

FORGET = Query(
    "annotations.forget",
    f"DELETE FROM {{schema}}.{TABLE} AS annotation WHERE identifier = :identifier::TEXT",
)


def renumber(content: LiteralString = "NULL::JSONB") -> LiteralString:
    """Return part of a statement that removes or replaces the elements `chosen` of one memory.

    It removes their annotations, and renumbers those of other elements of the same content.
    """
    return f"""digests AS (
    SELECT
        created,
        place,
        {_digest("content")} AS digest,
        (created, place) IN (SELECT created, place FROM chosen) AS is_chosen
    FROM {ELEMENTS} AS element
    WHERE identifier = :identifier::TEXT
        AND EXISTS (
            SELECT FROM {{schema}}.{TABLE} AS annotation
            WHERE annotation.identifier = :identifier::TEXT AND digest IS NOT NULL
        )
),
numbered AS MATERIALIZED (
    SELECT
        digest,
        is_chosen,
        row_number() OVER (PARTITION BY digest ORDER BY created, place) AS occurrence,
        row_number() OVER (
            PARTITION BY CASE WHEN is_chosen THEN {_digest(content)} ELSE digest END
            ORDER BY created, place
        ) AS number
    FROM digests
),
forgotten AS (
    DELETE FROM {{schema}}.{TABLE} AS annotation
    WHERE identifier = :identifier::TEXT
        AND digest IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM numbered
            WHERE numbered.digest = annotation.digest
                AND numbered.occurrence = annotation.occurrence
                AND number = numbered.occurrence
                AND NOT is_chosen
        )
        AND (SELECT refusal FROM checked) IS NULL
    RETURNING *
),
renumbered AS (
    INSERT INTO {{schema}}.{TABLE} ({COLUMNS})
    SELECT {COLUMNS.replace("occurrence", "number")}
    FROM forgotten
    JOIN numbered USING (digest, occurrence)
    WHERE NOT is_chosen
)"""


# Annotations of exported memories; those that exist are left as they are.
IMPORT = Query(
    "annotations.import",
    f"""
INSERT INTO {{schema}}.{TABLE} ({COLUMNS})
SELECT
    line.identifier,
    given.id,
    given.digest,
    given.occurrence,
    given.name,
    given.score,
    given.comment,
    coalesce(given.tags, '[]'),
    given.author,
    (item.value ->> 'created')::TIMESTAMPTZ
FROM json_to_recordset(:lines::JSON) AS line (identifier TEXT, annotations JSON)
CROSS JOIN LATERAL json_array_elements(line.annotations) AS item (value)
CROSS JOIN LATERAL json_to_record(item.value -> 'content') AS given (
    id TEXT,
    digest TEXT,
    occurrence INTEGER,
    name TEXT,
    score FLOAT8,
    comment TEXT,
    tags JSONB,
    author TEXT
)
WHERE line.identifier = ANY (:identifiers::TEXT[])
ON CONFLICT (identifier, id) DO NOTHING
""",
)


@workflow
def add(
    identifier: str,
    position: int | None,
    *,
    name: str,
    score: float | None,
    comment: str | None,
    tags: str | Iterable[str],
    author: str | None,
    id: str | None,  # noqa: A002 - as the public method names it
) -> Steps[Annotation]:
    """Annotate a memory, or the element at a position."""
    values: dict[str, Any] = {
        "identifier": check_text(identifier, "identifier"),
        "id": check_optional(id, "id") or str(uuid.uuid4()),
        "position": check_position(position, "position"),
        "name": _check_name(name),
        "score": _check_score(score),
        "comment": check_optional(comment, "comment"),
        "tags": tuple(check_texts(tags, "a tag") or ()),
        "author": check_optional(author, "author"),
    }
    action = f"annotate memory {identifier!r:.80}"
    rows: Sequence[Row] = yield Operation(
        name=action,
        statements=(
            lock_memory(identifier),
            ADD(**values | {"tags": encode(values["tags"], "tags")}),
        ),
        decode=lambda rows: rows,
    )
    if not rows:
        raise (yield from memory_missing(f"{action}: there is no such memory", identifier))
    found, created = rows[0]
    if not found:
        raise ValueError(f"{action}: it has no element at {position}")
    return Annotation(**values, annotated=from_epoch_us(created))


def list_(
    identifier: str | Iterable[str] | None,
    prefix: str | None,
    variables: Mapping[str, Any] | None,
    since: Timestamp | None,
    until: Timestamp | None,
    limit: int | None,
) -> Operation[Records[Annotation]]:
    """Return annotations by memory, position and time."""
    check_limit(limit, "limit")
    statement = LIST(
        identifier=check_texts(identifier, "identifier"),
        prefix=check_optional(prefix, "prefix"),
        variables=encode_mapping(variables, "variables"),
        since=check_timestamp(since, "since"),
        until=check_timestamp(until, "until"),
        limit=None if limit is None else min(limit + 1, MAX_INTEGER),  # one more: truncated?
    )
    return read_rows(
        "list annotations",
        statement,
        lambda rows: Records(Annotation, map(_annotation, rows), limit=limit),
        fallback=NO_ANNOTATIONS,
    )


def remove(identifier: str, ids: str | Iterable[str]) -> Operation[int]:
    """Remove annotations of a memory, and return how many existed."""
    check_text(identifier, "identifier")
    return Operation(
        name=f"remove annotations of memory {identifier!r:.80}",
        statements=(
            lock_memory(identifier),
            REMOVE(identifier=identifier, ids=check_texts(ids, "id") or []),
        ),
        decode=lambda rows: rows[0][0],
    )


def import_annotations(name: str, lines: str, identifiers: Iterable[str]) -> Operation[None]:
    """Add the annotations of exported memories that do not exist yet."""
    statement: Statement = IMPORT(lines=lines, identifiers=list(identifiers))
    return Operation(name=f"{name}: annotations", statements=(statement,))


def _annotation(row: Row) -> Annotation:
    identifier, id_, position, name, score, comment, tags, author, time = row
    return Annotation(
        identifier,
        id_,
        position,
        name,
        score,
        comment,
        tuple(parse(tags, "the tags")),
        author,
        from_epoch_us(time),
    )


def _check_name(name: object) -> str:
    if not (text := check_text(name, "name")):
        raise ValueError("name must not be empty")
    return text


def _check_score(score: object) -> float | None:
    if score is None:
        return None
    if not is_finite(score):
        raise ValueError(f"score must be a finite number or None, not {shown(score)}")
    return float(score)
