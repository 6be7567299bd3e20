-- $1 limit
SELECT count(*)
FROM (SELECT payload FROM conversation_memory LIMIT $1::INTEGER) AS turn
CROSS JOIN LATERAL jsonb_path_query(
    turn.payload,
    'strict $.content[*] ? (@.event == "tool_request").content.artifact.arguments.** ?
        (@.type() == "number")'
) AS number
WHERE number::TEXT ~ '^-?[0-9]+[.]0+$'
