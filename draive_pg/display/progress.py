"""Progress bars, in a terminal or a notebook."""

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from draive_pg.display.notebook import in_notebook

if TYPE_CHECKING:
    from collections.abc import Generator

    from tqdm import tqdm

DELAY = 0.5  # seconds before a bar appears by default; in a notebook, a bar leaves an empty line


@contextmanager
def progress(
    total: int | None, what: str, unit: str, *, wanted: bool | None = None
) -> "Generator[tqdm[Any]]":
    """Show a progress bar; by default only in a terminal or notebook, after half a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm warns if ipywidgets is missing
        from tqdm.auto import tqdm

        bar = tqdm(
            total=total,
            desc=what,
            unit=unit,
            unit_scale=True,
            delay=DELAY if wanted is None or in_notebook() else 0,
            leave=False,
            disable=not watched(wanted),
            # Without ipywidgets, the bar is text, and text on stderr has a red background.
            file=sys.stdout if in_notebook() else None,
        )
    with bar:
        try:
            yield bar
        finally:  # a notebook keeps a bar that has not reached its total, in red
            bar.total = bar.n


def watched(wanted: bool | None = None) -> bool:  # noqa: FBT001 - as the callers' option
    """Return whether to show progress: as wanted, or else in a terminal or notebook."""
    if wanted is not None:
        return wanted
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
