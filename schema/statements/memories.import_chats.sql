-- $1 lines
-- $2 identifiers
-- $3 append
-- $4 only_new
WITH given AS (
    SELECT *
    FROM json_to_recordset($1::JSON)
        AS line (identifier TEXT, created TIMESTAMPTZ, times JSON, elements JSON, snapshots JSON)
),
given_elements AS MATERIALIZED (
    SELECT
        given.identifier,
        item.number,
        item.created::TIMESTAMPTZ AS created,
        item.content::JSONB AS content
    FROM given
    CROSS JOIN LATERAL ROWS FROM (
        json_array_elements_text(given.times), json_array_elements(given.elements)
    ) WITH ORDINALITY AS item (created, content, number)
),
stored AS (
    SELECT
        identifier,
        row_number() OVER (PARTITION BY identifier ORDER BY created, place) AS number,
        created,
        content
    FROM (
        SELECT identifier, created, created AS moment, ctid AS place, content
        FROM memories_elements
    ) AS element
    WHERE identifier = ANY ($2::TEXT[]) AND NOT $3::BOOLEAN
),
state AS MATERIALIZED (
    SELECT
        given.identifier,
        count(stored.number) AS stored,
        ($4::BOOLEAN AND count(stored.number) > 0)
        OR coalesce(
            bool_or(given_elements.content -> 'blocks' <> stored.content -> 'blocks'), FALSE
        ) AS differs,
        newest.created AS last,
        clock_timestamp() AS now
    FROM given
    CROSS JOIN LATERAL (
        SELECT max(created) AS created
        FROM memories_elements AS element
        WHERE element.identifier = given.identifier AND created < 'infinity'
    ) AS newest
    LEFT JOIN stored USING (identifier)
    LEFT JOIN given_elements USING (identifier, number)
    GROUP BY given.identifier, newest.created
),
new_elements AS MATERIALIZED (
    SELECT
        state.identifier,
        given_elements.number,
        given_elements.content,
        greatest(
            coalesce(given_elements.created, state.now + given_elements.number * INTERVAL '1 microsecond'),
            state.last + given_elements.number * INTERVAL '1 microsecond'
        ) AS created
    FROM state
    JOIN given_elements ON given_elements.identifier = state.identifier
        AND given_elements.number > state.stored
    WHERE NOT state.differs
),
latest AS (
    SELECT given.identifier, newest.variables, newest.created
    FROM given
    CROSS JOIN LATERAL (
        SELECT variables, created
        FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
        WHERE snapshot.identifier = given.identifier
        ORDER BY created DESC, place DESC
        LIMIT 1
    ) AS newest
),
new_snapshots AS (
    SELECT
        state.identifier,
        item.number,
        (item.value -> 'variables')::JSONB AS variables,
        greatest(
            coalesce(
                new_elements.created,
                (
                    SELECT max(each.created) + INTERVAL '1 microsecond' FROM new_elements AS each
                    WHERE each.identifier = state.identifier
                ),
                state.now
            ),
            latest.created + item.number * INTERVAL '1 microsecond'
        ) AS created
    FROM state
    JOIN given USING (identifier)
    CROSS JOIN LATERAL json_array_elements(given.snapshots)
        WITH ORDINALITY AS item (value, number)
    LEFT JOIN new_elements ON new_elements.identifier = state.identifier
        AND new_elements.number = greatest(
            (item.value ->> 'position')::INT8 + 1,
            state.stored + 1
        )
    LEFT JOIN latest ON latest.identifier = state.identifier
    WHERE NOT state.differs
        AND (
            (item.value ->> 'position')::INT8 >= state.stored
            OR (
                item.number = json_array_length(given.snapshots)
                AND new_elements.identifier IS NOT NULL
            )
        )
        AND latest.variables @> (item.value -> 'variables')::JSONB IS NOT TRUE
),
new_conversations AS (
    SELECT given.identifier, coalesce(given.created, now()) AS created
    FROM given
    JOIN state USING (identifier)
    WHERE NOT state.differs
),
created_conversations AS (
    INSERT INTO memories (identifier, created)
    SELECT identifier, created FROM new_conversations
    ON CONFLICT (identifier) DO NOTHING
    RETURNING identifier
),
inserted_snapshots AS (
    INSERT INTO memories_variables (identifier, variables, created)
    SELECT identifier, variables, created FROM new_snapshots ORDER BY identifier, number
),
inserted_elements AS (
    INSERT INTO memories_elements (identifier, content, created)
    SELECT identifier, content, created FROM new_elements ORDER BY identifier, number
)
SELECT
    state.identifier,
    state.stored,
    state.differs,
    coalesce(counted.added, 0) AS added
FROM state
LEFT JOIN (
    SELECT identifier, count(*) AS added FROM new_elements GROUP BY identifier
) AS counted USING (identifier)
