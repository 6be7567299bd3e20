-- The tables of draive 0.89.5, and rows that its adapters wrote.

CREATE TABLE configurations (
    identifier TEXT NOT NULL,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier, created)
);
CREATE TABLE instructions (
    name TEXT NOT NULL,
    description TEXT DEFAULT NULL,
    content TEXT NOT NULL,
    arguments JSONB NOT NULL DEFAULT '[]'::jsonb,
    meta JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (name, created)
);
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

INSERT INTO memories (identifier, created) VALUES
    ('visit', '2026-11-26 23:11:38.996397+00');

INSERT INTO memories_variables (identifier, variables, created) VALUES
    ('visit', '{"language": "en"}', '2026-11-26 23:11:38.996397+00'),
    ('visit', '{"mood": "calm", "language": "en"}', '2026-11-26 23:11:39.010737+00'),
    ('visit', '{"mood": "calm", "language": "en"}', '2026-11-26 23:11:39.075759+00');

INSERT INTO memories_elements (identifier, content, created) VALUES
    ('visit', '{"meta": {}, "type": "model_input", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "How many?"}]}]}', '2026-11-26 23:11:39.015885+00'),
    ('visit', '{"meta": {}, "type": "model_output", "blocks": [{"meta": {}, "type": "reasoning", "content": {"type": "content", "parts": [{"meta": {}, "text": "think"}]}}, {"meta": {}, "tool": "check", "type": "tool_request", "arguments": {"n": 1, "share": 0.5}, "identifier": "call_1"}]}', '2026-11-26 23:11:39.015886+00'),
    ('visit', '{"meta": {}, "type": "model_input", "blocks": [{"meta": {}, "tool": "check", "type": "tool_response", "content": {"type": "content", "parts": [{"meta": {}, "text": "42"}]}, "handling": "response", "identifier": "call_1"}]}', '2026-11-26 23:11:39.015887+00'),
    ('visit', '{"meta": {}, "type": "model_output", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "It is 42."}]}]}', '2026-11-26 23:11:39.015888+00'),
    ('visit', '{"meta": {}, "type": "model_input", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "And now?"}]}]}', '2026-11-26 23:11:39.079567+00'),
    ('visit', '{"meta": {}, "type": "model_output", "blocks": [{"meta": {}, "tool": "check", "type": "tool_request", "arguments": {"n": 2}, "identifier": "call_2"}]}', '2026-11-26 23:11:39.079568+00'),
    ('visit', '{"meta": {}, "type": "model_input", "blocks": [{"meta": {}, "tool": "check", "type": "tool_response", "content": {"type": "content", "parts": [{"meta": {}, "text": "down"}]}, "handling": "error", "identifier": "call_2"}]}', '2026-11-26 23:11:39.079569+00'),
    ('visit', '{"meta": {}, "type": "model_output", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "I cannot say."}]}]}', '2026-11-26 23:11:39.07957+00');
