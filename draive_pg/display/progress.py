"""A bar for long work, where a person watches."""

import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ("progress", "watched")

PATIENCE = 0.5  # seconds that work may take without a bar


def progress(total: int | None, what: str, unit: str, *, wanted: bool | None = None) -> "tqdm[Any]":
    """Return a bar that shows if it is wanted, else where a person watches and it takes long."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets the bar is of text, which is fine
        from tqdm.auto import tqdm

        return tqdm(
            total=total,
            desc=what,
            unit=unit,
            unit_scale=True,
            delay=PATIENCE if wanted is None else 0,
            leave=False,
            disable=not (watched() if wanted is None else wanted),
        )


def watched() -> bool:
    """Tell whether a person may be looking: at a terminal, or at a notebook."""
    ipython: Any = sys.modules.get("IPython")
    in_notebook = ipython is not None and hasattr(ipython.get_ipython(), "kernel")
    return in_notebook or (sys.stderr is not None and sys.stderr.isatty())
