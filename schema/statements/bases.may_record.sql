SELECT
    has_table_privilege(oid, 'INSERT')
    AND current_setting('transaction_read_only') = 'off' -- on for a standby
FROM pg_class
WHERE reltype = pg_typeof(NULL::draive_pg_folder_bases)::OID
