-- The tables of draive 0.99.1, and rows that its adapters wrote.

CREATE TABLE memories (
    identifier UUID NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier)
);
CREATE TABLE memories_variables (
    memories UUID NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    variables JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS memories_variables_idx ON memories_variables (memories, created DESC);
CREATE TABLE memories_elements (
    identifier UUID NOT NULL DEFAULT gen_random_uuid(),
    memories UUID NOT NULL REFERENCES memories (identifier) ON DELETE CASCADE,
    content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (identifier)
);
CREATE INDEX IF NOT EXISTS memories_elements_idx ON memories_elements (memories, created DESC);

INSERT INTO memories (identifier, created) VALUES
    ('a0000000-0000-0000-0000-000000000001', '2026-11-26 11:08:18.67366+00');

INSERT INTO memories_variables (memories, variables, created) VALUES
    ('a0000000-0000-0000-0000-000000000001', '{"language": "en"}', '2026-11-26 11:08:18.67366+00'),
    ('a0000000-0000-0000-0000-000000000001', '{"mood": "calm", "language": "en"}', '2026-11-26 11:08:18.713665+00'),
    ('a0000000-0000-0000-0000-000000000001', '{"mood": "calm", "language": "en"}', '2026-11-26 11:08:18.788945+00');

INSERT INTO memories_elements (identifier, memories, content, created) VALUES
    ('39179ea5-7c20-4109-a2b1-569f343fa74b', 'a0000000-0000-0000-0000-000000000001', '{"meta": {}, "type": "model_input", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "How many?"}]}], "identifier": "39179ea5-7c20-4109-a2b1-569f343fa74b"}', '2026-11-26 11:08:18.719893+00'),
    ('ddb259f0-9b18-4d64-8697-4298b027a476', 'a0000000-0000-0000-0000-000000000001', '{"meta": {}, "type": "model_output", "blocks": [{"meta": {}, "type": "reasoning", "content": {"type": "content", "parts": [{"meta": {}, "text": "think"}]}}, {"meta": {}, "tool": "check", "type": "tool_request", "arguments": {"n": 1, "share": 0.5}, "identifier": "call_1"}], "identifier": "ddb259f0-9b18-4d64-8697-4298b027a476"}', '2026-11-26 11:08:18.719894+00'),
    ('aa5c2bd8-9ab7-4198-94df-7dbf500b0adf', 'a0000000-0000-0000-0000-000000000001', '{"meta": {}, "type": "model_input", "blocks": [{"meta": {}, "tool": "check", "type": "tool_response", "content": {"type": "content", "parts": [{"meta": {}, "text": "42"}]}, "handling": "response", "identifier": "call_1"}], "identifier": "aa5c2bd8-9ab7-4198-94df-7dbf500b0adf"}', '2026-11-26 11:08:18.719895+00'),
    ('01c0ee85-e472-4664-93ce-ab2133f25a6a', 'a0000000-0000-0000-0000-000000000001', '{"meta": {}, "type": "model_output", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "It is 42."}]}], "identifier": "01c0ee85-e472-4664-93ce-ab2133f25a6a"}', '2026-11-26 11:08:18.719896+00'),
    ('a5ffcc9f-7fc8-491f-a8a2-8670a86c69bc', 'a0000000-0000-0000-0000-000000000001', '{"meta": {}, "type": "model_input", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "And now?"}]}], "identifier": "a5ffcc9f-7fc8-491f-a8a2-8670a86c69bc"}', '2026-11-26 11:08:18.789665+00'),
    ('2609b365-a96b-43ce-b88b-fc0975d9343e', 'a0000000-0000-0000-0000-000000000001', '{"meta": {}, "type": "model_output", "blocks": [{"meta": {}, "tool": "check", "type": "tool_request", "arguments": {"n": 2}, "identifier": "call_2"}], "identifier": "2609b365-a96b-43ce-b88b-fc0975d9343e"}', '2026-11-26 11:08:18.789666+00'),
    ('89bdbcea-67b3-4128-96e5-b0fff86075ae', 'a0000000-0000-0000-0000-000000000001', '{"meta": {}, "type": "model_input", "blocks": [{"meta": {}, "tool": "check", "type": "tool_response", "content": {"type": "content", "parts": [{"meta": {}, "text": "down"}]}, "handling": "error", "identifier": "call_2"}], "identifier": "89bdbcea-67b3-4128-96e5-b0fff86075ae"}', '2026-11-26 11:08:18.789667+00'),
    ('c054060b-ce19-4512-9855-1aac5b3ca9b2', 'a0000000-0000-0000-0000-000000000001', '{"meta": {}, "type": "model_output", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": "I cannot say."}]}], "identifier": "c054060b-ce19-4512-9855-1aac5b3ca9b2"}', '2026-11-26 11:08:18.789668+00');
