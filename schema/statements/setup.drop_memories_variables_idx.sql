DROP INDEX IF EXISTS memories_variables_idx
