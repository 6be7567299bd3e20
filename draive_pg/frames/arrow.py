"""Arrow, which tells type checkers nothing about itself."""

from importlib import import_module
from typing import Any

__all__ = ("pa", "pc")

pa: Any = import_module("pyarrow")
pc: Any = import_module("pyarrow.compute")
