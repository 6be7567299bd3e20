"""How values are sent and received: as psycopg does, whatever an application registers globally."""

from typing import Any, NamedTuple, override

from psycopg import BaseConnection
from psycopg.adapt import AdaptersMap, PyFormat
from psycopg.postgres import register_default_adapters, register_default_types
from psycopg.types import TypesRegistry
from psycopg.types.array import BaseListDumper, ListBinaryDumper, register_all_arrays


class ArrayDumper(ListBinaryDumper):
    """Sends arrays in binary: in text, the setting ``array_nulls`` turns NULL into a text."""

    @override
    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper:
        typed = obj if any(each is not None for each in obj) else [""]
        return super().upgrade(typed, format)


def _default_adapters() -> AdaptersMap:
    """Return what ``psycopg.adapters`` are before an application changes them."""
    adapters = AdaptersMap(types=TypesRegistry())
    register_default_types(adapters.types)
    register_default_adapters(adapters)
    register_all_arrays(adapters)
    adapters.register_dumper(list, ArrayDumper)
    return adapters


ADAPTERS = _default_adapters()


class Adaptation(NamedTuple):
    """These adapters, for the literals of a connection."""

    connection: BaseConnection[Any]
    adapters: AdaptersMap = ADAPTERS
