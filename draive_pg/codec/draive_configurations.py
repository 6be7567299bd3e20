"""Configurations as objects of draive."""

from collections.abc import Callable, Iterable, Iterator, Mapping
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


def configuration_problems(config: type[Configuration], content: Mapping[str, Any]) -> list[str]:
    """Return why a document does not fit a class: values that it rejects, or unknown keys."""
    try:
        made = config.from_mapping(content)
    except Exception as error:  # draive's validation raises many kinds
        return [" ".join(str(error).split())]
    return [
        f"{config.__qualname__} has no {key!r:.80}, so it is ignored"
        for key in _unknown_keys(content, made, "")
    ]


def _unknown_keys(content: object, made: object, path: str) -> Iterator[str]:
    """Return the paths of keys that an object did not take from its JSON document."""
    if isinstance(content, Mapping) and isinstance(made, State | Mapping):
        # The values by alias, and by attribute.
        known = (
            {**made.to_mapping(recursive=False), **vars(made)}
            if isinstance(made, State)
            else cast("Mapping[str, object]", made)
        )
        for key, value in cast("Mapping[str, object]", content).items():
            if key in known:
                yield from _unknown_keys(value, known[key], f"{path}{key}.")
            else:
                yield f"{path}{key}"
    elif isinstance(content, list) and isinstance(made, tuple):
        pairs = zip(cast("list[object]", content), cast("tuple[object]", made), strict=False)
        for number, (value, item) in enumerate(pairs):
            yield from _unknown_keys(value, item, f"{path}{number}.")


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
    names = (field.name for field in getattr(value, "__FIELDS__", ()))
    return isinstance(value, State) and all(_is_frozen(getattr(value, name)) for name in names)
