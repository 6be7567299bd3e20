"""Two ways of doing the same, timed in turn, so that what slows the machine slows both."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

__all__ = ("Comparison", "compare", "compare_async")


@dataclass(frozen=True)
class Comparison:
    """What was compared, with the times of both and their ratio, pair by pair.

    Attributes
    ----------
    ours, rival : list of float
        Seconds of each run.
    """

    what: str
    rival_name: str
    ours: list[float]
    rival: list[float]

    def row(self) -> str:
        """Return a row of a Markdown table."""
        ratios = sorted(rival / ours for ours, rival in zip(self.ours, self.rival, strict=True))
        spread = f"{ratios[0]:.2f}-{ratios[-1]:.2f}"
        return (
            f"| {self.what} | {self.rival_name}: {shown(median(self.rival))} "
            f"| {shown(median(self.ours))} | {median(ratios):.2f}x [{spread}] |"
        )


def shown(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def compare(
    what: str,
    ours: Callable[[], object],
    rival_name: str,
    rival: Callable[[], object],
    *,
    runs: int = 15,
    calls: int = 1,
) -> Comparison:
    """Time two functions in turn, after a warm-up; each run makes so many calls."""

    def timed(function: Callable[[], object]) -> float:
        started = perf_counter()
        for _ in range(calls):
            function()
        return (perf_counter() - started) / calls

    timed(ours), timed(rival)
    pairs = [(timed(ours), timed(rival)) for _ in range(runs)]
    return Comparison(what, rival_name, [pair[0] for pair in pairs], [pair[1] for pair in pairs])


async def compare_async(
    what: str,
    ours: Callable[[], object],
    rival_name: str,
    rival: Callable[[], Awaitable[object]],
    *,
    runs: int = 15,
) -> Comparison:
    """Time a function against an asynchronous one, in turn, after a warm-up."""

    async def timed(function: Callable[[], Awaitable[object]]) -> float:
        started = perf_counter()
        await function()
        return perf_counter() - started

    async def ours_async() -> object:
        return ours()

    await timed(ours_async), await timed(rival)
    pairs = [(await timed(ours_async), await timed(rival)) for _ in range(runs)]
    return Comparison(what, rival_name, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
