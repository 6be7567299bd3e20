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
        AND greatest(
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
) < now() - coalesce(
    (
        SELECT ttl FROM draive_pg_ttl AS own
        WHERE NOT own.is_prefix AND own.name = conversation.identifier
    ),
    (
        SELECT ttl FROM draive_pg_ttl AS prefix
        WHERE prefix.is_prefix AND starts_with(conversation.identifier, prefix.name)
        ORDER BY length(prefix.name) DESC
        LIMIT 1
    )
)
)
