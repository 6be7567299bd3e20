"""Arrow, which tells type checkers nothing about itself."""

from importlib import import_module
from typing import Any

__all__ = ("SYSTEM", "pa", "pc")

pa: Any = import_module("pyarrow")
pc: Any = import_module("pyarrow.compute")

# Arrow's own allocators keep half as much again for arrays of some hundred kilobytes.
SYSTEM: Any = pa.system_memory_pool()
