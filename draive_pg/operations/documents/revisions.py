"""Instruction revisions as people look at them: numbered, with their authors and labels."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any, LiteralString

from draive_pg.codec.json import encode_mapping, parse
from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_limit, check_optional, check_timestamp
from draive_pg.models import Records, Revision
from draive_pg.operations.documents.instructions import LATEST, Reference, name_of
from draive_pg.operations.operation import Operation, Row, Statement

__all__ = (
    "BARE",
    "FIELDS",
    "OWN",
    "REVISIONS",
    "asked",
    "decoded",
    "history",
    "search",
)


# What is kept beside the revisions of a name, or of all names where $1 is null. The statements of
# this module and of those that build on it begin with this or with BARE.
OWN: LiteralString = """
WITH notes AS (
    SELECT name, created, author, message
    FROM {schema}.draive_pg_revisions
    WHERE $1::TEXT IS NULL OR name = $1::TEXT
),
moves AS (
    SELECT name, label, revision AS created, moved, author, message
    FROM {schema}.draive_pg_labels
    WHERE $1::TEXT IS NULL OR name = $1::TEXT
)
"""

# The same of a database that draive made, where nothing is.
BARE: LiteralString = """
WITH notes AS (
    SELECT NULL::TEXT AS name, NULL::TIMESTAMPTZ AS created, '' AS author, '' AS message
    WHERE FALSE
),
moves AS (
    SELECT
        NULL::TEXT AS name,
        '' AS label,
        NULL::TIMESTAMPTZ AS created,
        NULL::TIMESTAMPTZ AS moved,
        '' AS author,
        '' AS message
    WHERE FALSE
)
"""

# A label whose revision is gone is on none.
REVISIONS: LiteralString = """,
held AS (
    SELECT DISTINCT ON (name, label) * FROM moves ORDER BY name, label, moved DESC
),
labels AS (
    SELECT name, created, array_agg(label ORDER BY label) AS labels
    FROM held
    GROUP BY name, created
),
revisions AS (
    SELECT
        name,
        row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
        created,
        instructions.content,
        instructions.description,
        instructions.arguments,
        instructions.meta,
        notes.author,
        notes.message,
        coalesce(labels.labels, '{}') AS labels,
        created = max(created) OVER (PARTITION BY name) AS current
    FROM {schema}.instructions AS instructions
    LEFT JOIN notes USING (name, created)
    LEFT JOIN labels USING (name, created)
    WHERE $1::TEXT IS NULL OR name = $1::TEXT
)
"""

# As `decoded` takes them.
FIELDS: LiteralString = """
    revision.name,
    revision.revision,
    revision.created,
    revision.content,
    revision.description,
    revision.arguments::TEXT,
    revision.meta::TEXT,
    revision.author,
    revision.message,
    revision.labels,
    revision.current
"""

HISTORY: LiteralString = f"""
SELECT {FIELDS}
FROM revisions AS revision
ORDER BY revision.name, revision.revision DESC
"""

SEARCH: LiteralString = f"""
SELECT {FIELDS}
FROM revisions AS revision
WHERE (
        $2::TEXT IS NULL
        OR position(lower($2::TEXT) IN lower(revision.name)) > 0
        OR position(lower($2::TEXT) IN lower(revision.content)) > 0
        OR position(lower($2::TEXT) IN lower(revision.description)) > 0
        OR position(lower($2::TEXT) IN lower(revision.message)) > 0
    )
    AND ($3::JSONB IS NULL OR revision.meta @> $3::JSONB)
    AND ($4::TIMESTAMPTZ IS NULL OR revision.created >= $4::TIMESTAMPTZ)
    AND ($5::TIMESTAMPTZ IS NULL OR revision.created < $5::TIMESTAMPTZ)
    AND ($6::TEXT IS NULL OR revision.author = $6::TEXT)
    AND ($7::TEXT IS NULL OR $7::TEXT = ANY (revision.labels))
    AND (revision.current OR NOT $8::BOOLEAN)
ORDER BY revision.name, revision.revision DESC
LIMIT $9::INT8
"""


def history(instructions: Reference) -> Operation[Records[Revision]]:
    """All revisions of a name, the newest first; none where there is no such name."""
    name = name_of(instructions)
    return asked(
        f"read the history of instructions {name!r:.80}",
        REVISIONS + HISTORY,
        (name,),
        lambda rows: Records(Revision, map(decoded, rows)),
    )


def search(
    text: str | None,
    *,
    meta: Mapping[str, Any] | None,
    since: Timestamp | None,
    until: Timestamp | None,
    author: str | None,
    label: str | None,
    current: bool,
    limit: int | None,
) -> Operation[Records[Revision]]:
    """The revisions of all names for which everything holds that is given."""
    given = (
        None,
        check_optional(text, "text"),
        encode_mapping(meta, "meta"),
        check_timestamp(since, "since"),
        check_timestamp(until, "until"),
        check_optional(author, "author"),
        None if label == LATEST else check_optional(label, "label"),
        current or label == LATEST,
        check_limit(limit, "limit"),
    )
    return asked(
        "search instructions",
        REVISIONS + SEARCH,
        given,
        lambda rows: Records(Revision, map(decoded, rows)),
    )


def decoded(row: Row) -> Revision:
    """Return the revision of a row of FIELDS."""
    name, number, created, content, description, arguments, meta, *kept, labels, current = row
    author, message = kept
    return Revision(
        name=name,
        revision=number,
        created=created.astimezone(UTC),
        content=content,
        description=description,
        arguments=parse(arguments, f"the arguments of instructions {name!r:.80}"),
        meta=parse(meta, f"the meta of instructions {name!r:.80}"),
        author=author,
        message=message,
        labels=tuple(labels),
        current=current,
    )


def asked[T](
    name: str,
    sql: LiteralString,
    parameters: tuple[object, ...],
    decode: Callable[[Sequence[Row]], T],
) -> Operation[T]:
    """Build an operation that reads what is kept beside revisions, too, where there is any."""
    return Operation(
        name=name,
        statements=(Statement(OWN + sql, parameters),),
        bare=(Statement(BARE + sql, parameters),),
        reads=True,
        decode=decode,
    )
