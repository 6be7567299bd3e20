CREATE INDEX IF NOT EXISTS templates_idx ON templates (identifier, created DESC)
