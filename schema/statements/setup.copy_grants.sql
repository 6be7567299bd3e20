DO $$
DECLARE
    privilege RECORD;
BEGIN
    FOR privilege IN
        SELECT pair.created, granted.privilege_type AS name, granted.grantee
        FROM (VALUES ('draive_pg_configuration_revisions', 'draive_pg_revisions'), ('draive_pg_configuration_labels', 'draive_pg_labels'), ('draive_pg_template_revisions', 'draive_pg_configuration_revisions'), ('draive_pg_template_labels', 'draive_pg_configuration_labels'), ('draive_pg_removals', 'draive_pg_revisions'), ('draive_pg_configuration_removals', 'draive_pg_revisions'), ('draive_pg_template_removals', 'draive_pg_configuration_removals'), ('draive_pg_folder_bases', 'draive_pg_revisions'), ('draive_pg_removed', 'draive_pg_revisions'), ('draive_pg_removed_elements', 'memories_elements'), ('draive_pg_keys', 'memories_elements'), ('draive_pg_annotations', 'memories_elements'), ('draive_pg_ttl', 'memories_elements')) AS pair (created, older)
        JOIN pg_class AS new ON new.oid = to_regclass(pair.created) AND new.relacl IS NULL
        JOIN pg_class AS older ON older.oid = to_regclass(pair.older)
        CROSS JOIN aclexplode(older.relacl) AS granted
        WHERE granted.grantee <> older.relowner
    LOOP
        EXECUTE format(
            'GRANT %s ON %I TO %s',
            privilege.name,
            privilege.created,
            CASE privilege.grantee WHEN 0 THEN 'PUBLIC' ELSE privilege.grantee::REGROLE::TEXT END
        );
    END LOOP;
END
$$
