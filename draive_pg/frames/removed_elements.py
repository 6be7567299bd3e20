"""The frame of elements that were removed or replaced one by one."""

from typing import LiteralString

from draive_pg.frames.frame import Frame
from draive_pg.operations.operation import Fallback

NOTHING: LiteralString = """(
    SELECT
        NULL::TEXT AS identifier,
        NULL::TIMESTAMPTZ AS created,
        NULL::TEXT AS action,
        NULL::TIMESTAMPTZ AS removed,
        NULL::TEXT AS role,
        NULL::TEXT AS author,
        NULL::TEXT AS reason,
        NULL::JSONB AS content
    WHERE FALSE
)"""

REMOVED_ELEMENTS = Frame(
    "removed_elements",
    {
        "identifier": "text",
        "created": "timestamp",
        "action": "text",
        "removed": "timestamp",
        "role": "text",
        "author": "text",
        "reason": "text",
        "content": "json",
    },
    """
    SELECT *
    FROM {schema}.draive_pg_removed_elements AS gone
    WHERE (:identifier::TEXT[] IS NULL OR identifier = ANY (:identifier::TEXT[]))
        AND (:since::TIMESTAMPTZ IS NULL OR removed >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR removed < :until::TIMESTAMPTZ)
    ORDER BY removed, identifier, created
    LIMIT :limit::INT8
    """,
    fallback=Fallback({"draive_pg_removed_elements": NOTHING}),
)
