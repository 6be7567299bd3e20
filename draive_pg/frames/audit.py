"""The frame of all definitions, label moves and removals of documents."""

from functools import reduce
from typing import Any, LiteralString

from draive_pg.frames.frame import Frame
from draive_pg.operations.documents.kind import KINDS, DocumentKind
from draive_pg.operations.operation import Fallback

EVENTS: LiteralString = """
    SELECT
        '{kind}' AS kind,
        event.name,
        event.action,
        event.time,
        coalesce(numbered.revision, 0) AS revision,
        event.created AS revision_created,
        event.label,
        event.author,
        event.message,
        event.role,
        event.digest
    FROM (
        SELECT
            document.name,
            'define' AS action,
            document.created AS time,
            document.created,
            NULL AS label,
            note.author,
            note.message,
            NULL AS role,
            encode(sha256(convert_to(document.content::TEXT, 'UTF8')), 'hex') AS digest
        FROM {documents} AS document
        LEFT JOIN {notes} AS note USING (name, created)
        UNION ALL
        SELECT
            name, 'define', created, created, NULL, revision_author, revision_message, NULL, digest
        FROM {schema}.draive_pg_removed AS gone
        WHERE kind = '{kind}'
            AND NOT EXISTS (
                SELECT FROM {documents} AS again
                WHERE again.name = gone.name AND again.created = gone.created
            )
        UNION ALL
        SELECT
            name,
            CASE WHEN revision IS NULL THEN 'unlabel' ELSE 'label' END,
            moved,
            revision,
            label,
            author,
            message,
            NULL,
            NULL
        FROM {moves} AS move
        UNION ALL
        SELECT name, 'remove', removed, created, NULL, author, message, role, digest
        FROM {schema}.draive_pg_removed AS gone
        WHERE kind = '{kind}'
    ) AS event
    LEFT JOIN (
        {numbered}
        WHERE :identifier::TEXT[] IS NULL OR name = ANY (:identifier::TEXT[])
    ) AS numbered ON numbered.name = event.name AND numbered.created = event.created
    WHERE (:identifier::TEXT[] IS NULL OR event.name = ANY (:identifier::TEXT[]))
        AND (:since::TIMESTAMPTZ IS NULL OR event.time >= :since::TIMESTAMPTZ)
        AND (:until::TIMESTAMPTZ IS NULL OR event.time < :until::TIMESTAMPTZ)
"""


def _events(kind: DocumentKind[Any, Any]) -> LiteralString:
    return kind.fill(EVENTS.replace("{kind}", kind.table))


EVERY_EVENT: LiteralString = "UNION ALL".join(map(_events, KINDS))

AUDIT = Frame(
    "audit",
    {
        "kind": "text",
        "name": "text",
        "action": "text",
        "time": "timestamp",
        "revision": "integer",
        "revision_created": "timestamp",
        "label": "text",
        "author": "text",
        "message": "text",
        "role": "text",
        "digest": "text",
    },
    f"{EVERY_EVENT} ORDER BY time, kind, name, action LIMIT :limit::INT8",
    fallback=reduce(Fallback.__or__, (kind.absent for kind in KINDS)),
)
