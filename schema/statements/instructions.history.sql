-- $1 name
SELECT 
    document.name,
    row_number() OVER (ORDER BY document.created) AS revision,
    document.created,
    document.content::TEXT AS content,
    document.description,
    document.arguments::TEXT AS arguments,
    document.meta::TEXT AS meta,
    note.author,
    note.message,
    ARRAY(
        SELECT move.label
        FROM draive_pg_labels AS move
        WHERE move.name = $1::TEXT
            AND move.revision = document.created
            AND NOT EXISTS (
                SELECT FROM draive_pg_labels AS later
                WHERE later.name = $1::TEXT
                    AND later.label = move.label
                    AND later.moved > move.moved
            )
        ORDER BY move.label
    ) AS labels,
    NOT EXISTS (
        SELECT FROM instructions AS later
        WHERE later.name = $1::TEXT AND later.created > document.created
    ) AS current

FROM instructions AS document
LEFT JOIN draive_pg_revisions AS note ON note.name = document.name AND note.created = document.created
WHERE document.name = $1::TEXT
ORDER BY document.created DESC
