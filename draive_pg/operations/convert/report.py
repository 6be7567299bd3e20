"""Collect what a conversion does, and what it cannot."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from draive_pg.lines.line import Line
from draive_pg.lines.turns import Loss
from draive_pg.models.conversion import Conversion, ConversionLoss, ConversionRefusal
from draive_pg.models.record import Records
from draive_pg.operations.operation import Operation, Request

if TYPE_CHECKING:
    from tqdm import tqdm

type OnTarget = Callable[[Operation[Any]], Request[Any]]
"""Make a request that runs an operation on the target database."""


class Report:
    """Counts, losses and refusals, by subject.

    Attributes
    ----------
    bar : tqdm
        Advanced for each conversation and document; set before the first one.
    """

    def __init__(self) -> None:
        self.bar: tqdm[Any]
        self.done: Counter[str] = Counter()
        self.refused: list[ConversionRefusal] = []
        self._losses: dict[tuple[str, str], tuple[str, int | None]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def lose(self, subject: str, name: str, losses: Iterable[Loss | str]) -> None:
        """Add what has no counterpart; a str is of the whole conversation or document."""
        for loss in losses:
            position, reason = (None, loss) if isinstance(loss, str) else loss
            self._losses.setdefault((subject, reason), (name, position))
            self._counts[subject, reason] += 1

    def refuse(self, subject: str, name: str, reason: str) -> None:
        """Add something that is not converted."""
        self.refused.append(ConversionRefusal(subject, name, reason))

    def conversion(self, source: Line, target: Line, *, dry_run: bool) -> Conversion:
        """Return the result."""
        losses = [
            ConversionLoss(subject, reason, self._counts[subject, reason], *first)
            for (subject, reason), first in self._losses.items()
        ]
        return Conversion(
            source=source.name,
            target=target.name,
            conversations=self.done["conversations"],
            elements=self.done["elements"],
            documents=self.done["documents"],
            revisions=self.done["revisions"],
            unchanged=self.done["unchanged"],
            losses=Records(ConversionLoss, losses),
            refused=Records(ConversionRefusal, self.refused),
            dry_run=dry_run,
        )
