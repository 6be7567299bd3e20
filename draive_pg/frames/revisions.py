"""Frames of revisions: instructions and configurations."""

from draive_pg.frames.frame import Frame

__all__ = ("CONFIGURATIONS", "INSTRUCTION_REVISIONS")

INSTRUCTION_REVISIONS = Frame(
    "instruction_revisions",
    {
        "name": "text",
        "revision": "integer",
        "created": "timestamp",
        "description": "text",
        "content": "text",
        "arguments": "json",
        "meta": "json",
        "n_chars": "integer",
        "current": "boolean",
    },
    """
    SELECT
        name,
        revision,
        created,
        description,
        content,
        arguments,
        meta,
        length(content) AS n_chars,
        current
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY name ORDER BY created) AS revision,
            created = max(created) OVER (PARTITION BY name) AS current
        FROM {schema}.instructions
        WHERE :identifier::TEXT[] IS NULL OR name = ANY (:identifier::TEXT[])
    ) AS revision
    WHERE (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
    ORDER BY name, revision
    LIMIT :limit::INT8
    """,
    lengths={"n_chars": "content"},
)

CONFIGURATIONS = Frame(
    "configurations",
    {
        "identifier": "text",
        "revision": "integer",
        "created": "timestamp",
        "content": "json",
        "current": "boolean",
    },
    """
    SELECT identifier, revision, created, content, current
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY identifier ORDER BY created) AS revision,
            created = max(created) OVER (PARTITION BY identifier) AS current
        FROM {schema}.configurations
        WHERE :identifier::TEXT[] IS NULL OR identifier = ANY (:identifier::TEXT[])
    ) AS snapshot
    WHERE (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
    ORDER BY identifier, revision
    LIMIT :limit::INT8
    """,
)
