"""Observability of both clients: log records, the hook, and spans."""

import logging
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from draive_pg import Client, OperationEvent, TableMissing
from tests.conftest import Connect
from tests.elements import answered, asked
from tests.fault_server import terminate_sessions
from tests.server import wait_until


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="draive_pg")
    return caplog


def warnings_of(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.levelname == "WARNING"]


# --- The hook


def test_hook_is_called_after_each_operation(connect: Connect, dsn: str) -> None:
    events: list[OperationEvent] = []
    db = connect(dsn, on_operation=events.append)
    db.memory("m").remember(asked("q"), answered("a"))
    db.memory("m").recall()
    assert [(each.name, each.round_trips, each.rows) for each in events] == [
        ("look for the tables of conversations", 1, 2),
        ("remember in memory 'm'", 1, 0),
        ("recall memory 'm'", 1, 2),
    ]
    assert all(each.seconds > 0 and not each.cached and each.error is None for each in events)


def test_hook_reports_cache_hits(connect: Connect, dsn: str) -> None:
    events: list[OperationEvent] = []
    db = connect(dsn, on_operation=events.append)
    for _ in range(2):
        db.configurations.load_raw("limits")
    assert [(each.cached, each.round_trips) for each in events] == [(False, 1), (True, 0)]


def test_hook_counts_rows_and_round_trips_of_frame_and_setup(
    connect: Connect, dsn: str, empty_dsn: str
) -> None:
    events: list[OperationEvent] = []
    db = connect(dsn, on_operation=events.append)
    db.memory("m").remember(asked("q"), answered("a"))
    db.frames.conversation_log()
    assert (events[-1].name, events[-1].rows) == ("read frame conversation_log", 2)
    connect(empty_dsn, on_operation=events.append).setup()
    applied = next(each for each in events if each.name.startswith("setup: apply "))
    assert applied.round_trips == 1


def test_hook_reports_errors(connect: Connect, empty_dsn: str) -> None:
    events: list[OperationEvent] = []
    db = connect(empty_dsn, on_operation=events.append)
    with pytest.raises(TableMissing) as raised:
        db.memories.identifiers()
    assert [each.error for each in events] == [None, raised.value]


def test_failing_hook_is_logged_and_call_succeeds(
    connect: Connect, dsn: str, log: pytest.LogCaptureFixture
) -> None:
    db = connect(dsn, on_operation=lambda event: 1 / 0)
    assert db.memories.identifiers() == ()
    *_, record = [record for record in log.records if record.levelname == "ERROR"]
    assert record.getMessage() == "on_operation failed for list memories"
    assert "ZeroDivisionError" in log.text


# --- The log


def test_operation_is_logged_at_debug_level(db: Client, log: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        db.configurations.load_raw("limits")
    first, second = [record.getMessage() for record in log.records]
    assert first.startswith("load configuration 'limits': ")
    assert first.endswith(" ms, round trips: 1")
    assert second.endswith(" ms, cached")
    assert {record.name for record in log.records} == {"draive_pg"}


def test_lost_idle_connection_is_logged_as_warning(
    db: Client, dsn: str, log: pytest.LogCaptureFixture
) -> None:
    db.memories.identifiers()
    terminate_sessions(dsn)
    assert db.memories.identifiers() == ()
    assert warnings_of(log) == ["an idle connection was lost; connecting again"]


def test_lost_listener_connection_is_logged_as_warning(
    connect: Connect, dsn: str, log: pytest.LogCaptureFixture, sql: psycopg.Connection
) -> None:
    db = connect(dsn, live=True)
    db.configurations.load_raw("limits")
    listening = "SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN draive_pg'"
    wait_until(lambda: bool(db.memories.identifiers() == () and sql.execute(listening).fetchall()))
    sql.execute(f"SELECT pg_terminate_backend(pid) FROM ({listening}) AS listener".encode())

    def reported() -> bool:
        db.memories.identifiers()  # the event loop of an async client must run
        return any("the listener lost its connection" in each for each in warnings_of(log))

    wait_until(reported)


def test_loggers_of_other_libraries_are_unchanged() -> None:
    code = """
import logging
import psycopg

def state():
    return {
        name: (each.handlers, each.level, each.propagate, each.filters)
        for name, each in logging.root.manager.loggerDict.items()
        if isinstance(each, logging.Logger)
    }

before = state()
import draive_pg
after = state()
print([name for name in before if after[name] != before[name]])
logging.getLogger("psycopg").warning("seen")
logging.getLogger("draive_pg").warning("unseen")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "seen\n")


# --- Spans


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """The exporter of this process, which can have only one tracer provider."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


def test_operation_creates_span(
    db: Client, spans: InMemorySpanExporter, sql: psycopg.Connection
) -> None:
    db.memory("secret name").remember(asked("q"))
    _, span = spans.get_finished_spans()
    assert (span.name, span.kind) == ("remember in memory", trace.SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "db.system.name": "postgresql",
        "db.operation.name": "remember in memory",
        "db.namespace": sql.info.dbname,
    }


def test_span_records_error(connect: Connect, empty_dsn: str, spans: InMemorySpanExporter) -> None:
    with pytest.raises(TableMissing):
        connect(empty_dsn).memories.identifiers()
    _, span = spans.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes["error.type"] == span.attributes["db.response.status_code"] == "42P01"


def test_opentelemetry_is_imported_lazily() -> None:
    code = "import draive_pg, sys; print([name for name in sys.modules if 'opentel' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_client_works_without_opentelemetry(dsn: str) -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
from draive_pg import Client
with Client(sys.argv[1]) as db:
    print(db.memories.identifiers())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, dsn], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("()\n", "")
