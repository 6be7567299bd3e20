"""Frames of revisions: instructions and configurations."""

from typing import LiteralString

from draive_pg.frames.frame import Frame
from draive_pg.operations.documents import kind
from draive_pg.operations.documents.selectors import unchanged

ROWS: LiteralString = f"""
    SELECT
        revision.*,
        name AS identifier,
        length(content::TEXT) AS n_chars,
        note.author,
        note.message,
        coalesce(labelled.labels, '[]') AS labels
    FROM (
        SELECT
            document.*,
            coalesce(numbered.revision, 0) AS revision,
            coalesce(numbered.current, FALSE) AS current
        FROM {{every}} AS document
        LEFT JOIN (
            {{numbered}}
            WHERE :identifier::TEXT[] IS NULL OR name = ANY (:identifier::TEXT[])
        ) AS numbered USING (name, created)
        WHERE :identifier::TEXT[] IS NULL OR name = ANY (:identifier::TEXT[])
    ) AS revision
    LEFT JOIN {{notes}} AS note USING (name, created)
    LEFT JOIN (
        SELECT name, created, json_agg(label ORDER BY label) AS labels
        FROM (
            SELECT DISTINCT ON (name, label) *, revision AS created
            FROM {{moves}} AS every_move
            WHERE :identifier::TEXT[] IS NULL OR name = ANY (:identifier::TEXT[])
            ORDER BY name, label, moved DESC
        ) AS move
        JOIN {{documents}} AS document USING (name, created)
        WHERE {unchanged("document", "move")}
        GROUP BY name, created
    ) AS labelled USING (name, created)
    WHERE (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
    ORDER BY name, created
    LIMIT :limit::INT8
    """

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
        "author": "text",
        "message": "text",
        "labels": "json",
        "current": "boolean",
    },
    kind.INSTRUCTIONS.fill(ROWS),
    lengths={"n_chars": "content"},
    fallback=kind.INSTRUCTIONS.fallback,
)

CONFIGURATIONS = Frame(
    "configurations",
    {
        "identifier": "text",
        "revision": "integer",
        "created": "timestamp",
        "content": "json",
        "author": "text",
        "message": "text",
        "labels": "json",
        "current": "boolean",
    },
    kind.CONFIGURATIONS.fill(ROWS),
    fallback=kind.CONFIGURATIONS.fallback,
)
