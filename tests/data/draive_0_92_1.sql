-- The tables of draive 0.92.1, and rows that its adapters wrote.

CREATE TABLE memories (
    identifier TEXT NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier)
);
CREATE TABLE memories_variables (
    identifier TEXT NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    variables JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE memories_elements (
    identifier TEXT NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE templates (
    identifier TEXT NOT NULL,
    description TEXT DEFAULT NULL,
    content TEXT NOT NULL,
    variables JSONB NOT NULL DEFAULT '{}'::jsonb,
    meta JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier, created)
);

INSERT INTO memories (identifier, created) VALUES
    ('visit', '2026-11-26 11:08:13.349256+00');

INSERT INTO memories_variables (identifier, variables, created) VALUES
    ('visit', '{"language": "en"}', '2026-11-26 11:08:13.349256+00'),
    ('visit', '{"mood": "calm", "language": "en"}', '2026-11-26 11:08:13.413645+00'),
    ('visit', '{"mood": "calm", "language": "en"}', '2026-11-26 11:08:13.475396+00');

INSERT INTO memories_elements (identifier, content, created) VALUES
    ('visit', '{"meta": {}, "type": "model_input", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "How many?"}]}]}', '2026-11-26 11:08:13.427638+00'),
    ('visit', '{"meta": {}, "type": "model_output", "blocks": [{"meta": {}, "type": "reasoning", "content": {"type": "content", "parts": [{"meta": {}, "text": "think"}]}}, {"meta": {}, "tool": "check", "type": "tool_request", "arguments": {"n": 1, "share": 0.5}, "identifier": "call_1"}]}', '2026-11-26 11:08:13.427639+00'),
    ('visit', '{"meta": {}, "type": "model_input", "blocks": [{"meta": {}, "tool": "check", "type": "tool_response", "content": {"type": "content", "parts": [{"meta": {}, "text": "42"}]}, "handling": "response", "identifier": "call_1"}]}', '2026-11-26 11:08:13.42764+00'),
    ('visit', '{"meta": {}, "type": "model_output", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "It is 42."}]}]}', '2026-11-26 11:08:13.427641+00'),
    ('visit', '{"meta": {}, "type": "model_input", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "And now?"}]}]}', '2026-11-26 11:08:13.495642+00'),
    ('visit', '{"meta": {}, "type": "model_output", "blocks": [{"meta": {}, "tool": "check", "type": "tool_request", "arguments": {"n": 2}, "identifier": "call_2"}]}', '2026-11-26 11:08:13.495643+00'),
    ('visit', '{"meta": {}, "type": "model_input", "blocks": [{"meta": {}, "tool": "check", "type": "tool_response", "content": {"type": "content", "parts": [{"meta": {}, "text": "down"}]}, "handling": "error", "identifier": "call_2"}]}', '2026-11-26 11:08:13.495644+00'),
    ('visit', '{"meta": {}, "type": "model_output", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "I cannot say."}]}]}', '2026-11-26 11:08:13.495645+00');
