"""Keys of writes that must not be repeated: a key of a memory is used once until it expires."""

from datetime import timedelta
from typing import Any, LiteralString

from draive_pg.codec.validation import check_text
from draive_pg.operations.operation import Query

# A week is longer than any retry, and short enough for the table to stay small.
EXPIRATION = timedelta(days=7)

# The common table expression `fresh` has a row if the key is new. The caller holds the lock of the
# memory, and has run `FORGET_EXPIRED`.
FRESH: LiteralString = """fresh AS (
    INSERT INTO {schema}.draive_pg_keys (identifier, key, expires)
    VALUES (:identifier::TEXT, :key::TEXT, clock_timestamp() + :expiration::INTERVAL)
    ON CONFLICT (identifier, key) DO NOTHING
    RETURNING key
)"""

IS_FRESH: LiteralString = "EXISTS (SELECT FROM fresh)"

FORGET_EXPIRED = Query(
    "memories.keys.forget",
    """
DELETE FROM {schema}.draive_pg_keys
WHERE identifier = :identifier::TEXT AND expires <= now()
""",
)


def key_values(key: object, expiration: object) -> dict[str, Any]:
    """Return the parameters of `FRESH`.

    Raises
    ------
    TypeError, ValueError
        If the key is no text, or the expiration not a positive timedelta.
    """
    if not isinstance(expiration, timedelta):
        raise TypeError(f"key_expiration must be a timedelta, not {type(expiration).__name__}")
    if expiration <= timedelta():
        raise ValueError(f"key_expiration must be positive, not {expiration!r}")
    return {"key": check_text(key, "key"), "expiration": expiration}
