"""Adapters for values of our statements: psycopg's own, without what an application registers."""

from typing import Any, NamedTuple, override

from psycopg import BaseConnection
from psycopg.adapt import AdaptersMap, PyFormat
from psycopg.postgres import register_default_adapters, register_default_types
from psycopg.types import TypesRegistry
from psycopg.types.array import BaseListDumper, ListBinaryDumper, register_all_arrays


class ArrayDumper(ListBinaryDumper):
    """Dump lists as binary arrays: in text, the setting ``array_nulls`` turns NULL into a text."""

    @override
    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper:
        typed = obj if any(each is not None for each in obj) else [""]
        return super().upgrade(typed, format)


def _default_adapters() -> AdaptersMap:
    """Return the adapters of psycopg before an application changes them, and ours for lists."""
    adapters = AdaptersMap(types=TypesRegistry())
    register_default_types(adapters.types)
    register_default_adapters(adapters)
    register_all_arrays(adapters)
    adapters.register_dumper(list, ArrayDumper)
    return adapters


ADAPTERS = _default_adapters()


class Adaptation(NamedTuple):
    """The adaptation context of a connection, with the adapters of this module."""

    connection: BaseConnection[Any]
    adapters: AdaptersMap = ADAPTERS
