-- The tables of draive 0.103.0, and rows that its adapters wrote.

CREATE TABLE conversation_memory (
    thread_id TEXT NOT NULL,
    turn TEXT NOT NULL,
    identifier UUID NOT NULL,
    payload JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (thread_id, identifier),
    UNIQUE (thread_id, identifier)
);
CREATE INDEX IF NOT EXISTS conversation_memory_idx
    ON conversation_memory (thread_id, created DESC, identifier DESC);

INSERT INTO conversation_memory (thread_id, turn, identifier, payload, created) VALUES
    ('a0000000-0000-0000-0000-000000000001', 'user', '2e88105d-0f68-4fb0-8c3a-336e987d53b7', '{"meta": {}, "turn": "user", "content": [{"type": "content", "parts": [{"meta": {}, "text": "How many?"}]}], "created": "2026-11-26T11:08:25.467619+00:00", "identifier": "2e88105d-0f68-4fb0-8c3a-336e987d53b7"}', '2026-11-26 11:08:25.467619+00'),
    ('a0000000-0000-0000-0000-000000000001', 'assistant', '49333052-dc55-4f11-9640-714d329afdb1', '{"meta": {}, "turn": "assistant", "content": [{"meta": {}, "reasoning": {"type": "content", "parts": [{"meta": {}, "text": "think"}]}}, {"meta": {}, "event": "tool_request", "content": {"meta": {}, "hidden": false, "artifact": {"meta": {}, "tool": "check", "handling": null, "arguments": {"n": 1.0, "share": 0.5}, "identifier": "call_1"}, "category": "ModelToolRequest"}, "created": "2026-11-26T11:08:25.430484+00:00"}, {"meta": {}, "event": "tool_response", "content": {"meta": {}, "hidden": false, "artifact": {"meta": {}, "tool": "check", "status": "success", "content": {"type": "content", "parts": [{"meta": {}, "text": "42"}]}, "identifier": "call_1"}, "category": "ModelToolResponse"}, "created": "2026-11-26T11:08:25.430850+00:00"}, {"type": "content", "parts": [{"meta": {}, "text": "It is 42."}]}], "created": "2026-11-26T11:08:25.467791+00:00", "identifier": "49333052-dc55-4f11-9640-714d329afdb1"}', '2026-11-26 11:08:25.467791+00'),
    ('a0000000-0000-0000-0000-000000000001', 'user', 'def998ec-92ef-402e-b379-f3a6cc114785', '{"meta": {}, "turn": "user", "content": [{"type": "content", "parts": [{"meta": {}, "text": "And now?"}]}], "created": "2026-11-26T11:08:25.567696+00:00", "identifier": "def998ec-92ef-402e-b379-f3a6cc114785"}', '2026-11-26 11:08:25.567696+00'),
    ('a0000000-0000-0000-0000-000000000001', 'assistant', '344821a1-5ed7-44db-ad2a-30da0e8cf4bb', '{"meta": {}, "turn": "assistant", "content": [{"meta": {}, "event": "tool_request", "content": {"meta": {}, "hidden": false, "artifact": {"meta": {}, "tool": "check", "handling": null, "arguments": {"n": 2.0}, "identifier": "call_2"}, "category": "ModelToolRequest"}, "created": "2026-11-26T11:08:25.549268+00:00"}, {"meta": {}, "event": "tool_response", "content": {"meta": {}, "hidden": false, "artifact": {"meta": {}, "tool": "check", "status": "error", "content": {"type": "content", "parts": [{"meta": {}, "text": "down"}]}, "identifier": "call_2"}, "category": "ModelToolResponse"}, "created": "2026-11-26T11:08:25.551656+00:00"}, {"type": "content", "parts": [{"meta": {}, "text": "I cannot say."}]}], "created": "2026-11-26T11:08:25.567881+00:00", "identifier": "344821a1-5ed7-44db-ad2a-30da0e8cf4bb"}', '2026-11-26 11:08:25.567881+00');
