"""Frames of revisions: instructions, templates and configurations."""

from typing import LiteralString

from draive_pg.frames.frame import Frame
from draive_pg.operations.documents import kind
from draive_pg.operations.documents.selectors import unchanged

ROWS: LiteralString = f"""
    SELECT
        revision.*,
        name AS identifier,
        arguments AS variables,
        length(content::TEXT) AS n_chars,
        note.author,
        note.message,
        coalesce(labelled.labels, '[]') AS labels
    FROM (
        SELECT
            document.name,
            document.created,
            document.description,
            document.content,
            document.arguments,
            document.meta,
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
        SELECT
            move.name,
            move.revision AS created,
            json_agg(move.label ORDER BY move.label) AS labels
        FROM {{current_labels}} AS move
        JOIN {{documents}} AS document
            ON document.name = move.name AND document.created = move.revision
        WHERE (:identifier::TEXT[] IS NULL OR move.name = ANY (:identifier::TEXT[]))
            AND {unchanged("document", "move")}
        GROUP BY move.name, move.revision
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
        "labels": "texts",
        "current": "boolean",
    },
    kind.INSTRUCTIONS.fill(ROWS),
    lengths={"n_chars": "content"},
    fallback=kind.INSTRUCTIONS.fallback,
)

TEMPLATE_REVISIONS = Frame(
    "template_revisions",
    {
        "identifier": "text",
        "revision": "integer",
        "created": "timestamp",
        "description": "text",
        "content": "text",
        "variables": "json",
        "meta": "json",
        "n_chars": "integer",
        "author": "text",
        "message": "text",
        "labels": "texts",
        "current": "boolean",
    },
    kind.TEMPLATES.fill(ROWS),
    lengths={"n_chars": "content"},
    fallback=kind.TEMPLATES.fallback,
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
        "labels": "texts",
        "current": "boolean",
    },
    kind.CONFIGURATIONS.fill(ROWS),
    fallback=kind.CONFIGURATIONS.fallback,
)

REVISIONS = {
    kind.INSTRUCTIONS: INSTRUCTION_REVISIONS,
    kind.TEMPLATES: TEMPLATE_REVISIONS,
    kind.CONFIGURATIONS: CONFIGURATIONS,
}
