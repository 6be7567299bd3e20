"""A bar for long work, where a person watches."""

import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ("progress",)

PATIENCE = 0.5  # seconds that work may take without a bar


def progress(total: int | None, what: str, unit: str) -> "tqdm[Any]":
    """Return a bar that shows in a notebook and in a terminal, and nowhere else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets the bar is of text, which is fine
        from tqdm.auto import tqdm

        watched = sys.stderr.isatty() or "ipykernel" in sys.modules
        return tqdm(
            total=total,
            desc=what,
            unit=unit,
            unit_scale=True,
            delay=PATIENCE,
            leave=False,
            disable=not watched,
        )
