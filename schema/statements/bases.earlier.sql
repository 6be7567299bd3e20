-- $1 documents
-- $2 names
SELECT base.name, base.revision, base.digest, base.labels::TEXT
FROM draive_pg_folder_bases AS base
WHERE base.documents = $1::TEXT AND base.name = ANY ($2::TEXT[])
ORDER BY base.name, base.number DESC
