"""Calls about ten thousand prompts with many revisions and label moves, against their targets.

``python -m benchmarks.documents DSN [NAMES]`` measures in a new database on a server. Filling it
with ten thousand names takes a minute, and indexing their texts another one.
"""

import sys
import tempfile
from pathlib import Path

import psycopg

from benchmarks.filling import QUICKLY, SENTENCES, database
from benchmarks.measure import TIMES, Measured, best
from draive_pg import Client

REVISIONS = 50

# A text has about 900 characters, and differs from its last revision in one number.
INSTRUCTIONS = """
INSERT INTO instructions (name, content, meta, created)
SELECT
    'team-' || n % 20 || '/prompt-' || n,
    'You are assistant ' || n || ', version ' || revision || '. ' || (
        SELECT string_agg(sentence || md5(n || '/' || number) || ' ', '')
        FROM unnest($2::TEXT[]) WITH ORDINALITY AS given (sentence, number), generate_series(1, 2)
        WHERE (number + n) % 6 < 5
    ),
    '{"team": "support"}',
    TIMESTAMPTZ '2026-01-01Z' + revision * INTERVAL '1 hour' + n * INTERVAL '1 millisecond'
FROM generate_series(1, $1::INT4) AS n, generate_series(1, $3::INT4) AS revision
"""

NOTES = """
INSERT INTO draive_pg_revisions (name, created, author, message)
SELECT name, created, 'ada', 'change ' || name FROM instructions
"""

# Sixteen moves of two labels for each name, and one of a third for two in five.
LABELS = """
INSERT INTO draive_pg_labels (name, label, revision, moved)
SELECT name, (ARRAY['production', 'staging'])[number % 2 + 1], created, created
FROM (
    SELECT name, created, row_number() OVER (PARTITION BY name ORDER BY created) AS number
    FROM instructions
) AS numbered
WHERE number % 3 = 1 AND number < 49
UNION ALL
SELECT name, 'canary', max(created), max(created)
FROM instructions
GROUP BY name
HAVING right(name, 1) IN ('0', '1', '2', '3')
"""


def fill(dsn: str, names: int) -> None:
    """Write revisions, their notes and label moves."""
    with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute(QUICKLY)
        connection.execute(INSTRUCTIONS, (names, list(SENTENCES), REVISIONS))
        connection.execute(NOTES)
        connection.execute(LABELS)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")  # not during a measurement


def measure(dsn: str, *, names: int = 10_000, runs: int = 3) -> list[Measured]:
    """Measure in a new database on a server."""
    with (
        database(dsn) as own,
        Client(own, timeout=3600) as db,
        tempfile.TemporaryDirectory(prefix="draive-pg-bench-") as folder,
    ):
        db.setup()
        fill(own, names)
        prompts = db.instructions
        prompts.create_search_index()
        path = Path(folder) / "prompts"
        return [
            best(what, target, call, runs=runs if what != "pull" else 1)
            for what, target, call in (
                ("list", 1.0, prompts.list),
                ("labels", 1.0, prompts.labels),
                ("search", 2.0, lambda: prompts.search("assistant 777, Version 7.")),
                ("pull", 5.0, lambda: prompts.pull(path)),
                ("status", 1.0, lambda: prompts.status(path)),
            )
        ]


if __name__ == "__main__":
    dsn, names = [*sys.argv[1:], "10000"][:2]
    found = measure(dsn, names=int(names))
    sys.stdout.write("\n".join([TIMES, *(each.row() for each in found), ""]))
