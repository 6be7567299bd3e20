"""Whole memories on their way between databases, through files."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import LiteralString, NamedTuple

from draive_pg.codec.validation import check_optional, check_texts
from draive_pg.display.progress import progress
from draive_pg.errors import MemoryExists, MemoryMissing
from draive_pg.models import Transfer
from draive_pg.operations.conversations.export_format import Line, check_path, lines, written
from draive_pg.operations.conversations.write import turns
from draive_pg.operations.operation import Operation, Row, Statement, Steps, workflow

__all__ = ("export", "import_file")

# Of what is read or written by one statement, unless one memory alone has more.
MOST_ELEMENTS = 2_000
MOST_BYTES = 8 * 1024 * 1024
MOST_LISTED = 10_000

# By identifier, from one on: each statement is quick, however many there are in all.
SIZES = """
SELECT
    memory.identifier,
    held.elements,
    held.bytes
FROM (
    SELECT identifier
    FROM {schema}.memories
    WHERE ($1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[]))
        AND ($2::TEXT IS NULL OR starts_with(identifier, $2::TEXT))
        AND ($3::TEXT IS NULL OR identifier > $3::TEXT)
    ORDER BY identifier
    LIMIT $4::INT8
) AS memory
CROSS JOIN LATERAL (
    SELECT count(*) AS elements, coalesce(sum(pg_column_size(content)), 0)::INT8 AS bytes
    FROM {schema}.memories_elements AS element
    WHERE element.identifier = memory.identifier
) AS held
ORDER BY memory.identifier
"""

UTC_TIME: LiteralString = (
    "(to_json(created AT TIME ZONE 'UTC') #>> '{}')"
    " || CASE WHEN isfinite(created) THEN 'Z' ELSE '' END"
)

# Of each memory its own row first, then its variables and its elements in their order.
READ: LiteralString = f"""
SELECT identifier, kind, written, document
FROM (
    SELECT identifier, 0 AS kind, {UTC_TIME} AS written, '' AS document, created, ctid AS place
    FROM {{schema}}.memories
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT identifier, 1, {UTC_TIME}, variables::TEXT, created, ctid
    FROM {{schema}}.memories_variables
    WHERE identifier = ANY ($1::TEXT[])
    UNION ALL
    SELECT identifier, 2, {UTC_TIME}, content::TEXT, created, ctid
    FROM {{schema}}.memories_elements
    WHERE identifier = ANY ($1::TEXT[])
) AS stored
ORDER BY identifier, kind, created, place
"""

# The locks are held. A memory that is there is compared row by row, and left as it is.
WRITE = """
WITH given AS (
    SELECT
        line ->> 'identifier' AS identifier,
        (line ->> 'created')::TIMESTAMPTZ AS created,
        line -> 'variables' AS variables,
        line -> 'elements' AS elements
    FROM json_array_elements($1::JSON) AS line
),
given_rows AS (
    SELECT
        given.identifier,
        row.kind,
        row_number() OVER (PARTITION BY given.identifier, row.kind ORDER BY row.number) AS number,
        (row.value ->> 'created')::TIMESTAMPTZ AS created,
        (row.value -> 'content')::JSONB AS content
    FROM given
    CROSS JOIN LATERAL (
        SELECT 1 AS kind, value, number
        FROM json_array_elements(given.variables) WITH ORDINALITY AS item (value, number)
        UNION ALL
        SELECT 2, value, number
        FROM json_array_elements(given.elements) WITH ORDINALITY AS item (value, number)
    ) AS row
),
present AS (
    SELECT identifier FROM {schema}.memories WHERE identifier = ANY ($2::TEXT[])
),
present_rows AS (
    SELECT
        identifier,
        kind,
        row_number() OVER (PARTITION BY identifier, kind ORDER BY created, place) AS number,
        created,
        content
    FROM (
        SELECT identifier, 1 AS kind, created, ctid AS place, variables AS content
        FROM {schema}.memories_variables
        WHERE identifier = ANY ($2::TEXT[])
        UNION ALL
        SELECT identifier, 2, created, ctid, content
        FROM {schema}.memories_elements
        WHERE identifier = ANY ($2::TEXT[])
    ) AS stored
),
differing AS (
    SELECT DISTINCT identifier
    FROM (
        SELECT given_rows.*
        FROM given_rows
        WHERE identifier IN (SELECT identifier FROM present)
    ) AS theirs
    FULL JOIN present_rows AS ours USING (identifier, kind, number)
    WHERE theirs.created IS DISTINCT FROM ours.created
        OR theirs.content IS DISTINCT FROM ours.content
),
made AS (
    INSERT INTO {schema}.memories (identifier, created)
    SELECT identifier, created FROM given
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
snapshots AS (
    INSERT INTO {schema}.memories_variables (identifier, variables, created)
    SELECT given_rows.identifier, given_rows.content, given_rows.created
    FROM made
    JOIN given_rows ON given_rows.identifier = made.identifier AND given_rows.kind = 1
    ORDER BY given_rows.identifier, given_rows.number
),
elements AS (
    INSERT INTO {schema}.memories_elements (identifier, content, created)
    SELECT given_rows.identifier, given_rows.content, given_rows.created
    FROM made
    JOIN given_rows ON given_rows.identifier = made.identifier AND given_rows.kind = 2
    ORDER BY given_rows.identifier, given_rows.number
)
SELECT
    coalesce((SELECT array_agg(identifier) FROM made), '{}'),
    coalesce((SELECT array_agg(identifier) FROM differing), '{}')
"""


class Size(NamedTuple):
    """How much a memory holds."""

    identifier: str
    elements: int
    size: int


@workflow
def export(
    path: object, identifiers: str | Iterable[str] | None, prefix: str | None
) -> Steps[Transfer]:
    """Write memories to a file, whose place it takes when all of them are in it."""
    target = check_path(path)
    names = check_texts(identifiers, "identifier")
    chosen = check_optional(prefix, "prefix")
    done = Transfer(target, 0, 0, 0)
    missing = set(names or ())
    after: str | None = None
    with written(target) as file, progress(None, "Exporting", " memories") as bar:
        while listed := (yield _sizes(names, chosen, after)):
            for batch in _batches(listed):
                rows = yield _read([size.identifier for size in batch])
                for identifier, stored in groupby(rows, key=lambda row: row[0]):
                    line, elements, variables = _line(identifier, list(stored))
                    file.write(line)
                    done = _more(done, 1, elements, variables)
                    missing.discard(identifier)
                bar.update(len(batch))
            after = listed[-1].identifier
        if missing:
            raise MemoryMissing(
                f"export to {target.name!r}: there is no memory {min(missing)!r:.80}"
                + (f" ({len(missing)} are missing in all)" if len(missing) > 1 else "")
            )
    return done


@workflow
def import_file(path: object) -> Steps[Transfer]:
    """Write the memories of a file, those that are not there yet."""
    source = check_path(path)
    done = Transfer(source, 0, 0, 0)
    differing: list[str] = []
    with progress(source.stat().st_size, "Importing", "B") as bar:
        for batch in _batches(lines(source)):
            made, other = yield _write(source, batch)
            differing += sorted(other)
            new = [line for line in batch if line.identifier in made]
            done = _more(
                done,
                len(new),
                sum(line.elements for line in new),
                sum(line.variables for line in new),
                len(batch) - len(new) - len(other),
            )
            bar.update(batch[-1].read - bar.n)
    if differing:
        raise MemoryExists(
            f"import {source.name!r}: {len(differing)} memories exist with other content, such as "
            f"{differing[0]!r:.80}, and were left as they are; remove or rename them and import "
            f"again. All others are there: {done.memories} imported, {done.unchanged} unchanged"
        )
    return done


def _sizes(
    identifiers: Sequence[str] | None, prefix: str | None, after: str | None
) -> Operation[Sequence[Size]]:
    return Operation(
        name="export memories: list them",
        statements=(Statement(SIZES, (identifiers, prefix, after, MOST_LISTED)),),
        reads=True,
        decode=lambda rows: [Size(*row) for row in rows],
    )


def _read(identifiers: Sequence[str]) -> Operation[Sequence[Row]]:
    return Operation(
        name=f"export memories from {identifiers[0]!r:.80} on",
        statements=(Statement(READ, (identifiers,)),),
        reads=True,
        decode=lambda rows: rows,
    )


def _write(source: Path, batch: Sequence[Line]) -> Operation[tuple[Sequence[str], Sequence[str]]]:
    names = [line.identifier for line in batch]
    return Operation(
        name=f"import {source.name!r:.80}, lines {batch[0].number} to {batch[-1].number}",
        statements=(
            turns(names),
            Statement(WRITE, (f"[{','.join(line.text for line in batch)}]", names)),
        ),
        decode=lambda rows: (rows[0][0], rows[0][1]),
    )


def _batches[T: Size | Line](items: Iterable[T]) -> Iterator[list[T]]:
    """Group what is small, and nothing twice, into what one statement takes."""
    batch: dict[str, T] = {}
    elements = size = 0
    for item in items:
        elements += item.elements
        size += item.size
        if batch and (elements > MOST_ELEMENTS or size > MOST_BYTES or item.identifier in batch):
            yield list(batch.values())
            batch = {}
            elements, size = item.elements, item.size
        batch[item.identifier] = item
    if batch:
        yield list(batch.values())


def _line(identifier: str, rows: Sequence[Row]) -> tuple[bytes, int, int]:
    """Return a memory's line, and how many elements and snapshots of variables are in it."""
    created = next(written for _, kind, written, _ in rows if kind == 0)
    variables, elements = (
        [
            f'{{"created":"{written}","content":{document}}}'
            for _, kind, written, document in rows
            if kind == wanted
        ]
        for wanted in (1, 2)
    )
    text = (
        f'{{"identifier":{json.dumps(identifier, ensure_ascii=False)},"created":"{created}",'
        f'"variables":[{",".join(variables)}],"elements":[{",".join(elements)}]}}\n'
    )
    return text.encode(), len(elements), len(variables)


def _more(
    done: Transfer, memories: int, elements: int, variables: int, unchanged: int = 0
) -> Transfer:
    return replace(
        done,
        memories=done.memories + memories,
        elements=done.elements + elements,
        variables=done.variables + variables,
        unchanged=done.unchanged + unchanged,
    )
