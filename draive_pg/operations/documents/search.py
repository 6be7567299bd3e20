"""Search revisions of documents, and create the index for it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, LiteralString

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_limit, check_optional
from draive_pg.models.record import Records
from draive_pg.operations.documents.kind import DocumentKind, DocumentRevision, per_kind
from draive_pg.operations.documents.read import (
    EVERY_NAME,
    records,
    revision_columns,
    with_unreadable,
)
from draive_pg.operations.documents.selectors import LATEST, check_label, counted, newest_of
from draive_pg.operations.operation import Operation, Workflow, read_rows
from draive_pg.operations.text_index import create_trigram_index

# Characters of a part. A larger text is searched in parts, because the intermediate values of
# lower() must not exceed 1 GB. The parts overlap, so that no match is lost.
PART: LiteralString = "20000000"


def contains(text: LiteralString) -> LiteralString:
    """Return SQL for whether a text contains ``:text``, ignoring case."""
    return f"""CASE
            WHEN octet_length({text}) < {PART}
                THEN position(lower(:text::TEXT) IN lower({text})) > 0
            ELSE EXISTS (
                SELECT FROM generate_series(1, length({text}), {PART}) AS start
                WHERE position(
                    lower(:text::TEXT)
                    IN lower(substr({text}, start, {PART} + length(:text::TEXT)))
                ) > 0
            )
        END"""


# Bytes from which a text is not indexed, because that would need much memory, and what the index
# has in its place: no other text has it, because of its upper-case letters.
LARGE: LiteralString = "200000"
NOT_INDEXED: LiteralString = "'NOT INDEXED'"

PATTERN: LiteralString = (
    # E: backslashes have one meaning, whatever `standard_conforming_strings` is.
    r"""'%' || regexp_replace(lower(:text::TEXT), E'([%_\\\\])', E'\\\\\\1', 'g') || '%'"""
)


def indexed(text: LiteralString) -> LiteralString:
    """Return SQL for a text as the index for searches has it."""
    return f"CASE WHEN octet_length({text}) >= {LARGE} THEN {NOT_INDEXED} ELSE lower({text}) END"


def found(text: LiteralString) -> LiteralString:
    """Return the same condition as `contains` in a form that can use an index."""
    return f"""(octet_length({text}) < {LARGE} AND {indexed(text)} LIKE {PATTERN})
        OR (
            octet_length({text}) >= {LARGE}
            AND {indexed(text)} = {NOT_INDEXED}
            AND {contains(text)}
        )"""


SEARCHED: tuple[LiteralString, ...] = ("name", "content::TEXT", "description")


def any_of(
    condition: Callable[[LiteralString], LiteralString], row: LiteralString
) -> LiteralString:
    """Return SQL for whether one of the searched texts of a row fulfils a condition."""
    return " OR ".join(condition(f"{row}.{column}") for column in SEARCHED)


# PostgreSQL executes only the parts for the given arguments; only what is found is numbered.
SEARCH = per_kind(
    "search",
    with_unreadable(
        EVERY_NAME + ", wanted AS (SELECT name FROM names)",
        f"""
SELECT {revision_columns(counted("document.name", "document.created"))}
FROM (
    SELECT every.*
    FROM {{documents}} AS every
    WHERE :text::TEXT IS NULL AND :selected_label::TEXT IS NULL AND NOT :current::BOOLEAN
    UNION ALL
    SELECT every.*
    FROM {{documents}} AS every
    WHERE :selected_label::TEXT IS NULL
        AND NOT :current::BOOLEAN
        AND ({any_of(found, "every")})
    UNION ALL
    SELECT every.*
    FROM {{notes}} AS note
    CROSS JOIN LATERAL (
        SELECT noted.*
        FROM {{documents}} AS noted
        WHERE noted.name = note.name AND noted.created = note.created
        LIMIT 1
    ) AS every
    WHERE :selected_label::TEXT IS NULL
        AND NOT :current::BOOLEAN
        AND ({found("note.message")})
        AND ({any_of(contains, "every")}) IS NOT TRUE
    UNION ALL
    SELECT chosen.*
    FROM wanted
    CROSS JOIN LATERAL (
        SELECT revision.*
        FROM {{documents}} AS revision
        LEFT JOIN {{notes}} AS note
            ON note.name = revision.name AND note.created = revision.created
        WHERE revision.name = wanted.name
            AND revision.created = {newest_of("wanted.name")}
            AND (
                NOT :current::BOOLEAN
                OR NOT EXISTS (
                    SELECT FROM {{documents}} AS later
                    WHERE later.name = revision.name AND later.created > revision.created
                )
            )
            AND (
                :text::TEXT IS NULL
                OR {any_of(contains, "revision")}
                OR {contains("note.message")}
            )
    ) AS chosen
    WHERE :selected_label::TEXT IS NOT NULL OR :current::BOOLEAN
) AS document
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
WHERE (:meta::JSONB IS NULL OR document.meta @> :meta::JSONB)
    AND (:since::TIMESTAMPTZ IS NULL OR document.created >= :since::TIMESTAMPTZ)
    AND (:until::TIMESTAMPTZ IS NULL OR document.created < :until::TIMESTAMPTZ)
    AND (:author::TEXT IS NULL OR note.author = :author::TEXT)
ORDER BY document.name, document.created DESC
LIMIT :limit::INT8
""",
    ),
)


def create_search_index(kind: DocumentKind[Any, Any], schema: str | None) -> Workflow[bool]:
    """Create the index for searches, and return whether it was missing."""
    columns: list[LiteralString] = kind.columns.split(", ")
    texts: list[LiteralString] = [
        indexed(f"{column}::TEXT")
        for value, column in zip(kind.values.split(", "), columns, strict=True)
        if value in {"name", "content", "description"}
    ]
    return create_trigram_index(kind.table, f"{kind.table}_search", texts, schema)


def search[R: DocumentRevision](  # noqa: PLR0913 - each is an argument of the public method
    kind: DocumentKind[Any, R],
    text: str | None,
    *,
    meta: Mapping[str, Any] | None,
    since: Timestamp | None,
    until: Timestamp | None,
    author: str | None,
    label: str | None,
    current: bool,
    limit: int | None,
) -> Operation[Records[R]]:
    """Search the revisions of all names."""
    statement = SEARCH[kind](
        text=check_optional(text, "text"),
        meta=encode_mapping(meta, "meta"),
        since=check_timestamp(since, "since"),
        until=check_timestamp(until, "until"),
        author=check_optional(author, "author"),
        selected_label=None if label is None or label == LATEST else check_label(label),
        as_of=None,
        current=current or label == LATEST,
        limit=check_limit(limit, "limit"),
    )
    return read_rows(
        f"search {kind.table}", statement, partial(records, kind), fallback=kind.fallback
    )
