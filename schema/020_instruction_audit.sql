-- Removals of instructions, as 012 records those of configurations.
CREATE OR REPLACE TRIGGER draive_pg_audit_removal
    BEFORE DELETE ON instructions
    FOR EACH ROW EXECUTE FUNCTION draive_pg_audit_removal(
        'instructions', 'name', 'draive_pg_revisions'
    );

CREATE OR REPLACE TRIGGER draive_pg_audit_truncate
    BEFORE TRUNCATE ON instructions
    FOR EACH STATEMENT EXECUTE FUNCTION draive_pg_audit_removal(
        'instructions', 'name', 'draive_pg_revisions'
    );
