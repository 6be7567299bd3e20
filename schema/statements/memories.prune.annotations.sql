-- $1 identifiers
-- $2 last
DELETE FROM draive_pg_annotations AS annotation
WHERE annotation.identifier IN (
    SELECT conversation.identifier
    FROM unnest($1::TEXT[], $2::INT8[]) AS due (identifier, last)
    JOIN memories AS conversation ON conversation.identifier = due.identifier
    WHERE greatest(
    conversation.created,
    (
        SELECT max(created) FROM memories_elements AS element
        WHERE element.identifier = conversation.identifier
    ),
    (
        SELECT max(created) FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE snapshot.identifier = conversation.identifier
    )
) <= TIMESTAMPTZ 'epoch' + due.last * INTERVAL '1 microsecond'
)
