"""The ``configurations`` table as draive knows it: its listing, snapshots, their removal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from draive_pg.codec.json import encode, parse
from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_mapping, check_text, check_timestamp
from draive_pg.operations.operation import Key, Operation, Statement, advisory_lock

if TYPE_CHECKING:
    from draive import Configuration

__all__ = (
    "TABLE",
    "append",
    "encoded",
    "identifiers",
    "load",
    "load_raw",
    "remove",
    "stale",
    "subject_of",
    "turn",
)

TABLE = "configurations"

# Steps from one identifier to the next by the key's index, however many snapshots each one has.
IDENTIFIERS = """
WITH RECURSIVE found AS (
    (SELECT identifier FROM {schema}.configurations ORDER BY identifier LIMIT 1)
    UNION ALL
    SELECT (
        SELECT later.identifier
        FROM {schema}.configurations AS later
        WHERE later.identifier > found.identifier
        ORDER BY later.identifier
        LIMIT 1
    )
    FROM found
    WHERE found.identifier IS NOT NULL
)
SELECT identifier FROM found WHERE identifier IS NOT NULL
"""

# Of now, or of the time $2.
LATEST = """
SELECT content::TEXT
FROM {schema}.configurations
WHERE identifier = $1::TEXT AND ($2::TIMESTAMPTZ IS NULL OR created <= $2::TIMESTAMPTZ)
ORDER BY created DESC
LIMIT 1
"""

# The lock is held: later than the clock and than all before it, whatever the clock did.
APPEND = """
INSERT INTO {schema}.configurations (identifier, content, created)
SELECT
    $1::TEXT,
    $2::JSONB,
    greatest(clock_timestamp(), max(created) + INTERVAL '1 microsecond')
FROM {schema}.configurations
WHERE identifier = $1::TEXT
"""

REMOVE = """
WITH removed AS (
    DELETE FROM {schema}.configurations WHERE identifier = $1::TEXT RETURNING identifier
)
SELECT count(*) FROM removed
"""


def identifiers() -> Operation[tuple[str, ...]]:
    """All known identifiers, in order."""
    return Operation(
        name="list configurations",
        statements=(Statement(IDENTIFIERS),),
        reads=True,
        decode=lambda rows: tuple(row[0] for row in rows),
        key=Key(TABLE),
    )


def load_raw(
    identifier: str, *, as_of: Timestamp | None = None
) -> Operation[dict[str, Any] | None]:
    """The newest snapshot of an identifier; each caller gets a copy of its own."""
    what = f"configuration {check_text(identifier, 'identifier')!r:.80}"
    as_of = check_timestamp(as_of, "as_of")
    return Operation(
        name=f"load {what}",
        statements=(Statement(LATEST, (identifier, as_of)),),
        reads=True,
        decode=lambda rows: rows[0][0] if rows else None,
        present=lambda content: None if content is None else parse(content, what),
        key=Key(TABLE, identifier, as_of),
    )


def load[Config: "Configuration"](
    config: type[Config],
    *,
    identifier: str | None,
    default: Config | None,
    required: bool,
    as_of: Timestamp | None = None,
) -> Operation[Config | None]:
    """The newest snapshot as an instance of a class, else the default, else as draive does."""
    from draive_pg.codec import draive_types as codec

    if not (isinstance(config, type) and issubclass(config, codec.Configuration)):
        raise TypeError(f"load takes a Configuration class, not {config!r:.80}")
    subject = config.__qualname__ if identifier is None else check_text(identifier, "identifier")
    as_of = check_timestamp(as_of, "as_of")

    def made(text: str) -> Config:
        content = parse(text, f"configuration {subject!r:.80}")
        return codec.decode_configuration(config, subject, content)

    return Operation(
        name=f"load configuration {subject!r:.80}",
        statements=(Statement(LATEST, (subject, as_of)),),
        reads=True,
        decode=lambda rows: codec.immutable_or_factory(lambda: made(rows[0][0])) if rows else None,
        present=lambda loaded: (
            loaded()
            if loaded is not None
            else _instead(config, subject, default, required=required)
        ),
        key=Key(TABLE, subject, (config, as_of)),
    )


def append(identifier: str, value: Mapping[str, Any]) -> Operation[None]:
    """A new snapshot whatever the newest one is, as draive writes it."""
    subject, content = encoded(identifier, value)
    return Operation(
        name=f"define configuration {subject!r:.80}",
        statements=(turn(subject), Statement(APPEND, (subject, content))),
        evicts=stale(subject),
    )


def remove(identifier: "type[Configuration] | str") -> Operation[int]:
    """Remove all snapshots of an identifier, or of a class's own; their count."""
    named = identifier.__qualname__ if isinstance(identifier, type) else identifier
    subject = check_text(named, "identifier")
    return Operation(
        name=f"remove configuration {subject!r:.80}",
        statements=(turn(subject), Statement(REMOVE, (subject,))),
        decode=lambda rows: rows[0][0],
        evicts=stale(subject),
    )


def turn(identifier: str) -> Statement:
    """Make those who write snapshots of an identifier take turns."""
    return advisory_lock(subject_of(identifier))


def subject_of(identifier: str) -> str:
    """Return what those lock who write snapshots of an identifier."""
    return f"{TABLE}/{identifier}"


def stale(identifier: str) -> tuple[Key, ...]:
    """Return what a change of an identifier's snapshots makes stale."""
    return (Key(TABLE), Key(TABLE, identifier))


def encoded(
    config: "Configuration | str", value: "Configuration | Mapping[str, Any] | None"
) -> tuple[str, str]:
    """Return the identifier, given or that of the configuration's class, and the JSON text."""
    if isinstance(config, str):
        subject = check_text(config, "identifier")
        if value is None:
            raise TypeError(f"define({subject!r:.80}, value) needs the value to define")
    else:
        if value is not None:
            raise TypeError("define takes a configuration alone, or an identifier and a value")
        subject, value = type(config).__qualname__, config
    return subject, encode(_members(value), "the configuration")


def _members(value: "Configuration | Mapping[str, Any]") -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    from draive_pg.codec import draive_types as codec

    if isinstance(value, codec.Configuration):
        return value.to_mapping(recursive=True)
    return check_mapping(value, "the configuration")


def _instead[Config: "Configuration"](
    config: type[Config], subject: str, default: Config | None, *, required: bool
) -> Config | None:
    """Return what holds where nothing was defined."""
    if default is not None or not required:
        return default
    try:
        return config()  # draive's rule: the class may have defaults for all it holds
    except Exception:
        from draive_pg.codec import draive_types as codec

        raise codec.ConfigurationMissing(identifier=subject) from None
