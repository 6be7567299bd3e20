"""Configuration snapshots as people manage them: numbered, and written on condition."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, LiteralString

from draive_pg.codec.json import parse
from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_limit, check_text
from draive_pg.errors import RevisionMissing
from draive_pg.models import Records, Snapshot
from draive_pg.operations.documents import configurations
from draive_pg.operations.documents.configurations import TABLE, encoded, stale, subject_of, turn
from draive_pg.operations.documents.preconditions import Expectation, numbered, seen
from draive_pg.operations.operation import Key, Operation, Row, Statement

if TYPE_CHECKING:
    from draive import Configuration

__all__ = ("define", "history", "load_raw", "newest", "subject_of")


SNAPSHOTS: LiteralString = """
WITH snapshots AS (
    SELECT
        identifier,
        row_number() OVER (ORDER BY created) AS revision,
        created,
        content,
        created = max(created) OVER () AS current
    FROM {schema}.configurations
    WHERE identifier = $1::TEXT
)
"""

# As `_snapshot` takes them.
FIELDS: LiteralString = """
    snapshot.identifier,
    snapshot.revision,
    snapshot.created,
    snapshot.content::TEXT,
    snapshot.current
"""

HISTORY: LiteralString = f"""
SELECT {FIELDS} FROM snapshots AS snapshot ORDER BY snapshot.revision DESC
"""

NEWEST = """
SELECT identifier, revision, created, content::TEXT, TRUE
FROM (
    SELECT DISTINCT ON (identifier)
        identifier, count(*) OVER (PARTITION BY identifier) AS revision, created, content
    FROM {schema}.configurations
    ORDER BY identifier, created DESC
) AS newest
ORDER BY identifier
"""

NUMBERED: LiteralString = """
SELECT
    (SELECT content::TEXT FROM snapshots WHERE revision = $2::INT8),
    (SELECT count(*) FROM snapshots)
"""

# The lock is held: later than the clock and than all before it, whatever the clock did. Texts are
# compared, for as JSONB 1 and 1.0 are equal.
DEFINE: LiteralString = f""",
latest AS (
    SELECT * FROM snapshots WHERE current
),
judged AS (
    SELECT
        ($3::INT8 IS NULL OR coalesce(latest.revision, 0) = $3::INT8)
            AND ($4::TIMESTAMPTZ IS NULL OR latest.created IS NOT DISTINCT FROM $4::TIMESTAMPTZ)
            AS expected,
        latest.content::TEXT IS DISTINCT FROM $2::JSONB::TEXT AS changed,
        greatest(clock_timestamp(), latest.created + INTERVAL '1 microsecond') AS created
    FROM (SELECT) AS always
    LEFT JOIN latest ON TRUE
),
written AS (
    INSERT INTO {{schema}}.configurations (identifier, content, created)
    SELECT $1::TEXT, $2::JSONB, created
    FROM judged
    WHERE expected AND changed
    RETURNING identifier, created, content
)
SELECT judged.expected, {FIELDS}
FROM judged
LEFT JOIN (
    SELECT
        written.identifier,
        (SELECT count(*) + 1 FROM snapshots) AS revision,
        written.created,
        written.content,
        TRUE AS current
    FROM written
    UNION ALL
    SELECT latest.* FROM latest WHERE NOT EXISTS (SELECT FROM written)
) AS snapshot ON TRUE
"""


def history(identifier: str) -> Operation[Records[Snapshot]]:
    """All snapshots of an identifier, the newest first; none where there is no such identifier."""
    check_text(identifier, "identifier")
    return Operation(
        name=f"read the history of configuration {identifier!r:.80}",
        statements=(Statement(SNAPSHOTS + HISTORY, (identifier,)),),
        reads=True,
        decode=lambda rows: Records(Snapshot, map(_snapshot, rows)),
    )


def newest() -> Operation[Records[Snapshot]]:
    """The newest snapshot of each identifier, in order of the identifiers."""
    return Operation(
        name="read the newest configurations",
        statements=(Statement(NEWEST),),
        reads=True,
        decode=lambda rows: Records(Snapshot, map(_snapshot, rows)),
    )


def load_raw(
    identifier: str, *, revision: int | None, as_of: Timestamp | None
) -> Operation[dict[str, Any] | None]:
    """The newest snapshot, that of a time, or one by its number; None where there is none."""
    if revision is None:
        return configurations.load_raw(identifier, as_of=as_of)
    if as_of is not None:
        raise ValueError("choose by revision= or by as_of=, not by both")
    check_text(identifier, "identifier")
    check_limit(revision, "revision")
    what = f"configuration {identifier!r:.80}"

    def decode(rows: Sequence[Row]) -> str | None:
        content, count = rows[0]
        if content is None and count:
            raise RevisionMissing(
                f"load {what}: there is no revision {revision}; the newest is revision {count}"
            )
        return content

    return Operation(
        name=f"load {what}",
        statements=(Statement(SNAPSHOTS + NUMBERED, (identifier, revision)),),
        reads=True,
        decode=decode,
        present=lambda content: None if content is None else parse(content, what),
        key=Key(TABLE, identifier, revision),
    )


def define(
    config: "Configuration | str",
    value: "Configuration | Mapping[str, Any] | None",
    *,
    expected: int | Snapshot | None,
) -> Operation[Snapshot]:
    """A new snapshot if it differs from the newest one; the newest one."""
    identifier, content = encoded(config, value)
    expectation = _expectation(expected, identifier)
    asked = f"define configuration {identifier!r:.80}"

    def decode(rows: Sequence[Row]) -> Snapshot:
        met, *row = rows[0]
        if met:
            return _snapshot(row)
        newest = f"the newest is revision {row[1]} of {row[2]}" if row[1] else "there is none"
        raise expectation.unmet(asked, newest)

    parameters = (identifier, content, expectation.number, expectation.created)
    return Operation(
        name=asked,
        statements=(turn(identifier), Statement(SNAPSHOTS + DEFINE, parameters)),
        decode=decode,
        evicts=stale(identifier),
    )


def _expectation(expected: int | Snapshot | None, identifier: str) -> Expectation:
    if not isinstance(expected, Snapshot):
        return numbered(expected)
    if expected.identifier != identifier:
        raise ValueError(
            f"expected is a snapshot of {expected.identifier!r:.80}, not of {identifier!r:.80}"
        )
    return seen(expected.revision, expected.created)


def _snapshot(row: Row) -> Snapshot:
    identifier, revision, created, content, current = row
    return Snapshot(
        identifier=identifier,
        revision=revision,
        created=created.astimezone(UTC),
        content=parse(content, f"configuration {identifier!r:.80}"),
        current=current,
    )
