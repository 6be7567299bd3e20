-- $1 identifiers
WITH locked AS (SELECT unnest($1::TEXT[]) AS identifier),
locked_conversations AS (
    SELECT identifier
    FROM memories
    WHERE identifier = ANY (ARRAY(SELECT identifier FROM locked))
    ORDER BY identifier
    FOR UPDATE
)
SELECT count(*) FROM locked_conversations
