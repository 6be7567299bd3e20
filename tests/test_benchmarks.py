"""Building blocks of the benchmarks."""

import subprocess
import sys
from dataclasses import replace
from time import perf_counter
from typing import Any

import psycopg
import pytest

from benchmarks import documents
from benchmarks.filling import PER_MEMORY, apply, database, fill, filled
from benchmarks.measure import Comparison, Measured, compare, format_seconds
from benchmarks.network import delayed
from benchmarks.table import DOCUMENT, with_table
from draive_pg import Client


def test_row_shows_times_ratio_and_spread() -> None:
    comparison = Comparison("it", "theirs", [0.001, 0.002, 0.004], [0.002, 0.004, 0.016])
    row = "| it | theirs: 4 ms | 2 ms | 2.00x [2.00-4.00] |"
    assert comparison.row() == f"{row}  |  |"
    assert replace(comparison, target=1.2).row() == f"{row} 1.2x | yes |"
    assert replace(comparison, target=2.5).row() == f"{row} 2.5x | **no** |"


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.5 s"), (0.0125, "12.5 ms"), (9.9e-6, "9.9 µs"), (5e-9, "5 ns")]
)
def test_times_are_formatted_with_suitable_unit(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_calls_alternate_after_warm_up_run() -> None:
    made: list[str] = []

    async def theirs() -> None:
        made.append("b")

    comparison = compare(
        "it",
        lambda: made.append("a"),
        "theirs",
        theirs,
        runs=2,
        calls=3,
        before=lambda: made.append("-"),
    )
    assert "".join(made) == ("-" + "ab" + "ab" * 3) * 3
    assert len(comparison.ours) == len(comparison.rival) == 2


def test_latency_proxy_delays_each_round_trip(dsn: str) -> None:
    with delayed(dsn, 0.05) as far, psycopg.connect(far, autocommit=True) as connection:
        for number in range(3):
            started = perf_counter()
            ((answer,),) = connection.execute("SELECT %s::INT", (number,)).fetchall()
            assert answer == number
            assert perf_counter() - started >= 0.05


@pytest.mark.parametrize("options", [{}, {"partitioned": True}], ids=["plain", "partitioned"])
def test_filled_database_has_requested_rows(dsn: str, options: Any) -> None:
    with filled(dsn, 10 * PER_MEMORY, **options) as own, Client(own) as db:
        assert len(db.memories.identifiers()) == 10
        assert len(db.memory("m7").log()) == PER_MEMORY
        assert len(db.memory("m7").recall(limit=20).context) == 20


def test_seed_tables_have_no_additional_index(dsn: str) -> None:
    with database(dsn) as own:
        apply(own, "003_memories.sql")
        fill(own, PER_MEMORY)
        with psycopg.connect(own) as connection:
            found = connection.execute(
                "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"
            ).fetchall()
    assert found == [("memories_pkey",)]


def test_with_table_replaces_previous_table() -> None:
    once = with_table(DOCUMENT.read_text(encoding="utf-8"), "| one |\n")
    twice = with_table(once, "| two |\n")
    assert "| two |" in twice
    assert "| one |" not in twice
    assert with_table(twice, "| one |\n") == once


def test_with_table_rejects_document_without_markers() -> None:
    with pytest.raises(ValueError, match="no place for the table"):
        with_table("# Figures\n", "| one |\n")


@pytest.mark.slow
def test_writes_survive_five_seconds_of_chaos() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chaos", "5"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "       0 violations" in done.stdout


def test_documents_are_measured_against_targets(dsn: str) -> None:
    measured = documents.measure(dsn, names=10, runs=1)
    assert [each.what for each in measured] == ["list", "labels", "search", "pull", "status"]
    assert Measured("pull", 5, 6, 0.5).row() == "| pull | 5 s | 6 s | 500 ms | **no** |"


@pytest.mark.frameworks
@pytest.mark.slow
def test_throughput_of_each_store_is_measured(dsn: str) -> None:
    throughput = pytest.importorskip("benchmarks.throughput", exc_type=ImportError)
    measured = throughput.measure(dsn, turns=1)
    assert [each.what for each in measured] == ["32 threads"] * 2 + ["32 tasks"] * 4
    assert all(each.server and each.client and each.wall for each in measured)
    assert all(each.row().count("|") == throughput.HEADER.count("|") // 2 for each in measured)
