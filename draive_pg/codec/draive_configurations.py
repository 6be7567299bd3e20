"""Configurations as objects of draive."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, time, timedelta
from enum import Enum
from types import NoneType
from typing import Any, cast
from uuid import UUID

from draive_pg.codec.draive_import import Importing

with Importing("a class of configurations", "0.87 or newer", "draive_pg[draive]"):
    from draive import Configuration
    from haiway import ConfigurationInvalid, Map, Meta, State

FROZEN = (str, int, float, bytes, NoneType, date, time, timedelta, UUID, Enum)


def decode_configuration[Config: Configuration](
    config: type[Config], identifier: str, content: Mapping[str, Any]
) -> Config:
    """Build a stored configuration as the given class, or raise ConfigurationInvalid."""
    try:
        return config.from_mapping(content)
    except Exception as error:  # draive's validation raises many kinds
        raise ConfigurationInvalid(identifier=identifier, reason=str(error)) from error


def immutable_or_factory[T](make: Callable[[], T]) -> Callable[[], T]:
    """Return a factory: one shared instance if deeply immutable, else a new one per call."""
    value = make()
    return (lambda: value) if _is_frozen(value) else make


def _is_frozen(value: object) -> bool:
    if isinstance(value, FROZEN):
        return True
    if isinstance(value, tuple | frozenset):
        return all(map(_is_frozen, cast("Iterable[object]", value)))
    if isinstance(value, Map | Meta):
        return all(map(_is_frozen, cast("Mapping[str, object]", value).values()))
    return isinstance(value, State) and all(map(_is_frozen, vars(value).values()))
