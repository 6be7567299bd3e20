"""``./dev bench``: a short version of all groups, on an embedded server of its own."""

import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks import calls, frames
from draive_pg.embedded import Server

HEADER = "| what | rival | draive_pg | rival / draive_pg [spread] |\n|---|---|---|---|"


def main() -> None:
    """Measure, and write a Markdown table."""
    with tempfile.TemporaryDirectory(prefix="draive-pg-bench-") as top:
        Path(top).chmod(0o755)  # for the user that root's server runs as
        server = Server(Path(top) / "data").start()
        try:
            rows = [
                *asyncio.run(calls.measure(server.uri(), rows=100_000)),
                *frames.measure(server.uri()),
            ]
        finally:
            server.stop(force=True)
    sys.stdout.write("\n".join([HEADER, *(comparison.row() for comparison in rows), ""]))


if __name__ == "__main__":
    main()
