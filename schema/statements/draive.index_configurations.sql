CREATE INDEX IF NOT EXISTS configurations_idx ON configurations (identifier, created DESC)
