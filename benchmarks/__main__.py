"""``./dev bench``: a short version of all groups, in about five minutes, on a new server.

The tables that it prints are also written to docs/performance.md, between its two markers.
"""

import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from benchmarks import calls, conversations, documents, edits, frames, scale
from benchmarks.filling import CONVERSATION, filled
from benchmarks.measure import HEADER, RATIOS, TIMES, Comparison
from benchmarks.table import DOCUMENT, with_table
from draive_pg.embedded import Server

# With the default settings, checkpoints would run during measurements.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB"}


def main() -> None:
    """Measure, and write a Markdown table."""
    with tempfile.TemporaryDirectory(prefix="draive-pg-bench-") as top:
        Path(top).chmod(0o755)  # for the user that root's server runs as
        server = Server(Path(top) / "data", settings=SETTINGS).start()
        try:
            dsn = server.uri()
            rows = measure(dsn)
            stored = conversations.measure(dsn)
            edited = edits.measure(dsn)
            listings = [*edits.listings(dsn), *documents.measure(dsn)]
        finally:
            server.stop(force=True)
    table = "\n".join(
        [
            HEADER,
            *(comparison.row() for comparison in rows),
            "",
            RATIOS,
            *(comparison.row_with_target(conversations.TARGET) for comparison in stored),
            *(comparison.row_with_target(edits.TARGET) for comparison in edited),
            "",
            TIMES,
            *(measured.row() for measured in listings),
            "",
        ]
    )
    sys.stdout.write(table)
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(encoding="utf-8"), table), encoding="utf-8")


def measure(dsn: str) -> list[Comparison]:
    """Measure all groups in new databases on a server."""
    found: list[Comparison] = []
    with tqdm(total=3, unit="group", disable=None) as progress:
        for group in (
            lambda: calls.measure(dsn),
            lambda: scale.measure(dsn, rows=1_000_000, fewer=100_000),
            lambda: in_filled(dsn),
        ):
            found += group()
            progress.update()
    return found


def in_filled(dsn: str) -> list[Comparison]:
    with filled(dsn, 1_000_000, CONVERSATION) as own:
        return frames.measure(own)


if __name__ == "__main__":
    main()
