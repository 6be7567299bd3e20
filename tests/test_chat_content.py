"""Content of every type that model APIs and tools write is read as what it is."""

import html
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from draive_pg import Client
from draive_pg.chat import ExportFormat
from draive_pg.chat.convert import Chat, convert
from draive_pg.chat.reader import Log
from draive_pg.operations.conversations.import_chats import Rules, check
from tests.chat_logs import entries, memories, only

PIXEL = b64encode(b"\x89PNG pixel").decode()
USER = {"role": "user", "content": "Weather in Oslo?"}
ANSWER = {"role": "assistant", "content": "Cold."}


def chat(source: Any) -> Chat:
    [log] = entries(source)
    assert isinstance(log, Log), log
    return convert(log.conversation)


def parts(source: Any, element: int = -1) -> list[dict[str, Any]]:
    """Return the content parts of an element, with those of tool results."""
    blocks = chat(source).elements[element].document["blocks"]
    contents = [block.get("content", block) for block in blocks]
    return [part for each in contents for part in each.get("parts", ())]


def media(source: Any, element: int = -1) -> list[str]:
    """Return text, type or URI of the content parts of an element."""
    found = parts(source, element)
    return [
        part.get("text") or part.get("uri") or part.get("mime_type") or part["category"]
        for part in found
    ]


def exported(db: Client, folder: Path, messages: Any, form: ExportFormat) -> Any:
    """Import messages, and return the conversation as it is exported."""
    db.memories.import_chats({"id": "c", "messages": messages})
    db.memories.export_chats(folder / "c.jsonl", format=form)
    return json.loads((folder / "c.jsonl").read_bytes())


# --- Items of the Responses API


PATCH = "*** Begin Patch\n+x\n*** End Patch"
CUSTOM = [
    {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": PATCH},
    {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done"},
]


def test_input_of_custom_tool_is_any_text() -> None:
    found = only([USER, *CUSTOM, ANSWER])
    assert found.calls == [("apply_patch", {"input": PATCH}, "Done")]
    lines = [
        {"timestamp": "2025-10-01T10:00:00Z", "type": "response_item", "payload": each}
        for each in CUSTOM
    ]
    assert only(lines).calls == found.calls


def test_items_of_custom_tools_are_exported_equal(db: Client, tmp_path: Path) -> None:
    assert exported(db, tmp_path, [USER, *CUSTOM], "responses")["input"][1:] == CUSTOM


@pytest.mark.parametrize(
    ("called", "returned", "expected"),
    [
        (
            {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
            {"type": "apply_patch_call_output", "status": "completed", "output": "Deleted"},
            ("apply_patch", {"type": "delete_file", "path": "a"}, "Deleted"),
        ),
        (
            {"type": "computer_call", "actions": [{"type": "wait"}]},
            {"type": "computer_call_output", "output": "ok", "acknowledged_safety_checks": [1]},
            ("computer", {"actions": [{"type": "wait"}]}, "ok"),
        ),
        (
            {"type": "tool_search_call", "arguments": {"goal": "mail"}, "execution": "client"},
            {"type": "tool_search_output", "tools": [{"type": "function", "name": "send"}]},
            ("tool_search", {"goal": "mail"}, '[{"type": "function", "name": "send"}]'),
        ),
    ],
)
def test_call_of_built_in_tool_has_its_result(
    called: dict[str, Any], returned: dict[str, Any], expected: Any
) -> None:
    items = [USER, {**called, "call_id": "c1"}, {**returned, "call_id": "c1"}, ANSWER]
    found = chat({"object": "response", "input": items})
    assert only({"object": "response", "input": items}).calls == [expected]
    assert "acknowledged_safety_checks" not in returned or (
        found.elements[2].document["blocks"][0]["meta"] == {"acknowledged_safety_checks": [1]}
    )


def test_made_image_is_an_image() -> None:
    made = {"type": "image_generation_call", "id": "ig", "result": PIXEL, "revised_prompt": "A cat"}
    [part, text] = parts([USER, made, ANSWER])
    assert (part["mime_type"], part["meta"]) == ("image/png", {"revised_prompt": "A cat"})
    assert text["text"] == "Cold."


@pytest.mark.parametrize("kind", ["configuration_update", "compaction_trigger", "web_search_call"])
def test_other_items_are_exported_in_their_own_format_only(
    kind: str, db: Client, tmp_path: Path
) -> None:
    item = {"type": kind, "id": "x"}
    assert item in exported(db, tmp_path, [USER, item, ANSWER], "responses")["input"]
    assert db.memory("c").chat() == [USER, ANSWER]


def test_reasoning_that_only_the_api_reads_is_exported_with_its_id(
    db: Client, tmp_path: Path
) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    assert exported(db, tmp_path, [USER, thought, ANSWER], "responses")["input"][1] == thought


def test_refusal_is_a_part_of_its_own_type(db: Client, tmp_path: Path) -> None:
    refused = {"type": "refusal", "refusal": "No."}
    answer = {"type": "message", "role": "assistant", "content": [refused]}
    assert exported(db, tmp_path, [USER, answer], "responses")["input"][1] == answer


def test_source_of_an_answer_is_no_image(db: Client, tmp_path: Path) -> None:
    source = {"type": "source-url", "sourceId": "s", "url": "https://example.com", "title": "Oslo"}
    spoken = [{"type": "text", "text": "Cold."}, source]
    messages = [USER, {"role": "assistant", "parts": spoken}]
    assert exported(db, tmp_path, messages, "openai")["messages"] == [USER, ANSWER]


def test_format_of_audio_is_one_of_openai(db: Client, tmp_path: Path) -> None:
    audio = {"type": "file", "data": PIXEL, "mediaType": "audio/mpeg"}
    messages = [{"role": "user", "content": [audio]}, ANSWER]
    [found] = exported(db, tmp_path, messages, "openai")["messages"][0]["content"]
    assert found["input_audio"]["format"] == "mp3"


# --- Results of tools


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
OTHER = {"type": "tool_reference", "tool_name": "f"}


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (
            [{"type": "text", "text": "3C"}, IMAGE, OTHER],
            ["3C", "image/png", '{"type": "tool_reference", "tool_name": "f"}'],
        ),
        ([{"type": "file", "path": "a"}], ['[{"type": "file", "path": "a"}]']),
        ({"type": "file", "path": "a"}, ['{"type": "file", "path": "a"}']),
        ([OTHER], ['[{"type": "tool_reference", "tool_name": "f"}]']),
    ],
)
def test_result_is_content_or_data(returned: Any, expected: list[str]) -> None:
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": returned}
    messages = [
        USER,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert media({"messages": messages}) == expected


def test_image_with_broken_data_beside_other_content_is_refused() -> None:
    broken = {"type": "image", "source": {**IMAGE["source"], "data": "!"}}  # type: ignore[dict-item]
    content = [{"type": "text", "text": "3C"}, broken]
    call = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f"}}]}
    log = {"messages": [USER, call, {"role": "tool", "tool_call_id": "c", "content": content}]}
    with pytest.raises(ValueError, match=r"message 3 \(tool\): part 2: expected base64 data"):
        only(log)


# --- Vercel AI SDK


def tool_call(number: int) -> dict[str, Any]:
    return {"type": "tool-call", "toolCallId": f"k{number}", "toolName": "f", "input": {}}


def tool_result(number: int, output: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool-result", "toolCallId": f"k{number}", "toolName": "f", "output": output}


def test_results_beside_an_approval_stay_separate() -> None:
    asked = {"type": "tool-approval-request", "approvalId": "a", "toolCallId": "k3"}
    decided = {"type": "tool-approval-response", "approvalId": "a", "approved": False}
    results = [
        tool_result(1, {"type": "json", "value": {"celsius": 3}}),
        tool_result(2, {"type": "error-text", "value": "Timeout"}),
        decided,
        tool_result(3, {"type": "execution-denied", "reason": "No"}),
    ]
    messages = [
        USER,
        {"role": "assistant", "content": [*map(tool_call, (1, 2, 3)), asked]},
        {"role": "tool", "content": results},
        ANSWER,
    ]
    found = only({"messages": messages})
    assert found.calls == [("f", {}, '{"celsius": 3}'), ("f", {}, "Timeout"), ("f", {}, "No")]
    blocks = [
        block for each in chat({"messages": messages}).elements for block in each.document["blocks"]
    ]
    handled = [block["handling"] for block in blocks if block["type"] == "tool_response"]
    assert handled == ["response", "error", "error"]


def test_results_of_the_ai_sdk_have_images_and_files() -> None:
    value = [
        {"type": "text", "text": "See"},
        {"type": "image-data", "data": PIXEL, "mediaType": "image/png"},
        {"type": "file-data", "data": PIXEL, "mediaType": "application/pdf", "filename": "a.pdf"},
        {"type": "file-url", "url": "https://example.com/a.pdf"},
    ]
    results = [tool_result(1, {"type": "content", "value": value})]
    messages = [
        USER,
        {"role": "assistant", "content": [tool_call(1)]},
        {"role": "tool", "content": results},
    ]
    expected = ["See", "image/png", "application/pdf", "https://example.com/a.pdf"]
    assert media({"messages": messages}) == expected


def used(number: int, **fields: Any) -> dict[str, Any]:
    call = {"type": "tool-weather", "toolCallId": f"c{number}", "input": {"n": number}}
    return {**call, "state": "output-available", "output": str(number), **fields}


def test_calls_of_a_step_are_parallel() -> None:
    denied = {"state": "output-denied", "approval": {"id": "a", "approved": False, "reason": "No"}}
    step = {"type": "step-start"}
    spoken = [step, used(1), used(2), step, used(3, **denied), {"type": "text", "text": "Cold."}]
    messages = [
        {"id": "1", "role": "user", "parts": [{"type": "text", "text": "Weather in Oslo?"}]},
        {"id": "2", "role": "assistant", "parts": spoken},
    ]
    found = only(messages)
    assert [speaker for speaker, _ in found.turns] == [
        "user",
        *["assistant", "tool"] * 2,
        "assistant",
    ]
    assert [result for *_, result in found.calls] == ["1", "2", "No"]


def test_calls_of_a_step_of_version_4_are_parallel() -> None:
    def invoked(number: int, step: int) -> dict[str, Any]:
        call = {"state": "result", "step": step, "toolCallId": f"c{number}", "toolName": "f"}
        return {**call, "args": {}, "result": str(number)}

    calls = [invoked(1, 0), invoked(2, 0), invoked(3, 1)]
    messages = [USER, {**ANSWER, "toolInvocations": calls}]
    found = only({"messages": messages})
    assert [speaker for speaker, _ in found.turns] == [
        "user",
        *["assistant", "tool"] * 2,
        "assistant",
    ]
    assert [result for *_, result in found.calls] == ["1", "2", "3"]


# --- pydantic-ai


def asked(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"kind": "request", "parts": list(parts), **fields}


def test_content_of_pydantic_ai_is_no_text_of_its_fields() -> None:
    content = [
        "See",
        {"kind": "cache-point", "ttl": "5m"},
        {"kind": "uploaded-file", "file_id": "file-1", "provider_name": "openai"},
        {"kind": "text-content", "content": "Notes", "metadata": {"page": 1}},
    ]
    [prompt] = parts([asked({"part_kind": "user-prompt", "content": content})])[:1]
    assert prompt["text"] == "See"
    found = media([asked({"part_kind": "user-prompt", "content": content})])
    assert found == ["See", "openai://files/file-1", "Notes"]


def test_failed_tool_of_pydantic_ai_is_an_error_with_its_image() -> None:
    call = {"part_kind": "tool-call", "tool_name": "f", "args": {}, "tool_call_id": "c"}
    image = {"kind": "binary", "data": PIXEL, "media_type": "image/png"}
    returned = {
        "part_kind": "tool-return",
        "tool_name": "f",
        "tool_call_id": "c",
        "content": ["See", image],
        "outcome": "failed",
    }
    changed = {"part_kind": "model-settings-delta", "settings": {}}
    log = [
        asked({"part_kind": "user-prompt", "content": "Weather?"}, metadata={"channel": "web"}),
        {"kind": "response", "parts": [call]},
        asked(returned, changed, {"part_kind": "retry-feedback", "content": "Be brief."}),
    ]
    found = only(log)
    assert media(log, 2) == ["See", "image/png"]
    assert chat(log).elements[2].document["blocks"][0]["handling"] == "error"
    assert found.meta[0] == {"metadata": {"channel": "web"}}
    assert found.turns[-1] == ("user", "Be brief.")
    assert found.ignored == ["model-settings-delta parts"]


# --- Events and summaries beside messages


def test_summary_of_letta_is_read_and_events_are_reported() -> None:
    log = [
        {"message_type": "summary_message", "summary": "They spoke of Oslo.", "date": "2025-01-01"},
        {"message_type": "event_message", "event_type": "compaction", "event_data": {}},
        {"message_type": "user_message", "content": "And now?", "date": "2025-01-02"},
    ]
    found = only(log)
    assert found.turns == [("user", "They spoke of Oslo."), ("user", "And now?")]
    assert (found.meta[0], found.ignored) == ({"summary": True}, ["event_messages"])


def test_request_for_input_of_autogen_is_no_turn() -> None:
    log = [
        {"type": "TextMessage", "source": "bot", "content": "Where?"},
        {"type": "UserInputRequestedEvent", "source": "user", "content": "", "request_id": "r"},
        {"type": "HandoffMessage", "source": "user", "content": "Oslo", "target": "ops"},
    ]
    found = only(log)
    assert found.turns == [("assistant", "Where?"), ("user", "Oslo")]
    assert found.meta[1] == {"name": "user", "target": "ops"}
    assert found.ignored == ["UserInputRequestedEvent messages"]


@pytest.mark.parametrize("kind", ["custom-title", "ai-title", "summary"])
def test_title_of_claude_code_is_that_of_the_user_if_there_is_one(kind: str) -> None:
    titles = [
        {"type": "custom-title", "customTitle": "custom-title", "sessionId": "s"},
        {"type": "ai-title", "aiTitle": "ai-title", "sessionId": "s"},
        {"type": "summary", "summary": "summary", "leafUuid": "1"},
    ]
    first = next(n for n, each in enumerate(titles) if each["type"] == kind)
    line = {"type": "user", "sessionId": "s", "uuid": "1", "message": USER}
    found = only([*titles[first:], line])
    assert (found.variables["title"], found.ignored) == (kind, [])


def test_titles_of_claude_code_are_those_of_their_sessions() -> None:
    log = [
        {"type": "summary", "summary": "Another file", "leafUuid": "9"},
        {"type": "summary", "summary": "Oslo", "leafUuid": "1"},
        {"type": "user", "sessionId": "a", "uuid": "1", "message": USER},
        {"type": "user", "sessionId": "b", "uuid": "2", "message": USER},
        {"type": "user", "sessionId": "c", "uuid": "3", "message": USER},
        {"type": "custom-title", "customTitle": "Rome", "sessionId": "c"},
    ]
    found = memories(log)
    titles = {name: each.variables.get("title") for name, each in found.items()}
    assert titles == {"a": "Oslo", "b": None, "c": "Rome"}
    assert all(each.ignored == ["titles of other sessions"] for each in found.values())


# --- Answers of APIs


def test_all_of_a_candidate_is_kept() -> None:
    candidate = {
        "content": {"role": "model", "parts": [{"text": "Cold."}]},
        "finishReason": "STOP",
        "citationMetadata": {"citations": [{"uri": "https://example.com"}]},
        "avgLogprobs": -0.5,
        "index": 0,
    }
    meta = {name: candidate[name] for name in ("finishReason", "citationMetadata", "avgLogprobs")}
    assert only({"candidates": [candidate]}).meta == [meta]


def chunk(choice: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    choices = [] if choice is None else [{"index": 0, **choice}]
    return {"id": "s", "object": "chat.completion.chunk", "choices": choices, **fields}


def test_all_of_a_stream_is_kept() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    thoughts = [{"type": "reasoning.text", "text": text} for text in ("Win", "ter.")]
    stream = [
        chunk({"delta": {"role": "assistant", "reasoning_details": thoughts[:1]}}),
        chunk({"delta": {"reasoning_details": thoughts[1:]}}),
        chunk({"delta": {"content": "Co"}, "logprobs": {"content": [{"token": "Co"}]}}),
        chunk({"delta": {"content": "ld."}, "logprobs": {"content": [{"token": "ld."}]}}),
        chunk({"delta": {"images": [image]}, "finish_reason": "stop"}, system_fingerprint="fp"),
        chunk(None, usage={"total_tokens": 9}),
    ]
    found = only(stream)
    assert found.turns == [("assistant", "Cold.")]
    assert found.reasoning == ["Winter."]
    assert media(stream)[-1] == "image/png"
    assert found.meta == [
        {
            "logprobs": {"content": [{"token": "Co"}, {"token": "ld."}]},
            "finish_reason": "stop",
            "system_fingerprint": "fp",
            "usage": {"total_tokens": 9},
        }
    ]


def test_streamed_call_of_a_function_is_kept() -> None:
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "function_call": {"name": "weather", "arguments": ""}},
        {"function_call": {"arguments": '{"city": '}},
        {"function_call": {"arguments": '"Oslo"}'}},
    ]
    assert only([chunk({"delta": each}) for each in deltas]).calls == [
        ("weather", {"city": "Oslo"}, None)
    ]


# --- Parts of single formats


def test_message_of_langchain_with_its_own_role_is_read() -> None:
    path = ["langchain", "schema", "messages", "ChatMessage"]
    fields = {"content": "Weather?", "role": "user"}
    log = [{"lc": 1, "type": "constructor", "id": path, "kwargs": fields}]
    assert only(log).turns == [("user", "Weather?")]


def chatgpt(*messages: dict[str, Any]) -> dict[str, Any]:
    nodes = {
        str(n): {"parent": str(n - 1) if n else None, "message": message}
        for n, message in enumerate(messages)
    }
    return {"conversation_id": "c", "mapping": nodes}


def test_question_of_an_attached_file_alone_is_kept() -> None:
    file = {"id": "file-1", "name": "bill.pdf"}
    log = chatgpt(
        {
            "author": {"role": "user"},
            "content": {"content_type": "text", "parts": [""]},
            "metadata": {"attachments": [file]},
        },
        {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["Paid."]}},
    )
    found = only(log)
    assert found.turns == [("user", ""), ("assistant", "Paid.")]
    assert found.meta[0] == {"attachments": [file]}


def test_plot_of_chatgpt_is_content_of_the_result() -> None:
    plot = {"message_type": "image", "image_url": "file-service://file-1"}
    log = chatgpt(
        {
            "author": {"role": "assistant"},
            "content": {"content_type": "code", "text": "plot()", "language": "python"},
            "recipient": "python",
        },
        {
            "author": {"role": "tool", "name": "python"},
            "content": {"content_type": "execution_output", "text": "<Figure>"},
            "metadata": {"aggregate_result": {"messages": [plot]}},
        },
    )
    assert media(log) == ["<Figure>", "file-service://file-1"]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "file", "file_id": "file-1"}, "openai://files/file-1"),
        ({"type": "image", "file_id": "file-1"}, "openai://files/file-1"),
        ({"type": "text-plain", "text": "Notes", "mime_type": "text/plain"}, "Notes"),
        ({"type": "media", "data": PIXEL, "mime_type": "image/png"}, "image/png"),
        ({"type": "non_standard", "value": {"x": 1}}, "non_standard"),
        ({"type": "document_url", "document_url": "https://e.com/a.pdf"}, "https://e.com/a.pdf"),
        ({"type": "input_audio", "input_audio": "https://e.com/a.mp3"}, "https://e.com/a.mp3"),
        ({"type": "compaction", "content": "They spoke of Oslo."}, "They spoke of Oslo."),
        ({"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}, "fallback"),
    ],
)
def test_part_is_read(part: dict[str, Any], expected: str) -> None:
    assert media({"messages": [{"role": "user", "content": [part]}]}) == [expected]


def test_answer_that_refers_to_earlier_audio_is_exported_equal(db: Client) -> None:
    spoken = {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}
    db.memories.import_chat("c", [USER, spoken, USER])
    assert db.memory("c").chat() == [USER, spoken, USER]


def test_images_of_openrouter_are_images() -> None:
    made = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    assert media({"messages": [USER, {**ANSWER, "images": [made]}]}) == ["Cold.", "image/png"]


def test_data_about_files_of_gemini_is_kept() -> None:
    blob = {"data": PIXEL, "mimeType": "image/png", "displayName": "Oslo"}
    film = {"fileData": {"fileUri": "gs://b/x.mp4"}, "videoMetadata": {"startOffset": "1s"}}
    found = parts({"contents": [{"role": "user", "parts": [{"inlineData": blob}, film]}]})
    assert [part["meta"] for part in found] == [
        {"name": "Oslo"},
        {"videoMetadata": {"startOffset": "1s"}},
    ]


def test_images_in_results_of_gemini_are_images() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    image = {"inlineData": {"data": PIXEL, "mimeType": "image/png"}}
    result = {"functionResponse": {"name": "f", "response": {"result": "See"}, "parts": [image]}}
    contents = [
        {"role": "user", "parts": [{"text": "Weather in Oslo?"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result]},
    ]
    assert media({"contents": contents}) == ["See", "image/png"]


def test_placeholder_of_trl_for_an_image_is_kept() -> None:
    prompt = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "See"}]}]
    row = {"prompt": prompt, "completion": [ANSWER], "images": ["a.png"]}
    assert media(row, 0) == ["image", "See"]
    assert only(row).variables == {"images": ["a.png"]}


def test_generation_of_langfuse_with_a_session_is_read() -> None:
    generation = {
        "id": "g",
        "traceId": "t",
        "type": "GENERATION",
        "sessionId": "s",
        "input": {"messages": [USER]},
        "output": ANSWER,
    }
    for log in (generation, [generation], [generation, {**generation, "id": "h"}]):
        assert len(entries(log)) == (2 if len(log) == 2 else 1)
    assert only([generation]).turns == [("user", "Weather in Oslo?"), ("assistant", "Cold.")]


def test_file_without_messages_is_reported() -> None:
    done = check(b'{"type": "summary", "summary": "Oslo", "leafUuid": "1"}', Rules())
    assert (done.imported, done.failed, done.ignored) == (0, 0, {"file data": 1})


def quoted(text: str) -> str:
    return html.escape(json.dumps(text))


@pytest.mark.parametrize("is_field", [True, False])
def test_calls_in_the_text_of_open_webui_are_calls(*, is_field: bool) -> None:
    arguments = quoted('{"city": "Oslo"}')
    field, body = (f'result="{quoted("3C")}" files=""', "") if is_field else ("", quoted("3C"))
    text = (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n'
        "&gt; Look.\n</details>\nLet me see.\n"
        f'<details type="tool_calls" done="true" id="c1" name="weather" arguments="{arguments}" '
        f"{field}>\n<summary>Tool Executed</summary>\n{body}\n</details>\nCold."
    )
    message = {"id": "a", "parentId": None, "role": "assistant", "content": text}
    log = {"id": "c", "chat": {"history": {"currentId": "a", "messages": {"a": message}}}}
    found = only(log)
    assert found.turns == [("assistant", "Let me see."), ("tool", ""), ("assistant", "Cold.")]
    assert found.reasoning == ["Look.", "", ""]
    assert found.calls == [("weather", {"city": "Oslo"}, "3C")]


UNCLOSED = (
    '<details type="reasoning"><summary>',
    "<tool_call>{",
    "</tool_call><tool_call>{",
)


@pytest.mark.parametrize("tag", UNCLOSED)
def test_unclosed_tags_are_read_as_text_in_linear_time(tag: str) -> None:
    text = (tag * 50_000).strip()
    message = {"id": "a", "parentId": None, "role": "assistant", "content": text}
    open_webui = {"id": "c", "chat": {"history": {"currentId": "a", "messages": {"a": message}}}}
    hermes = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": text}]}
    assert only(open_webui).turns == [("assistant", text)]
    assert only(hermes).turns[-1] == ("assistant", text)


def test_signs_less_than_in_html_are_read_as_text_in_linear_time() -> None:
    text = "a < b" * 100_000
    activity = {"header": "Gemini Apps", "title": "Prompted Hi", "safeHtmlItem": [{"html": text}]}
    assert only(activity).turns == [("user", "Hi"), ("assistant", text)]


def test_text_named_message_beside_messages_is_no_answer() -> None:
    found = only({"message": "success", "messages": [USER, ANSWER]})
    assert found.turns == [("user", "Weather in Oslo?"), ("assistant", "Cold.")]
    assert found.variables == {"message": "success"}


def test_state_of_autogen_with_a_session_is_read() -> None:
    message = {"type": "UserMessage", "content": "Weather in Oslo?", "source": "user"}
    state = {
        "type": "TeamState",
        "sessionId": "s",
        "agent_states": {"bot": {"messages": [message]}},
    }
    assert only(state).turns == [("user", "Weather in Oslo?")]


def test_pieces_of_all_items_of_a_cut_stream_are_kept() -> None:
    def added(index: int, **item: Any) -> dict[str, Any]:
        return {"type": "response.output_item.added", "output_index": index, "item": item}

    def delta(index: int, kind: str, text: str) -> dict[str, Any]:
        return {"type": f"response.{kind}.delta", "output_index": index, "delta": text}

    stream = [
        {"type": "response.created", "response": {"id": "r", "object": "response"}},
        added(0, type="reasoning", summary=[]),
        delta(0, "reasoning_summary_text", "Win"),
        delta(0, "reasoning_summary_text", "ter."),
        added(1, type="function_call", name="f", call_id="c", arguments=""),
        delta(1, "function_call_arguments", '{"a": '),
        delta(1, "function_call_arguments", "1}"),
        added(2, type="message", role="assistant", content=[]),
        delta(2, "refusal", "No."),
    ]
    found = only(stream)
    assert found.turns == [("assistant", "No.")]
    assert found.reasoning == ["Winter."]
    assert found.calls == [("f", {"a": 1}, None)]


def test_fields_of_a_trace_are_those_of_its_generations() -> None:
    generation = {"id": "g", "type": "GENERATION", "input": [USER], "output": ANSWER, "name": None}
    trace = {
        "id": "t",
        "name": "chat",
        "userId": "ada",
        "input": None,
        "observations": [generation],
    }
    found = only({**trace, "scores": [{"name": "good"}]})
    assert found.turns == [("user", "Weather in Oslo?"), ("assistant", "Cold.")]
    assert found.variables == {"name": "chat", "userId": "ada", "type": "GENERATION"}
    assert found.ignored == ["scores"]


def test_request_of_a_batch_of_gemini_is_read() -> None:
    request = {"contents": [{"parts": [{"text": "Weather in Oslo?"}]}]}
    candidate = {"content": {"role": "model", "parts": [{"text": "Cold."}]}}
    found = only({"key": "k", "request": request, "response": {"candidates": [candidate]}})
    assert found.turns == [("user", "Weather in Oslo?"), ("assistant", "Cold.")]


def test_other_content_of_bedrock_is_read() -> None:
    film = {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/x.mp4"}}}}
    cited = {"citationsContent": {"content": [{"text": "Cold."}], "citations": [{"title": "A"}]}}
    messages = [
        {"role": "user", "content": [{"text": "See"}, film, {"cachePoint": {"type": "default"}}]},
        {"role": "assistant", "content": [{"reasoningContent": {"redactedContent": "x"}}, cited]},
    ]
    log = {"modelId": "m", "messages": messages}
    assert media(log, 0) == ["See", "s3://b/x.mp4"]
    assert media(log) == ["Cold."]
    assert chat(log).elements[1].document["blocks"][0]["meta"] == {"data": "x"}
