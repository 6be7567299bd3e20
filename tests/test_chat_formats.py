"""Each format of chat logs becomes the conversation that it describes."""

import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import Client
from draive_pg.chat import formats
from draive_pg.chat.convert import convert
from draive_pg.chat.reader import Log
from tests.chat_logs import entries, errors, memories, memory

PIXEL = b64encode(b"\x89PNG pixel").decode()

USER = {"role": "user", "content": "Weather in Oslo?"}
ANSWER = {"role": "assistant", "content": "Cold."}
ASKED = [("user", "Weather in Oslo?"), ("assistant", "Cold.")]
# A question, a tool call, its result and the answer: the same in each format that has tools.
CALLED = [
    ("user", "Weather in Oslo?"),
    ("assistant", ""),
    ("tool", ""),
    ("assistant", "Cold."),
]
CALL = ("weather", {"city": "Oslo"}, "3C")
SYSTEM = {"system": "Be brief."}
AT = ("2024-05-01T10:00:00+00:00", "2024-05-01T10:00:03+00:00")
START, END = "2024-05-01T10:00:00Z", "2024-05-01T10:00:03Z"
SECONDS = 1714557600


@dataclass
class Case:
    """A document of a format, and the conversation in it."""

    format: str
    document: Any
    turns: list[tuple[str, str]] = field(default_factory=lambda: CALLED)
    calls: list[Any] = field(default_factory=list[Any])
    reasoning: str = ""
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    times: tuple[str, ...] = ()
    identifier: str = "data"
    ignored: list[str] = field(default_factory=list[str])


def lc(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", name], "kwargs": kwargs}


def event(kind: str, message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": kind, "sessionId": "s1", "message": {"role": kind, **message}, **fields}


def node(name: str, parent: str | None, role: str, content: Any, **fields: Any) -> dict[str, Any]:
    if isinstance(content, str):
        content = {"content_type": "text", "parts": [content]}
    message = {"id": name, "author": {"role": role}, "content": content, **fields}
    return {"id": name, "parent": parent, "children": [], "message": message}


def chunk(delta: dict[str, Any], **fields: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta}]
    return {"id": "x1", "object": "chat.completion.chunk", "choices": choices, **fields}


OPENAI_CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
        }
    ],
}
OPENAI_RESULT = {"role": "tool", "tool_call_id": "c1", "content": "3C"}
OPENAI = [USER, OPENAI_CALL, OPENAI_RESULT, ANSWER]

CASES = {
    "openai messages": Case("openai", OPENAI, calls=[CALL]),
    "openai fine-tuning": Case(
        "openai",
        {"messages": [{"role": "system", "content": "Be brief."}, *OPENAI], "tools": [{"a": {}}]},
        calls=[CALL],
        variables={**SYSTEM, "tools": [{"a": {}}]},
    ),
    "openai request and response": Case(
        "openai",
        {
            "request": {"model": "gpt-x", "messages": [USER]},
            "response": {"id": "r1", "choices": [{"message": ANSWER}], "created": SECONDS},
        },
        ASKED,
        variables={"model": "gpt-x"},
    ),
    "openai choices beside messages": Case(
        "openai", {"messages": [USER], "choices": [{"message": ANSWER}]}, ASKED
    ),
    "openai batch": Case(
        "openai",
        {"custom_id": "b1", "method": "POST", "body": {"model": "m", "messages": [USER, ANSWER]}},
        ASKED,
        identifier="b1",
        variables={"method": "POST", "model": "m"},
    ),
    "openai batch output": Case(
        "openai-response",
        {
            "custom_id": "b1",
            "response": {"status_code": 200, "body": {"choices": [{"message": ANSWER}]}},
        },
        ASKED[1:],
        identifier="b1",
    ),
    "openai stream": Case(
        "openai-stream",
        [
            chunk({"role": "assistant", "content": "Co"}),
            chunk({"content": "ld."}),
            chunk({}, usage={"total_tokens": 3}),
        ],
        ASKED[1:],
        identifier="x1",
    ),
    "openai stream of a call": Case(
        "openai-stream",
        [
            chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "weather"}}]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Oslo"}'}}]}),
        ],
        [("assistant", "")],
        calls=[("weather", {"city": "Oslo"}, None)],
        identifier="x1",
    ),
    "openai responses": Case(
        "openai-responses",
        {
            "id": "r1",
            "object": "response",
            "created_at": SECONDS,
            "instructions": "Be brief.",
            "input": "Weather in Oslo?",
            "output": [
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "Cold.", "annotations": []}],
                }
            ],
        },
        ASKED,
        identifier="r1",
        variables=SYSTEM,
    ),
    "openai responses items": Case(
        "openai-responses",
        {
            "items": [
                {"type": "message", **USER},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Look."}]},
                {
                    "type": "function_call",
                    "call_id": "c1",
                    "name": "weather",
                    "arguments": '{"city": "Oslo"}',
                },
                {"type": "function_call_output", "call_id": "c1", "output": "3C"},
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "Cold."}],
                },
            ]
        },
        calls=[CALL],
        reasoning="Look.",
    ),
    "anthropic": Case(
        "anthropic",
        {
            "system": "Be brief.",
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Look.", "signature": "s"},
                        {"type": "tool_use", "id": "t1", "name": "weather", "input": CALL[1]},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t1",
                            "content": [{"type": "text", "text": "3C"}],
                        }
                    ],
                },
                {"role": "assistant", "content": [{"type": "text", "text": "Cold."}]},
            ],
        },
        calls=[CALL],
        reasoning="Look.",
        variables=SYSTEM,
    ),
    "anthropic request and response": Case(
        "anthropic",
        {
            "request": {"system": "Be brief.", "messages": [USER]},
            "response": {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "text", "text": "Cold."}],
                "usage": {"input_tokens": 3},
            },
        },
        ASKED,
        variables=SYSTEM,
    ),
    "gemini": Case(
        "gemini",
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Weather in Oslo?"}]},
                {
                    "role": "model",
                    "parts": [
                        {"text": "Look.", "thought": True},
                        {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "weather", "response": {"result": "3C"}}}
                    ],
                },
                {"role": "model", "parts": [{"text": "Cold."}]},
            ],
        },
        calls=[CALL],
        reasoning="Look.",
        variables=SYSTEM,
    ),
    "gemini request and response": Case(
        "gemini",
        {
            "request": {"contents": [{"role": "user", "parts": [{"text": "Weather in Oslo?"}]}]},
            "response": {
                "candidates": [{"content": {"role": "model", "parts": [{"text": "Cold."}]}}]
            },
        },
        ASKED,
    ),
    "google ai studio": Case(
        "ai-studio",
        {
            "runSettings": {"model": "models/gemini-x"},
            "systemInstruction": {"text": "Be brief."},
            "chunkedPrompt": {
                "chunks": [
                    {"text": "Weather in Oslo?", "role": "user", "tokenCount": 4},
                    {"text": "Look.", "role": "model", "isThought": True},
                    {"text": "Cold.", "role": "model", "finishReason": "STOP"},
                ]
            },
        },
        ASKED,
        reasoning="Look.",
        variables={**SYSTEM, "model": "models/gemini-x"},
    ),
    "langchain": Case(
        "langchain",
        [
            {"type": "system", "content": "Be brief."},
            {"type": "human", "content": "Weather in Oslo?", "additional_kwargs": {}},
            {
                "type": "ai",
                "content": "",
                "tool_calls": [{"name": "weather", "args": {"city": "Oslo"}, "id": "c1"}],
            },
            {"type": "tool", "content": "3C", "tool_call_id": "c1", "name": "weather"},
            {"type": "ai", "content": "Cold.", "response_metadata": {"model_name": "m"}},
        ],
        calls=[CALL],
        variables=SYSTEM,
    ),
    "langchain constructors": Case(
        "langchain",
        {
            "id": "l1",
            "messages": [
                lc("HumanMessage", content="Weather in Oslo?"),
                lc(
                    "AIMessage",
                    content="",
                    tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": "c1"}],
                ),
                lc("ToolMessage", content="3C", tool_call_id="c1"),
                lc("AIMessage", content="Cold."),
            ],
        },
        calls=[CALL],
        identifier="l1",
    ),
    "n8n rows": Case(
        "n8n",
        [
            {
                "id": 1,
                "session_id": "s1",
                "message": {"type": "human", "content": "Weather in Oslo?"},
            },
            {"id": 2, "session_id": "s1", "message": {"type": "ai", "content": "Cold."}},
        ],
        ASKED,
        identifier="s1",
    ),
    "sharegpt": Case(
        "sharegpt",
        {
            "system": "Be brief.",
            "tools": "[]",
            "conversations": [
                {"from": "human", "value": "Weather in Oslo?"},
                {
                    "from": "function_call",
                    "value": '{"name": "weather", "arguments": {"city": "Oslo"}}',
                },
                {"from": "observation", "value": "3C"},
                {"from": "gpt", "value": "Cold."},
            ],
        },
        calls=[CALL],
        variables={**SYSTEM, "tools": "[]"},
    ),
    "prompt and completion of messages": Case(
        "prompt-completion", {"prompt": [USER], "completion": [ANSWER]}, ASKED
    ),
    "prompt and completion of text": Case(
        "prompt-completion", {"prompt": "Weather in Oslo?", "completion": "Cold."}, ASKED
    ),
    "chatgpt": Case(
        "chatgpt",
        {
            "title": "Oslo",
            "id": "g1",
            "conversation_id": "g1",
            "create_time": SECONDS,
            "current_node": "d",
            "mapping": {
                "r": {"id": "r", "parent": None, "children": ["a"], "message": None},
                "s": node("s", "r", "system", "", metadata={}),
                "a": node("a", "s", "user", "Weather in Oslo?", create_time=SECONDS),
                "b": node(
                    "b",
                    "a",
                    "assistant",
                    {"content_type": "code", "language": "json", "text": "oslo"},
                    recipient="browser",
                    create_time=SECONDS + 1,
                ),
                "c": {
                    **node("c", "b", "tool", "3C", create_time=SECONDS + 2),
                    "message": {
                        "author": {"role": "tool", "name": "browser"},
                        "content": {"content_type": "tether_quote", "text": "3C"},
                        "create_time": SECONDS + 2,
                    },
                },
                "t": node(
                    "t",
                    "c",
                    "assistant",
                    {"content_type": "thoughts", "thoughts": [{"summary": "", "content": "Look."}]},
                ),
                "x": node("x", "c", "assistant", "Warm.", create_time=SECONDS + 3),
                "d": node(
                    "d",
                    "t",
                    "assistant",
                    "Cold.",
                    create_time=SECONDS + 3,
                    metadata={"model_slug": "gpt-x"},
                    recipient="all",
                ),
            },
        },
        calls=[("browser", {"input": "oslo"}, "3C")],
        reasoning="Look.",
        identifier="g1",
        ignored=["other branches"],
        variables={"title": "Oslo"},
        times=(AT[0], "2024-05-01T10:00:01+00:00", "2024-05-01T10:00:02+00:00", AT[1]),
    ),
    "claude": Case(
        "claude",
        {
            "uuid": "u1",
            "name": "Oslo",
            "created_at": START,
            "account": {"uuid": "me"},
            "chat_messages": [
                {
                    "uuid": "m1",
                    "sender": "human",
                    "text": "Weather in Oslo?",
                    "content": [{"type": "text", "text": "Weather in Oslo?"}],
                    "created_at": START,
                    "files": [],
                },
                {"uuid": "m2", "sender": "assistant", "text": "Cold.", "created_at": END},
            ],
        },
        ASKED,
        identifier="u1",
        variables={"title": "Oslo", "account": {"uuid": "me"}},
        times=AT,
    ),
    "claude code": Case(
        "claude-code",
        [
            {"type": "summary", "summary": "Oslo", "leafUuid": "e4"},
            {"type": "file-history-snapshot", "messageId": "e0", "snapshot": {}},
            event("user", {"content": "Weather in Oslo?"}, uuid="e1", cwd="/home", timestamp=START),
            event(
                "assistant", {"id": "m1", "content": [{"type": "thinking", "thinking": "Look."}]}
            ),
            event(
                "assistant",
                {
                    "id": "m1",
                    "content": [
                        {"type": "tool_use", "id": "t1", "name": "weather", "input": CALL[1]}
                    ],
                },
                uuid="e2",
            ),
            event(
                "user",
                {"content": [{"type": "tool_result", "tool_use_id": "t1", "content": "3C"}]},
                uuid="e3",
            ),
            event(
                "assistant", {"id": "m2", "content": [{"type": "text", "text": "Cold."}]}, uuid="e4"
            ),
        ],
        calls=[CALL],
        reasoning="Look.",
        identifier="s1",
        variables={"title": "Oslo", "cwd": "/home"},
        ignored=["file-history-snapshot events"],
    ),
    "open webui": Case(
        "open-webui",
        {
            "id": "w1",
            "title": "Oslo",
            "chat": {
                "models": ["m"],
                "history": {
                    "currentId": "b",
                    "messages": {
                        "a": {
                            "id": "a",
                            "parentId": None,
                            "childrenIds": ["x", "b"],
                            **USER,
                            "timestamp": SECONDS,
                        },
                        "x": {"id": "x", "parentId": "a", "role": "assistant", "content": "Warm."},
                        "b": {"id": "b", "parentId": "a", **ANSWER, "timestamp": SECONDS + 3},
                    },
                },
                "messages": [],
            },
        },
        ASKED,
        identifier="w1",
        variables={"title": "Oslo", "models": ["m"]},
        times=AT,
        ignored=["other branches"],
    ),
    "codex": Case(
        "codex",
        [
            {
                "timestamp": START,
                "type": "session_meta",
                "payload": {"id": "x1", "cwd": "/app", "instructions": "Be brief."},
            },
            *(
                {"timestamp": time, "type": "response_item", "payload": payload}
                for time, payload in (
                    (
                        START,
                        {
                            "type": "message",
                            "role": "user",
                            "content": [{"type": "input_text", "text": "Weather in Oslo?"}],
                        },
                    ),
                    (
                        START,
                        {
                            "type": "reasoning",
                            "summary": [{"type": "summary_text", "text": "Look."}],
                            "content": None,
                        },
                    ),
                    (
                        START,
                        {
                            "type": "function_call",
                            "name": "weather",
                            "arguments": '{"city": "Oslo"}',
                            "call_id": "c1",
                        },
                    ),
                    (START, {"type": "function_call_output", "call_id": "c1", "output": "3C"}),
                    (START, {"type": "ghost_snapshot", "ghost_commit": {"id": "f00"}}),
                    (
                        END,
                        {
                            "type": "message",
                            "role": "assistant",
                            "content": [{"type": "output_text", "text": "Cold."}],
                        },
                    ),
                )
            ),
            {
                "timestamp": END,
                "type": "event_msg",
                "payload": {"type": "agent_message", "message": "Cold."},
            },
        ],
        calls=[CALL],
        reasoning="Look.",
        identifier="x1",
        variables={**SYSTEM, "cwd": "/app"},
        ignored=["event_msg lines", "ghost_snapshot items"],
    ),
    "oasst": Case(
        "oasst",
        {
            "message_tree_id": "t1",
            "prompt": {
                "message_id": "t1",
                "role": "prompter",
                "text": "Weather in Oslo?",
                "created_date": START,
                "replies": [
                    {"message_id": "b", "role": "assistant", "text": "Why?", "rank": 1},
                    {
                        "message_id": "a",
                        "role": "assistant",
                        "text": "Cold.",
                        "rank": 0,
                        "created_date": END,
                        "replies": [],
                    },
                ],
            },
        },
        ASKED,
        identifier="t1",
        times=AT,
        ignored=["other branches"],
    ),
    "oasst rows": Case(
        "oasst-rows",
        [
            {"message_id": name, "parent_id": parent, "message_tree_id": "t1", **fields}
            for name, parent, fields in (
                ("t1", None, {"role": "prompter", "text": "Weather in Oslo?"}),
                ("b", "t1", {"role": "assistant", "text": "Why?", "rank": 1.0}),
                ("a", "t1", {"role": "assistant", "text": "Cold.", "rank": 0.0}),
            )
        ],
        ASKED,
        identifier="t1",
        ignored=["other branches"],
    ),
    "librechat": Case(
        "librechat",
        {
            "conversationId": "v1",
            "title": "Oslo",
            "messages": [
                {
                    "messageId": "a",
                    "parentMessageId": "00000000-0000-0000-0000-000000000000",
                    "sender": "User",
                    "isCreatedByUser": True,
                    "text": "Weather in Oslo?",
                    "createdAt": START,
                },
                {
                    "messageId": "b",
                    "parentMessageId": "a",
                    "sender": "GPT",
                    "isCreatedByUser": False,
                    "text": "",
                    "content": [
                        {"type": "think", "think": "Look."},
                        {
                            "type": "tool_call",
                            "tool_call": {
                                "id": "c1",
                                "name": "weather",
                                "args": '{"city": "Oslo"}',
                                "output": "3C",
                            },
                        },
                        {"type": "text", "text": "Cold."},
                    ],
                },
            ],
        },
        calls=[CALL],
        reasoning="Look.",
        identifier="v1",
        variables={"title": "Oslo"},
    ),
    "ai sdk 4": Case(
        "ai-sdk",
        [
            USER,
            {
                "role": "assistant",
                "content": "Cold.",
                "toolInvocations": [
                    {
                        "state": "result",
                        "toolCallId": "c1",
                        "toolName": "weather",
                        "args": {"city": "Oslo"},
                        "result": "3C",
                    }
                ],
            },
        ],
        calls=[CALL],
    ),
    "ai sdk 5": Case(
        "ai-sdk",
        {
            "id": "a1",
            "messages": [
                {
                    "id": "m",
                    "role": "user",
                    "parts": [{"type": "text", "text": "Weather in Oslo?"}],
                },
                {
                    "role": "assistant",
                    "parts": [
                        {"type": "step-start"},
                        {"type": "reasoning", "text": "Look.", "state": "done"},
                        {
                            "type": "tool-weather",
                            "toolCallId": "c1",
                            "state": "output-available",
                            "input": {"city": "Oslo"},
                            "output": "3C",
                        },
                        {"type": "text", "text": "Cold.", "state": "done"},
                    ],
                },
            ],
        },
        calls=[CALL],
        reasoning="Look.",
        identifier="a1",
    ),
    "ai sdk model messages": Case(
        "ai-sdk",
        [
            {"role": "user", "content": [{"type": "text", "text": "Weather in Oslo?"}]},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool-call",
                        "toolCallId": "c1",
                        "toolName": "weather",
                        "input": {"city": "Oslo"},
                    }
                ],
            },
            {
                "role": "tool",
                "content": [
                    {
                        "type": "tool-result",
                        "toolCallId": "c1",
                        "toolName": "weather",
                        "output": {"type": "text", "value": "3C"},
                    }
                ],
            },
            ANSWER,
        ],
        calls=[CALL],
    ),
    "pydantic-ai": Case(
        "pydantic-ai",
        [
            {
                "kind": "request",
                "parts": [
                    {"part_kind": "system-prompt", "content": "Be brief."},
                    {"part_kind": "user-prompt", "content": "Weather in Oslo?", "timestamp": START},
                ],
            },
            {
                "kind": "response",
                "model_name": "m",
                "timestamp": END,
                "parts": [
                    {"part_kind": "thinking", "content": "Look."},
                    {
                        "part_kind": "tool-call",
                        "tool_name": "weather",
                        "args": '{"city": "Oslo"}',
                        "tool_call_id": "c1",
                    },
                ],
            },
            {
                "kind": "request",
                "parts": [
                    {
                        "part_kind": "tool-return",
                        "tool_name": "weather",
                        "content": "3C",
                        "tool_call_id": "c1",
                    }
                ],
            },
            {"kind": "response", "parts": [{"part_kind": "text", "content": "Cold."}]},
        ],
        calls=[CALL],
        reasoning="Look.",
        variables=SYSTEM,
    ),
    "ollama": Case(
        "ollama",
        {
            "model": "llama",
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": "",
                    "thinking": "Look.",
                    "tool_calls": [
                        {"function": {"name": "weather", "arguments": {"city": "Oslo"}}}
                    ],
                },
                {"role": "tool", "tool_name": "weather", "content": "3C"},
            ],
            "message": ANSWER,
            "done": True,
        },
        calls=[CALL],
        reasoning="Look.",
        variables={"model": "llama", "done": True},
    ),
    "langfuse observation": Case(
        "langfuse",
        {
            "id": "o1",
            "traceId": "t1",
            "startTime": START,
            "endTime": END,
            "input": {"messages": [USER]},
            "output": ANSWER,
        },
        ASKED,
        identifier="o1",
        variables={"traceId": "t1"},
        times=(AT[0], AT[1]),
    ),
    "langfuse text": Case(
        "langfuse",
        {"id": "o1", "traceId": "t1", "input": "Weather in Oslo?", "output": "Cold."},
        ASKED,
        identifier="o1",
    ),
    "langsmith run": Case(
        "langsmith",
        {
            "id": "r1",
            "start_time": START,
            "end_time": END,
            "inputs": {"messages": [[lc("HumanMessage", content="Weather in Oslo?")]]},
            "outputs": {
                "generations": [[{"text": "Cold.", "message": lc("AIMessage", content="Cold.")}]]
            },
        },
        ASKED,
        identifier="r1",
        times=AT,
    ),
    "langsmith example": Case(
        "langsmith",
        {"id": "e1", "inputs": {"question": "Weather in Oslo?"}, "outputs": {"answer": "Cold."}},
        ASKED,
        identifier="e1",
    ),
    "langsmith graph": Case(
        "langsmith",
        {
            "id": "g1",
            "inputs": {"messages": [USER]},
            "outputs": {"messages": [USER, ANSWER]},
        },
        ASKED,
        identifier="g1",
    ),
    "autogen": Case(
        "autogen",
        [
            {"type": "TextMessage", "source": "user", "content": "Weather in Oslo?"},
            {"type": "ThoughtEvent", "source": "bot", "content": "Look."},
            {
                "type": "ToolCallRequestEvent",
                "source": "bot",
                "content": [{"id": "c1", "name": "weather", "arguments": '{"city": "Oslo"}'}],
            },
            {
                "type": "ToolCallExecutionEvent",
                "source": "bot",
                "content": [
                    {"call_id": "c1", "name": "weather", "content": "3C", "is_error": False}
                ],
            },
            {"type": "TextMessage", "source": "bot", "content": "Cold."},
        ],
        calls=[CALL],
        reasoning="Look.",
    ),
    "autogen state": Case(
        "autogen",
        {
            "type": "AssistantAgentState",
            "version": "1.0.0",
            "llm_context": {
                "messages": [
                    {"type": "UserMessage", "source": "user", "content": "Weather in Oslo?"},
                    {"type": "AssistantMessage", "source": "bot", "content": "Cold."},
                ]
            },
        },
        ASKED,
        variables={"version": "1.0.0"},
    ),
    "letta": Case(
        "letta",
        [
            {
                "id": "1",
                "message_type": "user_message",
                "content": "Weather in Oslo?",
                "date": START,
            },
            {"id": "2", "message_type": "reasoning_message", "reasoning": "Look."},
            {
                "id": "2",
                "message_type": "tool_call_message",
                "tool_call": {
                    "name": "weather",
                    "arguments": '{"city": "Oslo"}',
                    "tool_call_id": "c1",
                },
            },
            {
                "id": "3",
                "message_type": "tool_return_message",
                "tool_return": "3C",
                "status": "success",
                "tool_call_id": "c1",
            },
            {"id": "4", "message_type": "assistant_message", "content": "Cold."},
        ],
        calls=[CALL],
        reasoning="Look.",
    ),
    "cohere": Case(
        "cohere",
        {
            "preamble": "Be brief.",
            "chat_history": [
                {"role": "USER", "message": "Hello"},
                {"role": "CHATBOT", "message": "Hi"},
            ],
            "message": "Weather in Oslo?",
            "response": {"text": "Cold."},
        },
        [("user", "Hello"), ("assistant", "Hi"), *ASKED],
        variables=SYSTEM,
    ),
    "alpaca": Case(
        "alpaca",
        {"instruction": "Weather", "input": "in Oslo?", "output": "Cold."},
        [("user", "Weather\n\nin Oslo?"), ("assistant", "Cold.")],
    ),
    "assistants": Case(
        "assistants",
        {
            "object": "list",
            "data": [
                {
                    "object": "thread.message",
                    "thread_id": "th",
                    "created_at": SECONDS + 3,
                    "role": "assistant",
                    "content": [{"type": "text", "text": {"value": "Cold.", "annotations": []}}],
                },
                {
                    "object": "thread.message",
                    "thread_id": "th",
                    "created_at": SECONDS,
                    "role": "user",
                    "content": [{"type": "text", "text": {"value": "Weather in Oslo?"}}],
                },
            ],
            "has_more": False,
        },
        ASKED,
        identifier="th",
        times=AT,
    ),
    "question and answer": Case(
        "input-output", {"question": "Weather in Oslo?", "answer": "Cold."}, ASKED
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_format_is_read(name: str) -> None:
    case = CASES[name]
    document = json.loads(json.dumps(case.document))
    [(identifier, memory)] = memories(json.dumps(document).encode()).items()
    assert memory.turns == case.turns
    assert memory.calls == case.calls
    assert "".join(memory.reasoning) == case.reasoning
    assert memory.variables.items() >= case.variables.items()
    assert memory.variables.get("system") == case.variables.get("system")
    assert identifier == case.identifier
    if case.times:
        assert memory.times == list(case.times)
    assert memory.ignored == case.ignored


@pytest.mark.parametrize("name", CASES)
def test_format_is_detected(name: str) -> None:
    case = CASES[name]
    document = case.document if isinstance(case.document, dict) else {"messages": case.document}
    found = formats.detect(document)
    assert found is not None
    assert found.name == case.format


def test_every_format_has_a_case() -> None:
    elsewhere = {
        "anthropic-stream",
        "gemini-activity",
        "langfuse-trace",
        "gemini-stream",
        "ollama-stream",
        "openai-responses-stream",
        "preference",
    }
    tested = {case.format for case in CASES.values()} | elsewhere
    assert tested == {each.name for each in formats.FORMATS}


# --- Details of formats


def test_request_of_bedrock_converse_is_read() -> None:
    use = {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Oslo"}}}
    thought = {"reasoningContent": {"reasoningText": {"text": "Look.", "signature": "s"}}}
    result = {"toolUseId": "t1", "content": [{"json": {"celsius": 3}}], "status": "success"}
    files = [
        {"image": {"format": "png", "source": {"bytes": PIXEL}}},
        {"document": {"format": "pdf", "name": "plan", "source": {"bytes": PIXEL}}},
    ]
    document = {
        "modelId": "anthropic.claude",
        "system": [{"text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"text": "Weather in Oslo?"}, *files]},
            {"role": "assistant", "content": [thought, use]},
            {"role": "user", "content": [{"toolResult": result}]},
        ],
        "output": {"message": {"role": "assistant", "content": [{"text": "Cold."}]}},
    }
    [entry] = entries([document])
    assert isinstance(entry, Log)
    chat = convert(entry.conversation)
    found = memory(chat)
    assert found.turns == CALLED
    assert found.calls == [("weather", {"city": "Oslo"}, '{"celsius": 3}')]
    assert found.reasoning[1] == "Look."
    assert found.variables["system"] == "Be brief."
    parts = chat.elements[0].document["blocks"][0]["parts"]
    assert [each["mime_type"] for each in parts[1:]] == ["image/png", "application/pdf"]


def test_preference_pair_is_two_conversations() -> None:
    pair = {
        "id": "p",
        "prompt": [USER],
        "chosen": [ANSWER],
        "rejected": [{**ANSWER, "content": "?"}],
    }
    found = memories([pair])
    assert {name: memory.turns for name, memory in found.items()} == {
        "p/chosen": ASKED,
        "p/rejected": [ASKED[0], ("assistant", "?")],
    }
    assert [memory.variables for memory in found.values()] == [
        {"side": "chosen"},
        {"side": "rejected"},
    ]


def test_preference_pair_of_openai_is_two_conversations() -> None:
    pair = {
        "input": {"messages": [USER], "tools": []},
        "preferred_output": [ANSWER],
        "non_preferred_output": [{**ANSWER, "content": "?"}],
    }
    assert [memory.turns[-1][1] for memory in memories([pair]).values()] == ["Cold.", "?"]


def test_preference_pair_with_whole_conversations_repeats_nothing() -> None:
    rejected = [USER, {**ANSWER, "content": "?"}]
    pair = {"prompt": "Weather in Oslo?", "chosen": [USER, ANSWER], "rejected": rejected}
    assert [memory.turns for memory in memories([pair]).values()] == [
        ASKED,
        [ASKED[0], ("assistant", "?")],
    ]


@pytest.mark.parametrize("asked", [[], [{"role": "system", "content": "Be brief."}]])
def test_answer_that_repeats_the_question_with_a_system_message(asked: list[Any]) -> None:
    """The state of an agent has all messages, with the system message that was added."""
    state = [{"role": "system", "content": "Be brief."}, USER, ANSWER]
    run = {"id": "r", "inputs": {"messages": [*asked, USER]}, "outputs": {"messages": state}}
    [memory] = memories([run]).values()
    assert memory.turns == ASKED
    assert memory.variables == SYSTEM


@pytest.mark.parametrize(
    ("speaker", "text"),
    [
        ("human", 'Write <tool_call>{"name": "f"}</tool_call> here.'),
        ("gpt", "Use <tool_call>{'name': <name>}</tool_call> here."),
    ],
)
def test_text_about_calls_stays_text(speaker: str, text: str) -> None:
    turns = [{"from": "system", "value": text}, {"from": speaker, "value": text}]
    [memory] = memories([{"conversations": turns}]).values()
    assert [each for _, each in memory.turns] == [text]
    assert memory.variables == {"system": text}


def test_text_around_a_result_is_kept() -> None:
    result = {"from": "tool", "value": "At 9: <tool_response>3C</tool_response>"}
    call = {"from": "gpt", "value": '<tool_call>{"name": "f", "arguments": {}}</tool_call>'}
    [memory] = memories([{"conversations": [call, result]}]).values()
    assert memory.calls == [("f", {}, result["value"])]


def test_result_with_much_white_space_is_read_in_linear_time() -> None:
    text = f"3C{' ' * 300_000}-"
    result = {"from": "tool", "value": f"<tool_response>{text}\n</tool_response>"}
    call = {"from": "gpt", "value": '<tool_call>{"name": "f", "arguments": {}}</tool_call>'}
    [memory] = memories([{"conversations": [call, result]}]).values()
    assert memory.calls == [("f", {}, text)]


def test_structured_question_and_answer_are_kept_as_text() -> None:
    run = {"id": "r", "inputs": {"a": [1], "b": {}}, "outputs": {"free": 2, "of": 3}}
    [memory] = memories([run]).values()
    assert memory.turns == [
        ("user", '{"a": [1], "b": {}}'),
        ("assistant", '{"free": 2, "of": 3}'),
    ]
    assert (memory.variables, memory.ignored) == ({}, [])


def test_other_choices_of_a_stream_are_reported() -> None:
    other = {**chunk({}), "choices": [{"index": 1, "delta": {"content": "Warm."}}]}
    [memory] = memories([chunk({"content": "Cold."}), other]).values()
    assert (memory.turns, memory.ignored) == (ASKED[1:], ["other choices"])


def test_question_is_first_in_its_second() -> None:
    data = [
        {"object": "thread.message", "thread_id": "t", "created_at": SECONDS, **message}
        for message in (ANSWER, USER)
    ]
    assert memories([{"object": "list", "data": data}])["t"].turns == ASKED


def test_letta_messages_with_the_newest_first_are_put_in_order() -> None:
    messages = [
        {"message_type": "user_message", "content": "Weather in Oslo?", "date": START},
        {"message_type": "assistant_message", "content": "Cold.", "date": END},
    ]
    for log in (messages, messages[::-1]):
        assert [each.turns for each in memories(log).values()] == [ASKED]


def test_line_of_claude_code_that_is_written_again_is_read_once() -> None:
    asked = event("user", {"content": "Weather in Oslo?"}, uuid="1")
    answered = event("assistant", {"id": "m", "content": "Cold."}, uuid="2")
    assert memories([asked, asked, answered, asked, answered])["s1"].turns == ASKED


@pytest.mark.parametrize("leaf", ["2", None])
def test_leaf_is_found_in_any_order_and_other_branches_are_reported(leaf: str | None) -> None:
    nodes = [
        node("2", "1", "assistant", "Cold."),
        node("1", "0", "user", "Weather in Oslo?"),
        node("0", None, "user", "Hi"),
    ]

    def log(leaf: str | None) -> list[Any]:
        return [{"id": "c", "current_node": leaf, "mapping": {each["id"]: each for each in nodes}}]

    found = memories(log(leaf))["c"]
    assert (found.turns, found.ignored) == ([("user", "Hi"), *ASKED], [])
    nodes[1]["parent"] = None
    found = memories(log("2"))["c"]
    assert (found.turns, found.ignored) == (ASKED, ["other branches"])


def test_all_branches_of_a_chatgpt_conversation() -> None:
    document = CASES["chatgpt"].document
    found = memories([document], branches="all")
    assert {name: memory.turns[-1] for name, memory in found.items()} == {
        "g1": ("assistant", "Cold."),
        "g1/x": ("assistant", "Warm."),
    }


def test_all_branches_of_an_open_webui_chat() -> None:
    found = memories([CASES["open webui"].document], branches="all")
    assert [memory.turns[-1][1] for memory in found.values()] == ["Cold.", "Warm."]


def test_sidechain_of_claude_code_is_a_conversation_of_its_own() -> None:
    side = event("user", {"content": "Look it up."}, isSidechain=True, agentId="x1", uuid="s")
    found = memories([event("user", {"content": "hi"}, uuid="e"), side])
    assert {name: memory.turns for name, memory in found.items()} == {
        "s1": [("user", "hi")],
        "s1/x1": [("user", "Look it up.")],
    }


def test_list_of_an_api_is_read() -> None:
    listed = {"object": "list", "data": [{"id": name, "messages": [USER, ANSWER]} for name in "ab"]}
    assert {name: each.turns for name, each in memories([listed]).items()} == {
        "a": ASKED,
        "b": ASKED,
    }


@pytest.mark.parametrize(
    "document",
    [
        {"conversation": [USER, ANSWER]},
        {"data": {"messages": [USER, ANSWER]}},
        {"conversation": {"title": "x", "messages": [USER, ANSWER]}},
        {"values": {"messages": [{"type": "human", "content": USER["content"]}, ANSWER]}},
        {"turns": [{"from": "human", "value": USER["content"]}, {"from": "gpt", "value": "Cold."}]},
        [{"speaker": "Human", "text": USER["content"]}, {"speaker": "AI", "text": "Cold."}],
    ],
)
def test_conversation_is_found_under_any_name(document: Any) -> None:
    assert [memory.turns for memory in memories(json.dumps(document).encode()).values()] == [ASKED]


def test_row_with_a_message_as_json_text_is_read() -> None:
    rows = [
        {"session_id": "s1", "message": json.dumps({"type": kind, "data": {"content": text}})}
        for kind, text in (("human", USER["content"]), ("ai", ANSWER["content"]))
    ]
    assert {name: each.turns for name, each in memories(rows).items()} == {"s1": ASKED}


def test_image_of_each_format_is_content() -> None:
    url = f"data:image/png;base64,{PIXEL}"
    parts = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "input_image", "image_url": url},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "image", "image": PIXEL, "mediaType": "image/png"},
        {"type": "file", "mediaType": "image/png", "url": url},
        {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
    ]
    for part in parts:
        assert errors([{"messages": [{"role": "user", "content": [part]}]}]) == []


def test_tool_error_is_marked() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": True}
    use = {"type": "tool_use", "id": "t", "name": "weather", "input": {}}
    [entry] = memories(
        [[{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]]
    ).values()
    assert entry.calls == [("weather", {}, "no")]


def test_text_beside_a_tool_result_is_a_turn_of_the_user() -> None:
    content = [
        {"type": "tool_result", "tool_use_id": "t", "content": "3C"},
        {"type": "text", "text": "And in Rome?"},
    ]
    use = {"type": "tool_use", "id": "t", "name": "weather", "input": {}}
    messages = [{"role": "assistant", "content": [use]}, {"role": "user", "content": content}]
    [memory] = memories([messages]).values()
    assert memory.turns == [("assistant", ""), ("tool", ""), ("user", "And in Rome?")]


# --- Fields beside the messages


def test_metadata_becomes_variables_and_nested_data_is_listed() -> None:
    document = {
        "id": "s1",
        "title": "Oslo",
        "reward": 0.5,
        "tags": ["a"],
        "usage": {"total_tokens": 3},
        "metadata": {"customer": "ada"},
        "info": {"task": {"deep": 1}},
        "empty": None,
        "messages": [USER, {**ANSWER, "model": "m", "usage": {"total_tokens": 3}}],
    }
    [memory] = memories([document]).values()
    assert memory.variables == {
        "title": "Oslo",
        "reward": 0.5,
        "tags": ["a"],
        "usage": {"total_tokens": 3},
        "customer": "ada",
    }
    assert memory.meta == [{}, {"model": "m", "usage": {"total_tokens": 3}}]
    assert memory.ignored == ["info"]


def test_fields_are_chosen() -> None:
    document = {
        "key": 7,
        "id": "other",
        "info": {"task": {"deep": 1}},
        "title": "Oslo",
        "messages": [{**USER, "model": "m", "weight": 0}],
    }
    options: dict[str, Any] = {
        "identifier": "key",
        "variables": ["info"],
        "meta": ["weight"],
    }
    [(identifier, memory)] = memories([document], **options).items()
    assert identifier == "7"
    assert memory.variables == {"info": {"task": {"deep": 1}}}
    assert memory.meta == [{"weight": 0}]
    assert memory.ignored == ["id", "messages.model", "title"]


def test_system_message_in_the_middle_keeps_its_place() -> None:
    from draive_pg.chat.convert import convert
    from tests.chat_logs import entries

    messages = [
        {"role": "system", "content": "English."},
        USER,
        ANSWER,
        {"role": "system", "content": "French."},
        USER,
    ]
    [entry] = entries([messages])
    snapshots = convert(entry.conversation).snapshots  # pyright: ignore
    assert [(each.position, each.variables["system"]) for each in snapshots] == [
        (0, "English."),
        (2, "English.\n\nFrench."),
    ]


# --- Unknown formats


def test_unknown_format_names_similar_ones_and_what_is_missing() -> None:
    [error] = errors([{"chat_messages": [{"author": "me"}], "title": "x"}])
    assert "similar to claude, without chat_messages, a list of objects with a sender" in error
    assert "found 'chat_messages, title'" in error


def test_whole_memories_are_reported_once() -> None:
    memory = {"identifier": "a", "variables": [], "elements": []}
    [error] = errors([memory, memory, memory])
    assert "draive-pg import memories (and 2 more like it)" in error


def test_identifiers_of_calls_that_are_no_text_are_refused_or_kept_as_text() -> None:
    def talk(call: Any) -> list[dict[str, Any]]:
        result = {"content": "3C", "name": "weather", "call_id": call, "is_error": False}
        messages = {
            "UserMessage": "Weather?",
            "AssistantMessage": [{"id": call, "arguments": "{}", "name": "weather"}],
            "FunctionExecutionResultMessage": [result],
        }
        return [{"type": kind, "content": each, "source": "x"} for kind, each in messages.items()]

    called = [("weather", {}, "3C")]
    assert memories([{"messages": talk(7)}])["data"].calls == called
    assert "must be text, not {'a': 1}" in errors([{"messages": talk({"a": 1})}])[0]
    assert memories([{"messages": talk({"a": 1})}], "repair")["data"].calls == called


def test_unknown_format_is_reported_once() -> None:
    lines = b"".join(b'{"a": %d, "b": 2}\n' % number for number in range(3000))
    [error] = errors(lines)
    assert error.startswith("data, line 1: expected a field with messages")
    assert error.endswith("(and 2,999 more like it)")


def test_number_of_reported_problems_is_limited() -> None:
    with Client("host=nowhere.invalid") as db:
        done = db.memories.import_chats(b"{}\n" + b"7\n" * 12_000, dry_run=True)
    assert len(done.refused) == 10_001
    assert done.refused[0] == "data, line 2: expected a conversation, found 7"
    assert done.refused[-1] == "and 2,001 more"
    assert done.failed == 12_001


# --- Documents of any kind

TEXT = st.text(max_size=9)
NAMES = """
    role content messages type parts input output mapping conversations from value chat history
    message text id kind tool_calls function chat_messages sender data choices response contents
    prompt chosen rejected session_id
"""
KEYS = st.sampled_from(NAMES.split())
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from(
        [
            "user",
            "assistant",
            "tool",
            "system",
            "human",
            "ai",
            "request",
            "thread.message",
            "summary",
        ]
    )
)
ANY = st.recursive(
    VALUES,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(KEYS, values, max_size=4),
    max_leaves=12,
)


@given(st.lists(ANY, min_size=1, max_size=3))
def test_documents_of_any_kind_are_read_or_refused_in_one_line(documents: list[Any]) -> None:
    for error in errors(json.dumps(documents).encode()):
        assert error.startswith("data")
        assert "\n" not in error


@given(st.data())
def test_damaged_documents_are_read_or_refused_in_one_line(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(sorted(CASES)))
    document = json.loads(json.dumps(CASES[case].document))
    place = document
    for _ in range(data.draw(st.integers(0, 4))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        inner = [key for key in keys if isinstance(place[key], dict | list) and place[key]]
        if not inner:
            break
        place = place[data.draw(st.sampled_from(inner))]
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    place[data.draw(st.sampled_from(keys))] = data.draw(ANY)
    for error in errors(json.dumps(document).encode()):
        assert error.startswith("data")
        assert "\n" not in error
