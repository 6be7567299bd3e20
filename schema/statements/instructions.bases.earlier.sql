-- $1 documents
-- $2 names
-- $3 given_names
-- $4 given_times
-- $5 given_digests
-- $6 given_labels
SELECT earlier.name, earlier.revision, earlier.digest, earlier.labels
FROM (
    SELECT base.name, base.number, base.revision, base.digest, base.labels::TEXT AS labels
    FROM draive_pg_folder_bases AS base
    WHERE base.documents = $1::TEXT AND base.name = ANY ($2::TEXT[])
    UNION ALL
    SELECT given.name, 0, given.created, given.digest, given.labels
    FROM unnest(
        $3::TEXT[],
        $4::TIMESTAMPTZ[],
        $5::TEXT[],
        $6::TEXT[]
    ) AS given (name, created, digest, labels)
    WHERE EXISTS (
        SELECT FROM (
    SELECT kept.name, kept.created, TRUE AS kept FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS kept
    UNION ALL
    SELECT removed.name, removed.created, FALSE FROM (
    SELECT gone.name, gone.created
    FROM draive_pg_removals AS gone
    WHERE (gone.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND gone.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
        AND NOT EXISTS (
            SELECT FROM (
    SELECT * FROM instructions AS stored WHERE (stored.created >= TIMESTAMPTZ '0001-01-03 00:00:00Z' AND stored.created < TIMESTAMPTZ '9999-12-30 00:00:00Z')
) AS again
            WHERE again.name = gone.name AND again.created = gone.created
        )
) AS removed
) AS revision
        WHERE revision.name = given.name AND revision.created = given.created
    )
) AS earlier
ORDER BY earlier.name, earlier.number DESC
