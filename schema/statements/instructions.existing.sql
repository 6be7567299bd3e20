-- $1 name
SELECT
    (SELECT count(*) FROM instructions AS document WHERE document.name = $1::TEXT),
    ARRAY(
        SELECT newest.label
        FROM (
            SELECT DISTINCT ON (move.label) move.label, move.revision
            FROM draive_pg_labels AS move
            WHERE move.name = $1::TEXT
            ORDER BY move.label, move.moved DESC
        ) AS newest
        JOIN instructions AS document
            ON document.name = $1::TEXT AND document.created = newest.revision
        ORDER BY newest.label
    )
