"""``./dev bench``: a short version of all groups, in under three minutes, on a server of its own.

The table that it prints is also written into the README, between its two markers.
"""

import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from benchmarks import calls, conversations, frames, scale
from benchmarks.filling import filled
from benchmarks.measure import HEADER, Comparison
from draive_pg.embedded import Server

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"

# As a server of this size would be set up; with the defaults, checkpoints come in between.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB"}


def main() -> None:
    """Measure, and write a Markdown table."""
    with tempfile.TemporaryDirectory(prefix="draive-pg-bench-") as top:
        Path(top).chmod(0o755)  # for the user that root's server runs as
        server = Server(Path(top) / "data", settings=SETTINGS).start()
        try:
            rows = measure(server.uri())
        finally:
            server.stop(force=True)
    table = "\n".join([HEADER, *(comparison.row() for comparison in rows), ""])
    sys.stdout.write(table)
    README.write_text(with_table(README.read_text(encoding="utf-8"), table), encoding="utf-8")


def measure(dsn: str) -> list[Comparison]:
    """Measure all groups in databases of their own on a server."""
    found: list[Comparison] = []
    with tqdm(total=4, unit="group", disable=None) as progress:
        for group in (
            lambda: calls.measure(dsn),
            lambda: conversations.measure(dsn),
            lambda: scale.measure(dsn, rows=1_000_000, fewer=100_000),
            lambda: in_filled(dsn),
        ):
            found += group()
            progress.update()
    return found


def in_filled(dsn: str) -> list[Comparison]:
    with filled(dsn, 100_000) as own:
        return frames.measure(own)


def with_table(text: str, table: str) -> str:
    """Return a document with another table between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise ValueError(f"there is no place for the table: {BEGIN.strip()} … {END.strip()}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    main()
