"""DataFrames: against a bare COPY of the same rows, against pandas, and against draive's decoding.

``python -m benchmarks.frames DSN [ROWS]`` fills a database, and measures the time and the memory
of each method in a new process.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from benchmarks.filling import CONVERSATION, fill
from benchmarks.measure import Comparison, Measured, best, compare
from draive_pg import Client

SIX = ("identifier", "position", "created", "role", "text", "n_chars")
RAW = "SELECT identifier, created, content FROM memories_elements"


def measure(dsn: str) -> list[Comparison]:
    """Measure on a filled database, in this process."""
    with Client(dsn) as db, psycopg.connect(dsn, autocommit=True) as bare:
        count = bare.execute("SELECT count(*) FROM memories_elements").fetchone()
        what = f"log of {count[0] if count else 0:,} elements"
        return [
            compare(
                f"{what}, all columns",
                db.frames.conversation_log,
                "bare COPY",
                lambda: bare_copy(dsn),
                runs=3,
                target=1 / 2.0,
            ),
            compare(
                f"{what}, six columns",
                lambda: db.frames.conversation_log(columns=SIX),
                "bare COPY",
                lambda: bare_copy(dsn),
                runs=3,
                target=1 / 1.2,
            ),
        ]


def limited(dsn: str) -> list[Measured]:
    """Read the beginning of frames of a filled database."""
    with Client(dsn) as db:
        return [
            best("`sessions(limit=1)`", 0.02, lambda: db.frames.sessions(limit=1), runs=5),
            best(
                "`conversation_log(limit=5)`",
                0.02,
                lambda: db.frames.conversation_log(limit=5),
                runs=5,
            ),
        ]


# --- Methods


def bare_copy(dsn: str) -> None:
    with (
        psycopg.connect(dsn, autocommit=True) as bare,
        bare.cursor().copy(f"COPY ({RAW}) TO STDOUT") as rows,
    ):
        for _ in rows:
            pass


def all_columns(dsn: str) -> object:
    return Client(dsn).frames.conversation_log()


def six_columns(dsn: str) -> object:
    return Client(dsn).frames.conversation_log(columns=SIX)


def by_pandas(dsn: str) -> object:
    import pandas as pd
    from sqlalchemy import create_engine

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn))
    frame = pd.read_sql(RAW, engine)
    return frame.join(pd.json_normalize(frame.pop("content").tolist(), max_level=0))


def by_draive(dsn: str) -> object:
    import pandas as pd
    from draive import ModelInput, ModelOutput

    with psycopg.connect(dsn) as bare:
        rows = bare.execute(RAW).fetchall()
    kinds: dict[str, Any] = {"model_input": ModelInput, "model_output": ModelOutput}
    elements = [kinds[content["type"]].from_mapping(content) for _, _, content in rows]
    return pd.DataFrame(
        {
            "identifier": [row[0] for row in rows],
            "created": [row[1] for row in rows],
            "text": [element.content.to_str() for element in elements],
        }
    )


def exporting(suffix: str) -> Callable[[str], object]:
    def export(dsn: str) -> None:
        with tempfile.TemporaryDirectory() as top:
            Client(dsn).frames.export("conversation_log", Path(top) / f"log.{suffix}")

    return export


WAYS: dict[str, Callable[[str], object]] = {
    "bare COPY": bare_copy,
    "all columns": all_columns,
    "six columns": six_columns,
    "pandas.read_sql, json_normalize": by_pandas,
    "draive's decoding": by_draive,
    "export to Parquet": exporting("parquet"),
    "export to CSV": exporting("csv"),
    "export to JSON Lines": exporting("jsonl"),
}


# --- Measurement in new processes


def alone(way: str, dsn: str) -> dict[str, float]:
    """Return the seconds and the added megabytes of one method in a new process."""
    command = [sys.executable, "-m", "benchmarks.frames", dsn, "--way", way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return json.loads(done.stdout)


def one(way: str, dsn: str) -> None:
    """Run one method and print its costs, without imports and the first small frame."""
    Client(dsn).frames.conversation_log(limit=1)
    before = kilobytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    started = perf_counter()
    made = WAYS[way](dsn)
    seconds = perf_counter() - started
    frame = made.memory_usage(deep=True).sum() if hasattr(made, "memory_usage") else 0  # pyright: ignore
    added = (kilobytes("VmHWM") - before) / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "peak": added, "frame": frame / 2**20}))
    sys.stdout.flush()
    os._exit(0)


def kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def main(dsn: str, rows: int, runs: int = 3) -> None:
    with Client(dsn) as db:
        db.setup()
    fill(dsn, rows, CONVERSATION)
    taken: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(runs):
        for way in WAYS:
            floor = alone("bare COPY", dsn)["seconds"]
            taken[way].append({**alone(way, dsn), "floor": floor})
    sys.stdout.write("| way | x bare COPY [spread] | seconds | peak MB | frame MB |\n|-|-|-|-|-|\n")
    for way, all_runs in taken.items():
        ratios = sorted(run["seconds"] / run["floor"] for run in all_runs)
        seconds = sorted(run["seconds"] for run in all_runs)[runs // 2]
        sys.stdout.write(
            f"| {way} | {ratios[runs // 2]:.2f} [{ratios[0]:.2f}-{ratios[-1]:.2f}] "
            f"| {seconds:.2f} | {max(run['peak'] for run in all_runs):.0f} "
            f"| {all_runs[0]['frame']:.0f} |\n"
        )


if __name__ == "__main__":
    if "--way" in sys.argv:
        one(sys.argv[3], sys.argv[1])
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000)  # noqa: PLR2004
