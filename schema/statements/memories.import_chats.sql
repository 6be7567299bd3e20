-- $1 lines
-- $2 identifiers
-- $3 append
-- $4 only_new
WITH given AS (
    SELECT
        *,
        sum(json_array_length(times)) OVER (ORDER BY line) - json_array_length(times)
            AS elements_before
    FROM ROWS FROM (
        json_to_recordset($1::JSON) AS (
            identifier TEXT,
            created TIMESTAMPTZ,
            times JSON,
            elements JSON,
            positions JSON,
            variables JSON
        )
    ) WITH ORDINALITY AS given (
        identifier, created, times, elements, positions, variables, line
    )
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
        SELECT
            identifier,
            created,
            created AS moment,
            ctid AS place,
            xmin AS writer,
            content,
            content ->> 'type' AS type,
            content -> 'meta' AS meta,
            CASE
                WHEN content #> '{blocks,1}' IS NULL AND content #> '{blocks,0,parts,1}' IS NULL
                THEN coalesce(content #>> '{blocks,0,type}', 'content')
            END AS kind,
            content #> '{blocks,0}' AS block,
            content AS composite
        FROM memories_elements
    ) AS element
    -- Citus cannot plan a condition on `ctid` that is known to be false.
    WHERE identifier = ANY ($2::TEXT[]) AND NOT (SELECT $3::BOOLEAN)
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
        -- Conversations without times follow each other in the order of the log.
        statement_timestamp() + given.elements_before * INTERVAL '1 microsecond' AS now
    FROM given
    LEFT JOIN (
        SELECT identifier, (
            SELECT max(created)
            FROM memories_elements AS element
            WHERE element.identifier = conversation.identifier AND element.created < 'infinity'
        ) AS created
        FROM memories AS conversation
        WHERE identifier = ANY ($2::TEXT[])
    ) AS newest USING (identifier)
    LEFT JOIN stored USING (identifier)
    LEFT JOIN given_elements USING (identifier, number)
    GROUP BY given.identifier, given.elements_before, newest.created
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
recorded AS MATERIALIZED (
    SELECT identifier, variables, created, place
    FROM (
        SELECT identifier, created, ctid AS place, variables FROM memories_variables
    ) AS snapshot
    WHERE identifier = ANY ($2::TEXT[])
),
latest AS (
    SELECT DISTINCT ON (identifier) identifier, variables, created
    FROM recorded
    ORDER BY identifier, created DESC, place DESC
),
given_snapshots AS MATERIALIZED (
    SELECT
        given.identifier,
        item.number,
        item.variables::JSONB AS variables,
        item.position::INT8 AS position,
        item.position::INT8 >= state.stored OR (
            item.number = json_array_length(given.positions)
            AND json_array_length(given.times) >= state.stored
        ) AS is_current,
        json_array_length(given.times) > state.stored AS has_grown
    FROM state
    JOIN given USING (identifier)
    CROSS JOIN LATERAL ROWS FROM (
        json_array_elements_text(given.positions), json_array_elements(given.variables)
    ) WITH ORDINALITY AS item (position, variables, number)
    WHERE NOT state.differs
),
changed_snapshots AS MATERIALIZED (
    SELECT given_snapshots.*, latest.created AS last
    FROM given_snapshots
    LEFT JOIN latest USING (identifier)
    WHERE CASE
        WHEN has_grown AND is_current
            THEN latest.variables || given_snapshots.variables = latest.variables IS NOT TRUE
        ELSE NOT EXISTS (
            SELECT FROM recorded
            WHERE recorded.identifier = given_snapshots.identifier
                AND recorded.variables || given_snapshots.variables = recorded.variables
        )
    END
),
new_snapshots AS MATERIALIZED (
    SELECT
        state.identifier,
        changed.number,
        changed.variables,
        greatest(
            coalesce(
                new_elements.created,
                (
                    SELECT max(each.created) + INTERVAL '1 microsecond' FROM new_elements AS each
                    WHERE each.identifier = state.identifier
                ),
                state.last + INTERVAL '1 microsecond',
                state.now
            ),
            changed.last + changed.number * INTERVAL '1 microsecond'
        ) AS created
    FROM state
    JOIN changed_snapshots AS changed USING (identifier)
    LEFT JOIN new_elements ON new_elements.identifier = state.identifier
        AND new_elements.number = greatest(changed.position + 1, state.stored + 1)
    WHERE changed.is_current
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
    coalesce(counted.added, 0) AS added,
    EXISTS (
        SELECT FROM new_snapshots WHERE new_snapshots.identifier = state.identifier
    ) AS has_new_variables,
    EXISTS (
        SELECT FROM changed_snapshots AS changed
        WHERE changed.identifier = state.identifier AND NOT changed.is_current
    ) AS has_other_variables
FROM state
LEFT JOIN (
    SELECT identifier, count(*) AS added FROM new_elements GROUP BY identifier
) AS counted USING (identifier)
