DROP INDEX IF EXISTS memories_elements_idx
