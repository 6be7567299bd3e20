"""Two ways of doing the same, timed call by call in turn, so that what slows one slows both."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from inspect import isawaitable
from statistics import fmean, median
from time import perf_counter

HEADER = "| what | rival | draive_pg | rival / draive_pg [spread] |\n|---|---|---|---|"


@dataclass(frozen=True)
class Comparison:
    """What was compared, with the times of both.

    Attributes
    ----------
    ours, rival : list of float
        Seconds that a call took, the mean of each run.
    """

    what: str
    rival_name: str
    ours: list[float]
    rival: list[float]

    @property
    def ratios(self) -> list[float]:
        """How many times as long the rival took in each run, in order of size."""
        return sorted(rival / ours for ours, rival in zip(self.ours, self.rival, strict=True))

    def row(self) -> str:
        """Return a row of a Markdown table, under `HEADER`."""
        ratios = self.ratios
        return (
            f"| {self.what} | {self.rival_name}: {shown(median(self.rival))} "
            f"| {shown(median(self.ours))} "
            f"| {median(ratios):.2f}x [{ratios[0]:.2f}-{ratios[-1]:.2f}] |"
        )


def shown(seconds: float) -> str:
    """Return a time in the unit that suits it."""
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
) -> Comparison:
    """Time two functions in turn; what they return is awaited where it can be.

    Parameters
    ----------
    what, rival_name : str
        What both do, and who the other one is.
    runs, calls : int
        How often the means are taken, of how many pairs of calls each; a run to warm up comes
        first.
    before : callable
        Called before each run, and followed by a pair that does not count: connections made anew
        share out the luck of where the server's processes run.
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

    await run()
    means = [await run() for _ in range(runs)]
    return Comparison(what, rival_name, [mean[0] for mean in means], [mean[1] for mean in means])


def compare(
    what: str,
    ours: Callable[[], object],
    rival_name: str,
    rival: Callable[[], object],
    *,
    runs: int = 9,
    calls: int = 1,
    before: Callable[[], object] | None = None,
) -> Comparison:
    """Do as `compare_async` where no event loop runs."""
    return asyncio.run(
        compare_async(what, ours, rival_name, rival, runs=runs, calls=calls, before=before)
    )
