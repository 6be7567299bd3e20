SELECT has_any_column_privilege(to_regclass($name$memories$name$), 'UPDATE')
