-- Templates, as draive 0.90 and newer reads and writes them: the newest of an identifier holds. What
-- belongs to them is as for configurations.
CREATE TABLE IF NOT EXISTS templates (
    identifier TEXT NOT NULL,
    description TEXT DEFAULT NULL,
    content TEXT NOT NULL,
    variables JSONB NOT NULL DEFAULT '{}'::jsonb,
    meta JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (identifier, created)
);

CREATE TABLE IF NOT EXISTS draive_pg_template_revisions (
    name TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    author TEXT DEFAULT NULL,
    message TEXT DEFAULT NULL,
    PRIMARY KEY (name, created),
    FOREIGN KEY (name, created) REFERENCES templates (identifier, created)
        ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE IF NOT EXISTS draive_pg_template_labels (
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    revision TIMESTAMPTZ DEFAULT NULL,
    moved TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    author TEXT DEFAULT NULL,
    message TEXT DEFAULT NULL,
    digest TEXT DEFAULT NULL,
    released TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (name, label, moved)
);

CREATE TABLE IF NOT EXISTS draive_pg_template_removals (
    name TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name, created)
);

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON templates
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify('templates');

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON templates
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify('templates');

CREATE OR REPLACE TRIGGER draive_pg_notify
    AFTER INSERT OR UPDATE OR DELETE ON draive_pg_template_labels
    FOR EACH ROW EXECUTE FUNCTION draive_pg_notify_name('templates');

CREATE OR REPLACE TRIGGER draive_pg_notify_truncate
    AFTER TRUNCATE ON draive_pg_template_labels
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_notify_name('templates');

CREATE OR REPLACE TRIGGER draive_pg_record_removal
    AFTER DELETE ON templates
    FOR EACH ROW EXECUTE FUNCTION
    draive_pg_record_removal('draive_pg_template_removals', 'identifier');

CREATE OR REPLACE TRIGGER draive_pg_record_truncate
    BEFORE TRUNCATE ON templates
    FOR EACH STATEMENT EXECUTE FUNCTION
    draive_pg_record_removal('draive_pg_template_removals', 'identifier');

CREATE OR REPLACE TRIGGER draive_pg_audit_removal
    BEFORE DELETE ON templates
    FOR EACH ROW EXECUTE FUNCTION draive_pg_audit_removal(
        'templates', 'identifier', 'draive_pg_template_revisions'
    );

CREATE OR REPLACE TRIGGER draive_pg_audit_truncate
    BEFORE TRUNCATE ON templates
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_audit_removal(
        'templates', 'identifier', 'draive_pg_template_revisions'
    );
