-- A database as draive_pg 0.1.0 left it: its migrations, and some rows in every table.

-- Which of these files were applied. Kept by setup(); nothing else reads it.
CREATE TABLE IF NOT EXISTS draive_pg_migrations (
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (version)
);

-- Configuration snapshots, as draive 0.89 reads and writes them: the newest of an identifier holds.
CREATE TABLE IF NOT EXISTS configurations (
    identifier TEXT NOT NULL,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier, created)
);

-- Instruction revisions, as draive 0.89 reads and writes them: the newest of a name holds.
CREATE TABLE IF NOT EXISTS instructions (
    name TEXT NOT NULL,
    description TEXT DEFAULT NULL,
    content TEXT NOT NULL,
    arguments JSONB NOT NULL DEFAULT '[]'::jsonb,
    meta JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (name, created)
);

-- Conversational memory, as draive 0.89 reads and writes it: the elements of an identifier in the
-- order of their `created`, and the newest of its variables.
CREATE TABLE IF NOT EXISTS memories (
    identifier TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier)
);

CREATE TABLE IF NOT EXISTS memories_variables (
    identifier TEXT NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    variables JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS memories_elements (
    identifier TEXT NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- One memory's rows without reading those of all others, in order, and its removal likewise.
-- Not unique: draive stamps rows by the clock of its client, and two clients may agree.
CREATE INDEX IF NOT EXISTS memories_variables_identifier_created
    ON memories_variables (identifier, created);

CREATE INDEX IF NOT EXISTS memories_elements_identifier_created
    ON memories_elements (identifier, created);

-- Tells whoever listens on the channel draive_pg, at commit, which configurations and instructions
-- changed, whoever changed them: caches need not wait until they expire. The message is a JSON
-- array of the schema, the table and the identifier or name; that is null where many changed, or
-- where it is too long for a message.
CREATE OR REPLACE FUNCTION draive_pg_notify() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    subjects TEXT[] := ARRAY[NULL];
    subject TEXT;
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        IF TG_TABLE_NAME = 'instructions' THEN
            subjects := ARRAY[OLD.name, NEW.name];
        ELSE
            subjects := ARRAY[OLD.identifier, NEW.identifier];
        END IF;
        subjects := array_remove(subjects, NULL);
    END IF;
    FOREACH subject IN ARRAY subjects LOOP
        IF octet_length(subject) > 2000 THEN
            subject := NULL;
        END IF;
        PERFORM pg_notify(
            'draive_pg', json_build_array(TG_TABLE_SCHEMA, TG_TABLE_NAME, subject)::TEXT
        );
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON configurations
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify();

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON configurations
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify();

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON instructions
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify();

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON instructions
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify();

-- What is kept beside an instruction revision: who made it, and why. It goes with the revision.
CREATE TABLE IF NOT EXISTS draive_pg_revisions (
    name TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    author TEXT DEFAULT NULL,
    message TEXT DEFAULT NULL,
    PRIMARY KEY (name, created),
    FOREIGN KEY (name, created) REFERENCES instructions (name, created)
        ON DELETE CASCADE ON UPDATE CASCADE
);

-- Every move of a label (production, staging, ...): the newest move of a label says which revision
-- it is on, by the revision's `created`, or that it was removed, by null. Rows are only added, so
-- that who moved what when is kept, also where the revisions are gone.
CREATE TABLE IF NOT EXISTS draive_pg_labels (
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    revision TIMESTAMPTZ DEFAULT NULL,
    moved TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    author TEXT DEFAULT NULL,
    message TEXT DEFAULT NULL,
    PRIMARY KEY (name, label, moved)
);

-- Tells of moved labels as of changed instructions, which they are to those who read by a label.
-- The triggers name the table that is told of: on a partitioned table they fire for its partitions.
CREATE OR REPLACE FUNCTION draive_pg_notify() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    told TEXT := coalesce(TG_ARGV[0], TG_TABLE_NAME);
    subjects TEXT[] := ARRAY[NULL];
    subject TEXT;
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        IF told = 'instructions' THEN
            subjects := ARRAY[OLD.name, NEW.name];
        ELSE
            subjects := ARRAY[OLD.identifier, NEW.identifier];
        END IF;
        subjects := array_remove(subjects, NULL);
    END IF;
    FOREACH subject IN ARRAY subjects LOOP
        IF octet_length(subject) > 2000 THEN
            subject := NULL;
        END IF;
        PERFORM pg_notify('draive_pg', json_build_array(TG_TABLE_SCHEMA, told, subject)::TEXT);
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON configurations
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify('configurations');

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON configurations
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify('configurations');

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON instructions
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify('instructions');

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON instructions
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify('instructions');

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON draive_pg_labels
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify('instructions');

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON draive_pg_labels
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify('instructions');

INSERT INTO draive_pg_migrations (version, name, checksum, applied) VALUES
    (0, '000_migrations', 'd0582e517b994bd4213bac7fff30e9fc916cbeb294e7a470d360fdc1ae91150e', '2026-11-23 12:00:00+00'),
    (1, '001_configurations', '0544bc235bcc90fc68ed96f22d4f06095e3f9d931739f72414f4ea8f14cc9d3d', '2026-11-23 12:00:00+00'),
    (2, '002_instructions', '745464d9404e678a2ed4cc07bb9d02f6677b12e110a0b682fb312bddbbb9a202', '2026-11-23 12:00:00+00'),
    (3, '003_memories', '193b875c410ba635177242dd6ab7d574045dd441eae68c30cb09030e30c06f65', '2026-11-23 12:00:00+00'),
    (4, '004_memory_indexes', '61164b60ce0fdd6edc1213047ce8d823ba31f8944d67b9667eaf76ce08d387fb', '2026-11-23 12:00:00+00'),
    (5, '005_notifications', '53053c24027719e74d410269004397039e16aa5dbdecd0912d3facaad3b48531', '2026-11-23 12:00:00+00'),
    (6, '006_revisions', 'a60e901e7903ed86f9199e959d0d4031afd2d21198f211ec038c9f5476ef83e5', '2026-11-23 12:00:00+00'),
    (7, '007_labels', '6b714e16d50ca72b1cd3df7fd896e36c167359fad68cc2cc0d9ce1ad19072bb5', '2026-11-23 12:00:00+00'),
    (8, '008_notifications', '6eb11749b8d30c8217ae30d29ea1570b58321982fa3a9d5c73172b4dc36aeb3d', '2026-11-23 12:00:00+00');

INSERT INTO configurations (identifier, content, created) VALUES
    ('limits', '{"tokens": 1, "ratio": 1.0}', '2026-11-23 12:00:00+00'),
    ('limits', '{"tokens": 2, "ratio": 1.0}', '2026-11-23 12:00:01.000001+00'),
    ('other', '{}', '2026-11-23 12:00:00+00');

INSERT INTO instructions (name, description, content, arguments, meta, created) VALUES
    ('greeting', NULL, 'Hi', '[]', '{}', '2026-11-23 12:00:00+00'),
    ('greeting', 'How to greet', 'Hello {name}',
        '[{"name": "name", "description": null, "required": true}]', '{"n": 1.0}',
        '2026-11-23 12:00:01.000001+00');

INSERT INTO draive_pg_revisions (name, created, author, message) VALUES
    ('greeting', '2026-11-23 12:00:00+00', 'ada', 'the first');

INSERT INTO draive_pg_labels (name, label, revision, moved, author, message) VALUES
    ('greeting', 'production', '2026-11-23 12:00:01.000001+00', '2026-11-23 12:01:00+00', 'bo', NULL),
    ('greeting', 'production', '2026-11-23 12:00:00+00', '2026-11-23 12:02:00+00', 'cy', 'roll back'),
    ('greeting', 'staging', NULL, '2026-11-23 12:03:00+00', NULL, NULL);

INSERT INTO memories (identifier, created) VALUES ('m', '2026-11-23 12:00:00+00');

INSERT INTO memories_variables (identifier, variables, created) VALUES
    ('m', '{"n": 1}', '2026-11-23 12:00:00+00');

INSERT INTO memories_elements (identifier, content, created) VALUES
    ('m', '{"type": "model_input", "blocks": [{"type": "content", "parts": [{"text": "q", "meta": {}}]}], "meta": {}}',
        '2026-11-23 12:00:00+00');
