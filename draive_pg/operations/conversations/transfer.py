"""Export whole memories to a file, and import them into this or another database."""

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import IO, LiteralString, NamedTuple, Protocol

from draive_pg.codec.timestamps import Timestamp, check_timestamp
from draive_pg.codec.validation import check_optional, check_path, check_texts
from draive_pg.display.progress import progress, watched
from draive_pg.errors import MemoryExists
from draive_pg.models.conversations import Transfer
from draive_pg.operations.conversations.annotations import NO_ANNOTATIONS, import_annotations
from draive_pg.operations.conversations.export_format import Line, lines, written
from draive_pg.operations.conversations.listing import MATCHING, memory_missing
from draive_pg.operations.conversations.relations import (
    CONVERSATIONS,
    CREATE_CONVERSATIONS,
    ELEMENTS,
    INSERT_ELEMENTS,
    INSERT_SNAPSHOTS,
    NUMBERED,
    ORDER,
    SNAPSHOTS,
    USE_INDEXES,
    lock_memories,
)
from draive_pg.operations.estimate import estimate
from draive_pg.operations.operation import (
    LINE,
    Call,
    Operation,
    Query,
    Row,
    Statement,
    Steps,
    read_rows,
    transactional,
    workflow,
)

# Limits of one statement, unless a single memory exceeds them.
MAX_ELEMENTS = 2_000
MAX_BYTES = 8 * 1024 * 1024
MAX_LISTED = 10_000

# Keyset pagination by identifier: each statement is quick, however many memories there are.
SIZES = Query(
    "memories.export.sizes",
    f"""
SELECT
    conversation.identifier,
    held.elements,
    held.bytes
FROM {CONVERSATIONS} AS conversation
CROSS JOIN LATERAL (
    SELECT count(*) AS elements, coalesce(sum(pg_column_size(content)), 0)::INT8 AS bytes
    FROM {ELEMENTS} AS element
    WHERE element.identifier = conversation.identifier
) AS held
WHERE (:identifiers::TEXT[] IS NULL OR conversation.identifier = ANY (:identifiers::TEXT[]))
    AND {MATCHING}
    AND (:after::TEXT IS NULL OR conversation.identifier > :after::TEXT)
ORDER BY conversation.identifier
LIMIT :limit::INT8
""",
)


def _utc(time: LiteralString) -> LiteralString:
    # The zone precedes "BC"; "infinity" has none.
    text: LiteralString = f"to_json({time} AT TIME ZONE 'UTC') #>> '{{}}'"
    return rf"regexp_replace({text}, E'([0-9])( BC)?$', E'\\1Z\\2')"


# For each memory: its row, then its variables, its elements and its annotations, each in order.
READ = Query(
    "memories.export",
    f"""
SELECT identifier, kind, {_utc("created")}, document
FROM (
    SELECT identifier, 0 AS kind, 0 AS number, created, '' AS document
    FROM {CONVERSATIONS} AS conversation
    WHERE identifier = ANY (:identifiers::TEXT[])
    UNION ALL
    SELECT identifier, 1, row_number() OVER ordered, created, variables::TEXT
    FROM {SNAPSHOTS} AS snapshot
    WHERE identifier = ANY (:identifiers::TEXT[])
    {ORDER}
    UNION ALL
    SELECT identifier, 2, number, created, content::TEXT
    FROM {NUMBERED} AS element
    WHERE identifier = ANY (:identifiers::TEXT[])
    UNION ALL
    SELECT
        identifier,
        3,
        row_number() OVER (PARTITION BY identifier ORDER BY annotated, id),
        annotated,
        (to_jsonb(annotation) - 'identifier' - 'annotated')::TEXT
    FROM {{schema}}.draive_pg_annotations AS annotation
    WHERE identifier = ANY (:identifiers::TEXT[])
) AS stored
ORDER BY identifier, kind, number
""",
)

# The caller holds the locks. Existing memories are compared row by row, and never changed.
WRITE = Query(
    "memories.import",
    f"""
WITH given AS (
    SELECT
        line ->> 'identifier' AS identifier,
        (line ->> 'created')::TIMESTAMPTZ AS created,
        line -> 'variables' AS variables,
        line -> 'elements' AS elements
    FROM json_array_elements(:lines::JSON) AS line
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
        WHERE :with_variables::BOOLEAN
        UNION ALL
        SELECT 2, value, number
        FROM json_array_elements(given.elements) WITH ORDINALITY AS item (value, number)
    ) AS row
),
present AS (
    SELECT identifier FROM {CONVERSATIONS} AS conversation
    WHERE identifier = ANY (:identifiers::TEXT[])
),
present_rows AS (
    SELECT identifier, 1 AS kind, row_number() OVER ordered AS number, created, variables AS content
    FROM {SNAPSHOTS} AS snapshot
    WHERE identifier = ANY (:identifiers::TEXT[])
    {ORDER}
    UNION ALL
    SELECT identifier, 2, number, created, content
    FROM {NUMBERED} AS element
    WHERE identifier = ANY (:identifiers::TEXT[])
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
new_conversations AS (SELECT identifier, created FROM given),
{CREATE_CONVERSATIONS},
new_snapshots AS (
    SELECT
        given_rows.identifier,
        given_rows.number,
        given_rows.content AS variables,
        given_rows.created
    FROM created_conversations
    JOIN given_rows
        ON given_rows.identifier = created_conversations.identifier AND given_rows.kind = 1
),
{INSERT_SNAPSHOTS},
new_elements AS (
    SELECT given_rows.identifier, given_rows.number, given_rows.content, given_rows.created
    FROM created_conversations
    JOIN given_rows
        ON given_rows.identifier = created_conversations.identifier AND given_rows.kind = 2
),
{INSERT_ELEMENTS},
not_imported AS (
    SELECT identifier FROM differing
    UNION
    -- draive, which takes no locks, has created these meanwhile.
    SELECT identifier
    FROM given
    WHERE identifier NOT IN (SELECT identifier FROM present)
        AND identifier NOT IN (SELECT identifier FROM created_conversations)
)
SELECT
    coalesce((SELECT array_agg(identifier) FROM created_conversations), '{{}}'),
    coalesce((SELECT array_agg(identifier) FROM not_imported), '{{}}')
""",
)


class Size(NamedTuple):
    """How much a memory holds."""

    identifier: str
    elements: int
    size: int


class Selection(NamedTuple):
    """Which memories to write to a file."""

    identifiers: Sequence[str] | None
    prefix: str | None
    since: datetime | None
    until: datetime | None


def select(
    identifiers: str | Iterable[str] | None,
    prefix: str | None,
    since: Timestamp | None = None,
    until: Timestamp | None = None,
) -> Selection:
    """Check the arguments that select memories."""
    return Selection(
        check_texts(identifiers, "identifier"),
        check_optional(prefix, "prefix"),
        check_timestamp(since, "since"),
        check_timestamp(until, "until"),
    )


@workflow
def export(path: object, selection: Selection) -> Steps[Transfer]:
    """Write memories to a file, which appears or is replaced when it is complete."""
    target = check_path(path)
    counts = Counter[int]()

    def write(file: IO[bytes], rows: Sequence[Row]) -> set[str]:
        counts.update(kind for _, kind, *_ in rows)
        return _write_lines(file, rows)

    yield from write_batches(target, selection, READ, write)
    memories, variables, elements, annotations = (counts[kind] for kind in range(4))
    return Transfer(target, memories, elements, variables, annotations=annotations)


def write_batches(
    target: Path,
    selection: Selection,
    read: Query,
    write: Callable[[IO[bytes], Sequence[Row]], set[str]],
) -> Steps[None]:
    """Read memories in batches, and write each batch to a file.

    Parameters
    ----------
    target : Path
        The file, which appears or is replaced when it is complete.
    selection : Selection
        Which memories.
    read : Query
        Takes ``identifiers``, and returns the rows of these memories.
    write : callable
        Write the rows to a file, and return the identifiers of their memories.

    Raises
    ------
    MemoryMissing
        If a memory that is selected by its identifier does not exist.
    """
    missing = set(selection.identifiers or ())
    after: str | None = None
    total: int | None = None
    if watched():
        total = yield estimate("export memories: estimate them", _list(selection, None, None))
    with ExitStack() as stack, progress(total, "Exporting", " memories") as bar:
        file: IO[bytes] = yield Call(partial(stack.enter_context, written(target)))
        while listed := (yield _sizes(selection, after)):
            for batch in batches(listed):
                rows = yield _read(read, [size.identifier for size in batch])
                missing -= yield Call(partial(write, file, rows))
                bar.update(len(batch))
            after = listed[-1].identifier
        if missing:
            first = min(missing)
            more = f" ({len(missing)} are missing in all)" if len(missing) > 1 else ""
            message = f"export to {target.name!r}: there is no memory {first!r:.80}{more}"
            raise (yield from memory_missing(message, first))
        yield Call(stack.close)


@workflow
def import_file(path: object) -> Steps[Transfer]:
    """Write the memories of a file that do not exist yet."""
    source = check_path(path)
    counts = Counter[str]()
    differing: list[str] = []
    ignored = Counter[str]()
    with_variables: bool = not (yield LINE).has_turns
    kept = lines(source) if with_variables else _with_elements(lines(source), ignored)
    with (
        progress(source.stat().st_size, "Importing", "B") as bar,
        closing(batches(kept)) as found,
    ):
        while batch := (yield Call(partial(next, found, None))):
            created, other = yield _import_batch(source, batch, with_variables=with_variables)
            differing += sorted(other)
            new = [line for line in batch if line.identifier in created]
            if not with_variables:
                ignored["variables"] += sum(line.variables > 0 for line in new)
            else:
                counts["variables"] += sum(line.variables for line in new)
            counts["memories"] += len(new)
            counts["elements"] += sum(line.elements for line in new)
            counts["unchanged"] += len(batch) - len(new) - len(other)
            counts["annotations"] += sum(
                line.annotations for line in batch if line.identifier not in other
            )
            bar.update(batch[-1].read - bar.n)
    if differing:
        raise MemoryExists(
            f"import {source.name!r}: {len(differing)} memories exist with other content, such as "
            f"{differing[0]!r:.80}, and were left as they are; remove or rename them and import "
            f"again. All others are there: {counts['memories']} imported, "
            f"{counts['unchanged']} unchanged"
        )
    return Transfer(
        source,
        counts["memories"],
        counts["elements"],
        counts["variables"],
        counts["unchanged"],
        annotations=counts["annotations"],
        ignored=dict(+ignored),
    )


@transactional
def _import_batch(
    source: Path, batch: Sequence[Line], *, with_variables: bool
) -> Steps[tuple[Sequence[str], Sequence[str]]]:
    """Write memories with their annotations; return which are new, and which differ."""
    created, other = yield _write(source, batch, with_variables=with_variables)
    # Also of unchanged memories, which an older version may have imported without them.
    annotated = [line for line in batch if line.annotations and line.identifier not in other]
    if annotated:
        yield import_annotations(
            f"import {source.name!r:.80}",
            _array(annotated),
            [line.identifier for line in annotated],
        )
    return created, other


def _with_elements(found: Iterable[Line], ignored: Counter[str]) -> Generator[Line]:
    """Leave out memories without elements, and count them."""
    for line in found:
        if line.elements:
            yield line
        else:
            ignored["memories without elements"] += 1


def _sizes(selection: Selection, after: str | None) -> Operation[Sequence[Size]]:
    return read_rows(
        "export memories: list them",
        _list(selection, after, MAX_LISTED),
        lambda rows: [Size(*row) for row in rows],
    )


def _list(selection: Selection, after: str | None, limit: int | None) -> Statement:
    return SIZES(**selection._asdict(), after=after, limit=limit)


def _read(query: Query, identifiers: Sequence[str]) -> Operation[Sequence[Row]]:
    return read_rows(
        f"export memories from {identifiers[0]!r:.80} on",
        query(identifiers=identifiers),
        list,
        fallback=NO_ANNOTATIONS,
    )


def _write(
    source: Path, batch: Sequence[Line], *, with_variables: bool
) -> Operation[tuple[Sequence[str], Sequence[str]]]:
    identifiers = [line.identifier for line in batch]
    return Operation(
        name=f"import {source.name!r:.80}, lines {batch[0].number} to {batch[-1].number}",
        statements=(
            USE_INDEXES(),
            *lock_memories(identifiers),
            WRITE(lines=_array(batch), identifiers=identifiers, with_variables=with_variables),
        ),
        decode=lambda rows: (rows[0][0], rows[0][1]),
    )


def _array(batch: Iterable[Line]) -> str:
    return f"[{','.join(line.text for line in batch)}]"


class Sized(Protocol):
    """Something that is written or read in batches."""

    @property
    def identifier(self) -> str: ...
    @property
    def elements(self) -> int: ...
    @property
    def size(self) -> int: ...


def batches[T: Sized](items: Iterable[T]) -> Generator[list[T]]:
    """Group items into batches within the limits of one statement, with distinct identifiers."""
    batch: dict[str, T] = {}
    elements = size = 0
    for item in items:
        elements += item.elements
        size += item.size
        if batch and (elements > MAX_ELEMENTS or size > MAX_BYTES or item.identifier in batch):
            yield list(batch.values())
            batch = {}
            elements, size = item.elements, item.size
        batch[item.identifier] = item
    if batch:
        yield list(batch.values())


def _write_lines(file: IO[bytes], rows: Sequence[Row]) -> set[str]:
    """Write memories, and return their identifiers."""
    identifiers: set[str] = set()
    for identifier, stored in groupby(rows, key=lambda row: row[0]):
        file.write(_line(identifier, list(stored)))
        identifiers.add(identifier)
    return identifiers


def _line(identifier: str, rows: Sequence[Row]) -> bytes:
    """Return the line of a memory."""
    created = next(written for _, kind, written, _ in rows if kind == 0)
    variables, elements, annotations = (
        ",".join(
            f'{{"created":"{written}","content":{document}}}'
            for _, kind, written, document in rows
            if kind == wanted
        )
        for wanted in (1, 2, 3)
    )
    annotated = f',"annotations":[{annotations}]' if annotations else ""
    text = (
        f'{{"identifier":{json.dumps(identifier, ensure_ascii=False)},"created":"{created}",'
        f'"variables":[{variables}],"elements":[{elements}]{annotated}}}\n'
    )
    return text.encode()
