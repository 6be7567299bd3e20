-- $1 name
SELECT document.content::TEXT, document.arguments::TEXT
FROM instructions AS document
WHERE document.name = $1::TEXT
ORDER BY document.created DESC
LIMIT 1
