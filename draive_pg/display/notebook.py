"""What IPython shows: HTML in a notebook, text in a terminal."""

import sys
from typing import Any


def shell() -> Any:
    """Return the running IPython, or None."""
    ipython: Any = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    return hasattr(shell(), "kernel")


class ShownAsText:
    """A base of what IPython shows as `text_for` says, besides HTML."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002, FBT001 - of IPython
        printer.text(text_for(self))


def text_for(value: object) -> str:
    """Return the text of a value in IPython; a notebook, which shows HTML, also keeps a repr."""
    return repr(value) if in_notebook() else str(value)
