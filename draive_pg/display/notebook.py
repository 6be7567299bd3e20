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


def text_for(value: object) -> str:
    """Return the text of a value in IPython; a notebook, which shows HTML, also keeps a repr."""
    return repr(value) if in_notebook() else str(value)
