-- $1 model
SELECT {vector}.vector_dims(embedding)
FROM draive_pg_embeddings
WHERE model = $1::TEXT
LIMIT 1
