"""The number of rows that PostgreSQL reads for a call is independent of the size of tables.

PostgreSQL reports these counts, including rows read by foreign key checks and cascades.
"""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from pytest_postgresql.executors import NoopExecutor

from draive_pg.operations.conversations import edit, import_chats
from draive_pg.operations.conversations import fork as forking
from draive_pg.operations.conversations import recall as recalling
from draive_pg.operations.conversations import write as memory
from draive_pg.operations.documents import define, labels, load, read, remove
from draive_pg.operations.documents.kind import CONFIGURATIONS, INSTRUCTIONS
from draive_pg.operations.documents.selectors import NEWEST, RevisionSelector
from draive_pg.operations.operation import Request
from tests import cluster
from tests.conftest import VARIABLE, provided
from tests.elements import answered, asked, called, responded
from tests.statements import first_operation, sent

NAMES, REVISIONS = 40, 300
MEMORIES, ELEMENTS, SNAPSHOTS = 40, 500, 100

# Additional rows: incremental sort reads rows with equal timestamps in groups of 32.
FEW = 40

FILL = """
SET LOCAL session_replication_role = replica; -- no triggers

INSERT INTO memories (identifier)
SELECT 'm' || number FROM generate_series(1, 50 * {memories}) AS number;

INSERT INTO memories_variables (identifier, variables, created)
SELECT 'm' || number, '{{"turn": 1}}', TIMESTAMPTZ '2026-01-01Z' + turn * INTERVAL '1 minute'
FROM generate_series(1, {snapshots}) AS turn, generate_series(1, {memories}) AS number;

INSERT INTO memories_elements (identifier, content, created)
SELECT
    'm' || number,
    (ARRAY['{asked}', '{answered}']::JSONB[])[turn % 2 + 1],
    TIMESTAMPTZ '2026-01-01Z' + turn * INTERVAL '1 minute'
FROM generate_series(1, {elements}) AS turn, generate_series(1, {memories}) AS number;

INSERT INTO instructions (name, content, created)
SELECT 'n' || number, 'Hello', TIMESTAMPTZ '2026-01-01Z' + revision * INTERVAL '1 minute'
FROM generate_series(1, {revisions}) AS revision, generate_series(1, {names}) AS number;

INSERT INTO draive_pg_labels (name, label, revision, moved)
SELECT name, 'l' || extract(MINUTE FROM created)::INT4 % 3, created, created FROM instructions;

INSERT INTO configurations (identifier, content, created)
SELECT 'n' || number, '{{}}', TIMESTAMPTZ '2026-01-01Z' + revision * INTERVAL '1 minute'
FROM generate_series(1, {revisions}) AS revision, generate_series(1, {names}) AS number;
"""


def fill(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            FILL.format(
                memories=MEMORIES,
                snapshots=SNAPSHOTS,
                elements=ELEMENTS,
                names=NAMES,
                revisions=REVISIONS,
                asked=asked("q" * 200).to_json(),
                answered=answered("a" * 200).to_json(),
            ).encode()
        )
        connection.execute("ANALYZE")


@pytest.fixture(scope="module")
def filled_dsn(with_tables: NoopExecutor) -> Iterator[str]:
    """A database with many rows, which tests roll back to."""
    origin = f"{with_tables.template_dbname}"
    with provided(
        cluster.nodes(os.environ[VARIABLE]), f"{origin}_filled", origin, fill
    ) as databases:
        yield databases.provide()


@pytest.fixture(params=["force_custom_plan", "force_generic_plan"])
def filled(request: pytest.FixtureRequest, filled_dsn: str) -> Iterator[psycopg.Connection]:
    """Tables with many rows, with custom plans and with generic plans of prepared statements."""
    with psycopg.connect(
        filled_dsn, autocommit=True, cursor_factory=psycopg.RawCursor
    ) as connection:
        connection.execute(f"SET plan_cache_mode = {request.param}".encode())
        yield connection


def rows_read(connection: psycopg.Connection, request: Request[Any]) -> dict[str, int]:
    """Run the operation of a request, roll it back, and return the number of rows read by table."""
    with connection.transaction(force_rollback=True):
        for statement in first_operation(request).statements:
            connection.execute(sent(statement).encode(), statement.parameters, prepare=True)
        read = connection.execute(
            "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) "
            "FROM pg_stat_xact_user_tables WHERE seq_scan + coalesce(idx_scan, 0) > 0"
        ).fetchall()
    return dict(read)


# Requests, and the maximum number of rows that each may read from any one table.
CHAT = [{"role": "user", "content": "q"}]

CALLS: dict[str, tuple[Request[Any], int]] = {
    "recall": (recalling.recall("m1", None), ELEMENTS),
    "recall the newest": (recalling.recall("m1", 20), 20 + FEW),
    "recall a memory that is not there": (recalling.recall("m0", 20), 0),
    "remember": (memory.remember("m1", [asked("q")] * 100, {"turn": 2}), 100 + FEW),
    "maintain": (memory.maintain("m1", {"new": 1}), FEW),
    "pop": (edit.pop("m1", 1, erase=False, documents=True), 2 * FEW),
    "undo": (edit.undo("m1", erase=False, documents=True), 3 * FEW),
    "truncate at a cursor": (edit.truncate("m1", "1767225600000000", erase=False), ELEMENTS * 3),
    "truncate at the newest": (edit.truncate("m1", "1767255600000000", erase=False), FEW),
    "import": (import_chats.import_chat("m1", CHAT, append=True), FEW),
    "fork": (
        forking.fork("m1", "m0", None),
        2 * ELEMENTS,
    ),  # and looks for the memory each time
    "remove": (memory.remove("m1"), ELEMENTS),
    "list configurations": (read.names(CONFIGURATIONS), NAMES),
    "load a configuration": (load.load_raw("n1", NEWEST, required=False), 1),
    "add a configuration": (define.append_configuration("n1", {"a": 1}), 1),
    "remove a configuration": (remove.remove_all(CONFIGURATIONS, "n1"), REVISIONS),
    "list instructions": (read.declarations(lenient=False), 2 * NAMES),
    "load instructions": (load.load_text(INSTRUCTIONS, "n1", NEWEST, required=False), 1),
    "read a revision": (read.selected(INSTRUCTIONS, "read", "n1", NEWEST), 2 * REVISIONS),
    "read a revision by number": (
        read.selected(INSTRUCTIONS, "read", "n1", RevisionSelector(number=7)),
        2 * REVISIONS,
    ),
    "read a labelled revision": (
        read.selected(INSTRUCTIONS, "read", "n1", RevisionSelector(label="l1")),
        2 * REVISIONS,
    ),
    "read the history": (read.history(INSTRUCTIONS, "n1"), 6 * REVISIONS),
    "list the labels of instructions": (labels.labels(INSTRUCTIONS, "n1"), 4 * REVISIONS),
    "read the label history": (labels.history(INSTRUCTIONS, "n1", None), 2 * REVISIONS),
    "remove instructions": (remove.remove_all(INSTRUCTIONS, "n1"), REVISIONS),
}


# Operations of the clients only, which prepare no statements. Revisions are counted to number
# them.
UNPREPARED: dict[str, tuple[Request[Any], int]] = {
    "define a configuration": (define.define_configuration("n1", {"a": 1}), REVISIONS + 1),
    "define instructions": (
        define.define_instructions("n1", content="Hi"),
        2 * REVISIONS,
    ),
}


@pytest.mark.parametrize(("call", "most"), CALLS.values(), ids=CALLS)
def test_call_reads_bounded_number_of_rows(
    filled: psycopg.Connection, call: Request[Any], most: int
) -> None:
    assert max(rows_read(filled, call).values(), default=0) <= most


@pytest.mark.parametrize("filled", ["force_custom_plan"], indirect=True)
@pytest.mark.parametrize(("call", "most"), UNPREPARED.values(), ids=UNPREPARED)
def test_define_reads_only_rows_of_its_revisions(
    filled: psycopg.Connection, call: Request[Any], most: int
) -> None:
    assert max(rows_read(filled, call).values(), default=0) <= most


def test_recall_of_turn_longer_than_limit_reads_only_that_turn(filled: psycopg.Connection) -> None:
    turn = [asked("q"), *(part for _ in range(30) for part in (called("c"), responded("c")))]
    for statement in memory.remember("of one turn", turn, None).statements:
        filled.execute(sent(statement).encode(), statement.parameters)
    read = rows_read(filled, recalling.recall("of one turn", 20))
    assert 61 <= read["memories_elements"] <= 3 * 61 + FEW


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


@pytest.mark.parametrize("limit", [1, 20])
def test_recall_uses_index_and_stops_at_limit(filled: psycopg.Connection, limit: int) -> None:
    (statement,) = recalling.recall("m1", limit).statements
    filled.execute(b"PREPARE recall AS " + sent(statement).encode())
    (((explained,),),) = filled.execute(
        f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE recall ('m1', {limit})".encode()
    ).fetchall()
    found = list(nodes(explained["Plan"]))
    reading = [node for node in found if "Relation Name" in node and node["Actual Loops"]]
    assert {node["Node Type"] for node in reading} == {"Index Scan"}
    assert {node["Index Name"] for node in reading} == {
        "memories_elements_identifier_created",
        "memories_variables_identifier_created",
    }
    assert max(node["Actual Rows"] for node in found) <= limit + FEW
