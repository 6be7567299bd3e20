"""``./dev bench``: a short version of all groups, on a new server.

The tables that it prints are also written to docs/performance.md, between its two markers.
``./dev bench --quick`` runs each part once on small tables, and writes nothing: its figures say
nothing, but that the parts work.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from benchmarks import (
    adapters,
    calls,
    conversations,
    documents,
    edits,
    frames,
    measure,
    scale,
    throughput,
    turns,
)
from benchmarks.filling import CONVERSATION, filled
from benchmarks.measure import RATIOS, TIMES, Comparison, Measured
from benchmarks.table import DOCUMENT, with_table
from benchmarks.throughput import Throughput
from draive_pg.embedded import Server

# With the default settings, checkpoints would run during measurements.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB"}

type Row = Comparison | Measured | Throughput


class Sizes(NamedTuple):
    """How much is measured: elements, memories, prompts, and turns of each worker."""

    rows: int = 1_000_000
    fewer: int = 100_000
    length: int = edits.LENGTH
    memories: int = edits.MEMORIES
    names: int = 10_000
    turns: int = 50


QUICK = Sizes(rows=10_000, fewer=5_000, length=500, memories=500, names=20, turns=2)


def main(sizes: Sizes) -> Sequence[str]:
    """Measure, and return the lines of Markdown tables."""
    with tempfile.TemporaryDirectory(prefix="draive-pg-bench-") as top:
        Path(top).chmod(0o755)  # for the user that root's server runs as
        server = Server(Path(top) / "data", settings=SETTINGS).start()
        try:
            rows = measured(server.uri(), sizes)
        finally:
            server.stop(force=True)
    lines: list[str] = []
    for kind, header in TABLES.items():
        lines += [header, *(row.row() for row in rows if isinstance(row, kind)), ""]
    return lines


TABLES = {Comparison: RATIOS, Measured: TIMES, Throughput: throughput.HEADER}


def measured(dsn: str, sizes: Sizes) -> Sequence[Row]:
    """Measure all groups in new databases on a server."""
    groups: Sequence[Callable[[], Sequence[Row]]] = (
        lambda: calls.measure(dsn, rows=sizes.rows),
        lambda: conversations.measure(dsn),
        lambda: scale.measure(dsn, rows=sizes.rows, fewer=sizes.fewer),
        lambda: in_filled(dsn, sizes.rows),
        lambda: turns.measure(dsn, elements=sizes.fewer),
        lambda: edits.measure(dsn, length=sizes.length),
        lambda: edits.listings(dsn, memories=sizes.memories),
        lambda: documents.measure(dsn, names=sizes.names),
        lambda: adapters.measure_in_own_environment(dsn),
        lambda: throughput.measure(dsn, turns=sizes.turns),
    )
    return [row for group in tqdm(groups, unit="group", disable=None) for row in group()]


def in_filled(dsn: str, rows: int) -> Sequence[Row]:
    with filled(dsn, rows, CONVERSATION) as own:
        return [*frames.measure(own), *frames.limited(own)]


if __name__ == "__main__":
    measure.quick = "--quick" in sys.argv
    table = "\n".join(main(QUICK if measure.quick else Sizes()))
    sys.stdout.write(table)
    if not measure.quick:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(with_table(text, table), encoding="utf-8")
