"""The frames of what is revised: instructions and configurations."""

from draive_pg.frames.frame import Frame

__all__ = ("CONFIGURATIONS", "INSTRUCTION_REVISIONS")

INSTRUCTION_REVISIONS = Frame(
    "instruction_revisions",
    {
        "name": "text",
        "revision": "integer",
        "created": "time",
        "description": "text",
        "content": "text",
        "arguments": "json",
        "meta": "json",
        "n_chars": "integer",
        "current": "flag",
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
        WHERE $1::TEXT[] IS NULL OR name = ANY ($1::TEXT[])
    ) AS revision
    WHERE ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
    ORDER BY name, revision
    LIMIT $4::INT8
    """,
    lengths={"n_chars": "content"},
)

CONFIGURATIONS = Frame(
    "configurations",
    {
        "identifier": "text",
        "revision": "integer",
        "created": "time",
        "content": "json",
        "current": "flag",
    },
    """
    SELECT identifier, revision, created, content, current
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY identifier ORDER BY created) AS revision,
            created = max(created) OVER (PARTITION BY identifier) AS current
        FROM {schema}.configurations
        WHERE $1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[])
    ) AS snapshot
    WHERE ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
        AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
    ORDER BY identifier, revision
    LIMIT $4::INT8
    """,
)
