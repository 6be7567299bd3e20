SELECT has_table_privilege(oid, 'INSERT')
FROM pg_class
WHERE reltype = pg_typeof(NULL::draive_pg_folder_bases)::OID
