"""Comparison of two functions by alternating calls, so that disturbances affect both."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from statistics import fmean, median
from time import perf_counter, process_time
from typing import Any

import psycopg

RATIOS = (
    "| what | rival | draive_pg | rival / draive_pg [spread] | target | holds |"
    "\n|---|---|---|---|---|---|"
)
TIMES = "| what | target | wall | client CPU | holds |\n|---|---|---|---|---|"


# Set by `./dev bench --quick`: one run of at most two pairs of calls.
quick = False


@dataclass(frozen=True)
class Comparison:
    """The times of two compared functions.

    Attributes
    ----------
    ours, rival : list of float
        Mean seconds per call, of each run.
    target : float | None
        The smallest wanted ratio of the rival's time to ours.
    """

    what: str
    rival_name: str
    ours: list[float]
    rival: list[float]
    target: float | None = None

    @property
    def ratios(self) -> list[float]:
        """The sorted ratios of the rival's time to ours, of each run."""
        return sorted(rival / ours for ours, rival in zip(self.ours, self.rival, strict=True))

    def row(self) -> str:
        """Return a row of a Markdown table, under `RATIOS`."""
        ratios, target = self.ratios, self.target
        holds = " | " if target is None else f"{target:.3g}x | {_shown(median(ratios) >= target)}"
        return (
            f"| {self.what} | {self.rival_name}: {format_seconds(median(self.rival))} "
            f"| {format_seconds(median(self.ours))} "
            f"| {median(ratios):.2f}x [{ratios[0]:.2f}-{ratios[-1]:.2f}] | {holds} |"
        )


@dataclass(frozen=True)
class Measured:
    """The best of several calls, and its target."""

    what: str
    target: float
    wall: float
    client: float

    def row(self) -> str:
        """Return a row of a Markdown table, under `TIMES`."""
        return (
            f"| {self.what} | {self.target:g} s | {format_seconds(self.wall)} "
            f"| {format_seconds(self.client)} | {_shown(self.wall <= self.target)} |"
        )


def _shown(holds: object) -> str:
    return "yes" if holds else "**no**"


def best(what: str, target: float, call: Callable[[], object], *, runs: int) -> Measured:
    """Return the fastest of some runs."""

    def timed() -> Measured:
        wall, client = perf_counter(), process_time()
        call()
        return Measured(what, target, perf_counter() - wall, process_time() - client)

    return min((timed() for _ in range(runs)), key=lambda each: each.wall)


def format_seconds(seconds: float) -> str:
    """Return a time with a suitable unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


async def compare_async(
    what: str,
    ours: Callable[[], object],
    rival_name: str,
    rival: Callable[[], object],
    *,
    runs: int = 9,
    calls: int = 1,
    before: Callable[[], object] | None = None,
    target: float | None = None,
) -> Comparison:
    """Time two functions in turn; awaitable results are awaited.

    Parameters
    ----------
    what, rival_name : str
        Names of the comparison and of the rival.
    runs, calls : int
        Number of runs, and of pairs of calls in each run; a warm-up run comes first.
    before : callable
        Called before each run, and followed by a pair that does not count. New connections
        average out the placement of server processes.
    target : float
        The smallest wanted ratio of the rival's time to ours.
    """

    async def timed(function: Callable[[], object]) -> float:
        started = perf_counter()
        result = function()
        ended = perf_counter()
        if isawaitable(result):
            await result
            ended = perf_counter()
        return ended - started

    async def run() -> tuple[float, float]:
        if before is not None:
            before()
            await timed(ours)
            await timed(rival)
        pairs = [(await timed(ours), await timed(rival)) for _ in range(calls)]
        return fmean(pair[0] for pair in pairs), fmean(pair[1] for pair in pairs)

    if quick:
        runs, calls = 1, min(calls, 2)
    await run()
    means = [await run() for _ in range(runs)]
    taken, rivals = [mean[0] for mean in means], [mean[1] for mean in means]
    return Comparison(what, rival_name, taken, rivals, target)


def compare(
    what: str,
    ours: Callable[[], object],
    rival_name: str,
    rival: Callable[[], object],
    **options: Any,
) -> Comparison:
    """Run `compare_async` without a running event loop."""
    return asyncio.run(compare_async(what, ours, rival_name, rival, **options))


def backends(connection: psycopg.Connection) -> float | None:
    """Return the CPU seconds of all processes for a database; None if they are not here."""
    pids = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()"
    ).fetchall()
    try:
        times = [Path(f"/proc/{pid}/schedstat").read_text().split()[0] for (pid,) in pids]
    except OSError:
        return None
    return sum(map(int, times)) / 1e9
