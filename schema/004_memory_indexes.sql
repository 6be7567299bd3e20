-- One memory's rows without reading those of all others, in order, and its removal likewise.
-- Not unique: draive stamps rows by the clock of its client, and two clients may agree.
CREATE INDEX IF NOT EXISTS memories_variables_identifier_created
    ON memories_variables (identifier, created);

CREATE INDEX IF NOT EXISTS memories_elements_identifier_created
    ON memories_elements (identifier, created);
