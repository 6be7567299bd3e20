-- The tables of draive 0.118.0, and rows that its adapters wrote.

CREATE TABLE IF NOT EXISTS conversation_memory (
    thread_id TEXT NOT NULL,
    identifier UUID NOT NULL,
    turn TEXT NOT NULL,
    payload JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (thread_id, identifier)
);
CREATE INDEX IF NOT EXISTS conversation_memory_idx ON conversation_memory (thread_id, created DESC);
CREATE TABLE IF NOT EXISTS agent_memory (
    agent_uri TEXT NOT NULL,
    thread_id UUID NOT NULL,
    identifier UUID NOT NULL,
    context JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (agent_uri, thread_id, identifier)
);
CREATE INDEX IF NOT EXISTS agent_memory_idx
    ON agent_memory (agent_uri, thread_id, created DESC, identifier DESC);

INSERT INTO conversation_memory (thread_id, identifier, turn, payload, created) VALUES
    ('a0000000-0000-0000-0000-000000000001', '632ec52b-86de-4c47-b205-6c3ffdfa4f04', 'user', '{"meta": {}, "turn": "user", "content": [{"type": "content", "parts": [{"meta": {}, "text": "How many?"}]}], "created": "2026-11-26T11:08:35.515996+00:00", "identifier": "632ec52b-86de-4c47-b205-6c3ffdfa4f04"}', '2026-11-26 11:08:35.515996+00'),
    ('a0000000-0000-0000-0000-000000000001', '6236ab5d-bdea-4782-9bdd-614c9b2c9d45', 'assistant', '{"meta": {}, "turn": "assistant", "content": [{"meta": {}, "reasoning": {"type": "content", "parts": [{"meta": {}, "text": "think"}]}}, {"meta": {}, "event": "tool_request", "content": {"meta": {}, "hidden": false, "artifact": {"meta": {}, "tool": "check", "handling": null, "arguments": {"n": 1, "share": 0.5}, "identifier": "call_1"}, "category": "ModelToolRequest"}, "created": "2026-11-26T11:08:35.495854+00:00"}, {"meta": {}, "event": "tool_response", "content": {"meta": {}, "hidden": false, "artifact": {"meta": {}, "tool": "check", "status": "success", "content": {"type": "content", "parts": [{"meta": {}, "text": "42"}]}, "identifier": "call_1"}, "category": "ModelToolResponse"}, "created": "2026-11-26T11:08:35.497502+00:00"}, {"type": "content", "parts": [{"meta": {}, "text": "It is 42."}]}], "created": "2026-11-26T11:08:35.516126+00:00", "identifier": "6236ab5d-bdea-4782-9bdd-614c9b2c9d45"}', '2026-11-26 11:08:35.516126+00'),
    ('a0000000-0000-0000-0000-000000000001', '75111ca7-5e35-4689-b944-3f16b9e95a01', 'user', '{"meta": {}, "turn": "user", "content": [{"type": "content", "parts": [{"meta": {}, "text": "And now?"}]}], "created": "2026-11-26T11:08:35.565161+00:00", "identifier": "75111ca7-5e35-4689-b944-3f16b9e95a01"}', '2026-11-26 11:08:35.565161+00'),
    ('a0000000-0000-0000-0000-000000000001', '9c5f3b03-a1e7-4ef6-98f0-9037fca2c389', 'assistant', '{"meta": {}, "turn": "assistant", "content": [{"meta": {}, "event": "tool_request", "content": {"meta": {}, "hidden": false, "artifact": {"meta": {}, "tool": "check", "handling": null, "arguments": {"n": 2}, "identifier": "call_2"}, "category": "ModelToolRequest"}, "created": "2026-11-26T11:08:35.548739+00:00"}, {"meta": {}, "event": "tool_response", "content": {"meta": {}, "hidden": false, "artifact": {"meta": {}, "tool": "check", "status": "error", "content": {"type": "content", "parts": [{"meta": {}, "text": "down"}]}, "identifier": "call_2"}, "category": "ModelToolResponse"}, "created": "2026-11-26T11:08:35.548984+00:00"}, {"type": "content", "parts": [{"meta": {}, "text": "I cannot say."}]}], "created": "2026-11-26T11:08:35.565281+00:00", "identifier": "9c5f3b03-a1e7-4ef6-98f0-9037fca2c389"}', '2026-11-26 11:08:35.565281+00');

INSERT INTO agent_memory (agent_uri, thread_id, identifier, context, created) VALUES
    ('agent://counter', 'a0000000-0000-0000-0000-000000000001', '8a98dfc0-65aa-402e-b391-35c3663f8e8f', '[{"kind": "input", "meta": {}, "input": [{"type": "content", "parts": [{"meta": {}, "text": "How many?"}]}]}, {"kind": "output", "meta": {}, "output": [{"meta": {}, "reasoning": {"type": "content", "parts": [{"meta": {}, "text": "think"}]}}, {"meta": {}, "tool": "check", "handling": null, "arguments": {"n": 1, "share": 0.5}, "identifier": "call_1"}]}, {"kind": "input", "meta": {}, "input": [{"meta": {}, "tool": "check", "status": "success", "content": {"type": "content", "parts": [{"meta": {}, "text": "42"}]}, "identifier": "call_1"}]}, {"kind": "output", "meta": {}, "output": [{"type": "content", "parts": [{"meta": {}, "text": "It is 42."}]}]}]', '2026-11-26 11:08:35.619609+00'),
    ('agent://counter', 'a0000000-0000-0000-0000-000000000001', '921e0abb-2dbf-4760-83f2-9066c2e7d627', '[{"kind": "input", "meta": {}, "input": [{"type": "content", "parts": [{"meta": {}, "text": "How many?"}]}]}, {"kind": "output", "meta": {}, "output": [{"meta": {}, "reasoning": {"type": "content", "parts": [{"meta": {}, "text": "think"}]}}, {"meta": {}, "tool": "check", "handling": null, "arguments": {"n": 1, "share": 0.5}, "identifier": "call_1"}]}, {"kind": "input", "meta": {}, "input": [{"meta": {}, "tool": "check", "status": "success", "content": {"type": "content", "parts": [{"meta": {}, "text": "42"}]}, "identifier": "call_1"}]}, {"kind": "output", "meta": {}, "output": [{"type": "content", "parts": [{"meta": {}, "text": "It is 42."}]}]}, {"kind": "input", "meta": {}, "input": [{"type": "content", "parts": [{"meta": {}, "text": "And now?"}]}]}, {"kind": "output", "meta": {}, "output": [{"meta": {}, "tool": "check", "handling": null, "arguments": {"n": 2}, "identifier": "call_2"}]}, {"kind": "input", "meta": {}, "input": [{"meta": {}, "tool": "check", "status": "error", "content": {"type": "content", "parts": [{"meta": {}, "text": "down"}]}, "identifier": "call_2"}]}, {"kind": "output", "meta": {}, "output": [{"type": "content", "parts": [{"meta": {}, "text": "I cannot say."}]}]}]', '2026-11-26 11:08:35.622914+00');
