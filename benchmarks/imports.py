"""Import of chat logs: conversations per second, CPU time of each, and memory.

``python -m benchmarks.imports DSN FILE [TIMES]`` repeats the conversations of a JSON file, each
with an identifier of its own, and imports them into a new database of the server.
"""

import gzip
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import psycopg

from benchmarks.filling import database
from benchmarks.frames import kilobytes
from benchmarks.measure import backends, format_seconds
from draive_pg import Client


def main(dsn: str, source: Path, times: int) -> None:
    with (
        tempfile.TemporaryDirectory() as top,
        database(dsn) as own,
        Client(own) as db,
        psycopg.connect(own, autocommit=True) as connection,
    ):
        db.setup()
        path = Path(top) / "logs.jsonl.gz"
        repeat(source, times, path)
        server, client, wall = backends(connection), process_time(), perf_counter()
        done = db.memories.import_chats(path)
        seconds, client = perf_counter() - wall, process_time() - client
        server = None if server is None else (backends(connection) or 0.0) - server
    spent = {"client": client, "server": server}
    cpu = ", ".join(
        f"{format_seconds(each / done.imported)} of the {name}"
        for name, each in spent.items()
        if each is not None
    )
    sys.stdout.write(
        f"{done.imported:,} conversations ({done.elements:,} elements) in {seconds:.1f} s: "
        f"{done.imported / seconds:,.0f} per second; CPU time of each: {cpu}; "
        f"at most {kilobytes('VmHWM') / 1024:.0f} MB\n"
    )


def repeat(source: Path, times: int, path: Path) -> None:
    """Write the conversations of a file several times."""
    text = source.read_bytes()
    conversations = json.loads(gzip.decompress(text) if source.suffix == ".gz" else text)
    with gzip.open(path, "wt", compresslevel=1) as file:
        for turn in range(times):
            for number, conversation in enumerate(conversations):
                line = {"conversation_id": f"{turn}-{number}", **conversation}
                file.write(f"{json.dumps(line)}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 100)  # noqa: PLR2004
