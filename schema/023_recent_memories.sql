-- The memories that were written to last, without reading all of them.
CREATE INDEX IF NOT EXISTS memories_created_identifier ON memories (created DESC, identifier);

CREATE INDEX IF NOT EXISTS memories_variables_created_identifier
    ON memories_variables (created DESC, identifier);

CREATE INDEX IF NOT EXISTS memories_elements_created_identifier
    ON memories_elements (created DESC, identifier);
