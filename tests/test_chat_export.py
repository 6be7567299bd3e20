"""Conversations are exported as chat logs of other tools."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import Client, MemoryMissing, samples
from draive_pg.chat import ExportFormat
from draive_pg.chat.convert import convert
from draive_pg.chat.export import FORMATS
from draive_pg.chat.export.stored import Stored, read
from draive_pg.chat.export.writer import Writer
from draive_pg.chat.reader import Log, read_messages
from tests.chat_logs import entries, memories

CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather in Oslo?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "3C"},
    {"role": "assistant", "content": "Cold."},
]
TOOL = {"name": "weather", "description": "Tell it.", "parameters": {"type": "object"}}
TOOLS = [{"type": "function", "function": TOOL}]
LOG = {"id": "visit-1", "messages": MESSAGES, "tools": TOOLS, "title": "Oslo"}


def written(document: Any, format_: str = "openai", *, metadata: bool = False) -> dict[str, Any]:
    """Import messages and export them, without a database."""
    messages = document if isinstance(document, list) else document["messages"]
    conversation = read_messages(messages)
    chat = convert(conversation)
    snapshots = {each.position: each.variables for each in chat.snapshots}
    others = {} if isinstance(document, list) else {"tools": document["tools"], "title": "Oslo"}
    rows: list[Stored] = []
    for position in range(len(chat.elements) + 1):
        if position in snapshots:
            rows.append(Stored(None, "variables", {**others, **snapshots[position]}))
        if position < len(chat.elements):
            element = chat.elements[position]
            stored = json.loads(json.dumps(element.document))
            rows.append(Stored(element.created, "element", stored))
    return FORMATS[format_](read("visit-1", rows), Writer(metadata))  # pyright: ignore


def parsed(messages: Any) -> Any:
    """Return messages with the arguments of tools as values, because JSONB orders their keys."""
    return json.loads(json.dumps(messages), object_hook=_parsed)


def _parsed(fields: dict[str, Any]) -> dict[str, Any]:
    if isinstance(fields.get("arguments"), str):
        return {**fields, "arguments": json.loads(fields["arguments"] or "{}")}
    return fields


def spoken(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without reasoning, which is left out."""
    return {name: value for name, value in message.items() if name != "reasoning_content"}


# --- OpenAI messages


def test_chat_returns_imported_messages(db: Client) -> None:
    db.memories.import_chat("visit-1", MESSAGES)
    assert db.memory("visit-1").chat() == MESSAGES


def test_chat_of_missing_memory_suggests_similar_names(db: Client) -> None:
    db.memories.import_chat("visit-1", MESSAGES)
    with pytest.raises(MemoryMissing, match="visit-1"):
        db.memory("visit-2").chat()


def test_chat_of_memory_without_elements_is_empty(db: Client) -> None:
    db.memory("visit-1").maintenance()
    assert db.memory("visit-1").chat() == []


def test_chat_keeps_system_messages_at_their_places(db: Client) -> None:
    messages = [
        *MESSAGES,
        {"role": "system", "content": "Now in French."},
        {"role": "user", "content": "Merci"},
        {"role": "system", "content": "The end."},
    ]
    db.memories.import_chat("visit-1", messages)
    assert db.memory("visit-1").chat() == messages


def test_ends_of_replaced_system_messages_are_reported(db: Client, tmp_path: Path) -> None:
    memory = db.memory("visit-1")
    memory.remember(variables={"system": "Draft."})
    memory.remember(variables={"system": "Be brief."})
    db.memories.import_chat("visit-1", MESSAGES[1:], append=True)
    assert db.memories.export_chats(tmp_path / "out.jsonl").ignored == {}
    assert memory.chat()[0] == {"role": "system", "content": "Be brief."}
    memory.remember(variables={"system": "Be polite."})
    assert db.memories.export_chats(tmp_path / "out.jsonl").ignored == {
        "ends of system messages": 1
    }
    assert [each["content"] for each in memory.chat() if each["role"] == "system"] == [
        "Be brief.",
        "Be polite.",
    ]


def test_chat_with_metadata_has_times_reasoning_and_meta(db: Client) -> None:
    messages = [
        {"role": "user", "content": "Hi", "created_at": "2024-05-01T10:00:00+00:00"},
        {
            "role": "assistant",
            "content": "Hello",
            "reasoning_content": "A greeting.",
            "model": "m",
            "created_at": "2024-05-01T10:00:03+00:00",
        },
    ]
    db.memories.import_chat("visit-1", messages)
    assert db.memory("visit-1").chat(metadata=True) == messages
    assert db.memory("visit-1").chat()[1] == {"role": "assistant", "content": "Hello"}


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
SPOKEN = TEXT.filter(bool)
NAME = st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True)
PARTS = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, TEXT)
    | st.sampled_from(
        [
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {
                "type": "image_url",
                "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"},
            },
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"},
            },
        ]
    ),
    min_size=2,
    max_size=3,
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT,
    lambda values: st.lists(values, max_size=2) | st.dictionaries(TEXT, values, max_size=2),
    max_leaves=4,
)


@st.composite
def chats(draw: st.DrawFn) -> list[dict[str, Any]]:
    """OpenAI messages, as a model API accepts and returns them."""
    messages: list[dict[str, Any]] = []
    named = draw(st.booleans())
    for turn in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            messages.append({"role": "system", "content": draw(SPOKEN)})
        user = {"role": "user", "content": draw(TEXT | PARTS)}
        messages.append(user | draw(st.just({}) | st.fixed_dictionaries({"name": NAME})))
        calls: list[dict[str, Any]] = [
            {
                "id": f"c{turn}{number}",
                "type": "function",
                "function": {
                    "name": draw(NAME),
                    "arguments": json.dumps(draw(st.dictionaries(TEXT, VALUE, max_size=2))),
                },
            }
            for number in range(draw(st.integers(0, 2)))
        ]
        if calls:
            content = draw(st.none() | SPOKEN)
            messages.append({"role": "assistant", "content": content, "tool_calls": calls})
        for call in calls:
            name = {"name": call["function"]["name"]} if named else {}
            result = {"role": "tool", "tool_call_id": call["id"], "content": draw(TEXT)}
            messages.append({**result, **name})
        answer: dict[str, Any] = {"role": "assistant", "content": draw(TEXT)}
        refused = {"role": "assistant", "content": None, "refusal": draw(SPOKEN)}
        weighed = {**answer, "weight": draw(st.sampled_from([0, 1]))}
        messages.append(draw(st.sampled_from([answer, refused, weighed])))
    return messages


@given(chats())
def test_openai_messages_go_out_equal(messages: list[dict[str, Any]]) -> None:
    assert parsed(written(messages)["messages"]) == parsed(messages)


@given(chats(), st.sampled_from(["anthropic", "responses", "openai"]))
def test_exported_messages_are_imported_as_the_same_texts(
    messages: list[dict[str, Any]], format_: str
) -> None:
    document = {"messages": messages, "tools": TOOLS}
    exported = written(document, format_)
    [before] = memories([messages]).values()
    [after] = memories([exported]).values()
    texts = ["".join(text for _, text in memory.turns) for memory in (before, after)]
    assert texts[0] == texts[1]
    assert [call[:2] for call in before.calls] == [call[:2] for call in after.calls]


def test_sample_conversations_go_out_equal(db: Client, tmp_path: Path) -> None:
    lines = samples.support().read_text(encoding="utf-8").splitlines()
    # adjacent system and developer messages are one in the export
    kept = [line for line in lines if '"developer"' not in line]
    logs: list[dict[str, Any]] = [
        {**json.loads(line), "id": f"{n:03}"} for n, line in enumerate(kept)
    ]
    db.memories.import_chats(logs)
    done = db.memories.export_chats(tmp_path / "chats.jsonl.gz")
    assert (done.conversations, done.refused) == (len(logs), ())
    lines = gzip.decompress((tmp_path / "chats.jsonl.gz").read_bytes()).splitlines()
    exported = [json.loads(line)["messages"] for line in lines]
    expected = [[spoken(message) for message in log["messages"]] for log in logs]
    assert parsed(exported) == parsed(expected)


# --- Formats


def test_anthropic_request() -> None:
    assert written(LOG, "anthropic") == {
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "Weather in Oslo?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "3C"}],
            },
            {"role": "assistant", "content": "Cold."},
        ],
        "tools": [
            {"name": "weather", "description": "Tell it.", "input_schema": {"type": "object"}}
        ],
    }


def test_responses_request() -> None:
    assert written(LOG, "responses") == {
        "instructions": "Be brief.",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": "Weather in Oslo?",
            },
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
                "content": "Cold.",
            },
        ],
        "tools": [{"type": "function", **TOOL}],
    }


def test_sharegpt_conversation() -> None:
    assert written(LOG, "sharegpt") == {
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "Weather in Oslo?"},
            {
                "from": "function_call",
                "value": '{"name": "weather", "arguments": {"city": "Oslo"}}',
            },
            {"from": "observation", "value": "3C"},
            {"from": "gpt", "value": "Cold."},
        ],
        "tools": json.dumps([TOOL]),
    }


def test_sharegpt_results_are_in_the_order_of_their_calls() -> None:
    """They have no identifiers."""
    calls = [{"id": each, "function": {"name": each, "arguments": "{}"}} for each in "fg"]
    results = [{"role": "tool", "tool_call_id": each, "content": each.upper()} for each in "gf"]
    log = [MESSAGES[1], {"role": "assistant", "content": None, "tool_calls": calls}, *results]
    [after] = memories([written(log, "sharegpt")]).values()
    assert after.calls == [("f", {}, "F"), ("g", {}, "G")]


@pytest.mark.parametrize("format_", FORMATS)
def test_export_with_metadata_is_imported_as_the_same_conversation(format_: str) -> None:
    [before] = memories([LOG]).values()
    [after] = memories([written(LOG, format_, metadata=True)]).values()
    assert (after.turns, after.calls) == (before.turns, before.calls)
    assert after.variables["title"] == "Oslo"
    assert after.variables["system"] == "Be brief."


# --- Files


def test_export_writes_selected_conversations(db: Client, tmp_path: Path) -> None:
    db.memories.import_chats([LOG, {**LOG, "id": "other"}])
    done = db.memories.export_chats(tmp_path / "out.jsonl", prefix="visit-", since="2020-01-01")
    assert (done.conversations, done.messages, done.problems) == (1, 5, ())
    [line] = (tmp_path / "out.jsonl").read_text().splitlines()
    assert json.loads(line) == {"messages": MESSAGES, "tools": TOOLS}


def test_exported_file_with_metadata_is_unchanged_by_import(db: Client, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    db.memories.import_chats([LOG])
    db.memories.export_chats(path, metadata=True)
    done = db.memories.import_chats(path)
    assert (done.imported, done.extended, done.unchanged, done.refused) == (0, 0, 1, ())


def test_invalid_conversations_are_named_or_left_out(db: Client, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    broken = [MESSAGES[1], MESSAGES[2], {"role": "user", "content": "Well?"}, MESSAGES[4]]
    db.memories.import_chats([LOG, {"id": "broken", "messages": broken}])
    db.memory("empty").maintenance()
    done = db.memories.export_chats(path)
    problem = "memory 'broken': message 3: the tool call 'c1' before it has no result"
    assert (done.conversations, done.problems) == (2, (problem,))
    assert done.refused == ("memory 'empty': there are no messages",)
    done = db.memories.export_chats(path, only_valid=True)
    assert (done.conversations, done.problems, len(done.refused)) == (1, (), 2)


def test_export_names_what_the_format_does_not_represent(db: Client, tmp_path: Path) -> None:
    messages = [MESSAGES[1], {"role": "assistant", "content": "Cold.", "reasoning_content": "Look"}]
    db.memories.import_chat("visit-1", messages)
    for format_ in FORMATS:
        done = db.memories.export_chats(tmp_path / "out.jsonl", format=format_)
        assert done.ignored == {"reasoning": 1}


def test_export_of_unreadable_element_is_refused(db: Client, sql: Any, tmp_path: Path) -> None:
    db.memories.import_chats([LOG])
    sql.execute('UPDATE memories_elements SET content = \'{"type": "model_input"}\'')
    done = db.memories.export_chats(tmp_path / "out.jsonl")
    assert done.conversations == 0
    assert done.refused == ("memory 'visit-1': element 0: blocks must be a list, not None",)


def test_unknown_format_and_missing_memory_write_no_file(db: Client, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'openai', 'anthropic', 'sharegpt', 'responses'"):
        db.memories.export_chats(tmp_path / "out.jsonl", format="xml")  # pyright: ignore
    with pytest.raises(MemoryMissing, match="visit-9"):
        db.memories.export_chats(tmp_path / "out.jsonl", "visit-9")
    assert list(tmp_path.iterdir()) == []


# --- Rules of fine-tuning files

ROLES = {"system", "user", "assistant", "tool"}
KEYS = {"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "weight"}


def faults(document: dict[str, Any]) -> Iterator[str]:
    """Yield what the checks of OpenAI's fine-tuning files find."""
    if not document.keys() <= {"messages", "tools", "functions", "parallel_tool_calls"}:
        yield "unknown field"
    messages = document["messages"]
    if messages[-1]["role"] != "assistant":
        yield "no answer"
    if any(tool["type"] != "function" for tool in document.get("tools", ())):
        yield "unknown tool"
    waiting: list[str] = []
    for message in messages:
        yield from message_faults(message)
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                yield f"result without a call: {message}"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            yield f"calls without results: {waiting}"
        for call in message.get("tool_calls", ()):
            waiting.append(call["id"])
            if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call["function"]["name"]):
                yield f"invalid name: {call}"
            json.loads(call["function"]["arguments"])


def message_faults(message: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with one message."""
    content = message["content"]
    if message["role"] not in ROLES or not message.keys() <= KEYS:
        yield f"unknown role or field: {message}"
    if "name" in message and not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", message["name"]):
        yield f"invalid name: {message['name']}"
    if content is None and not message.keys() & {"tool_calls", "refusal"}:
        yield f"no content: {message}"
    parts = content if isinstance(content, list) and message["role"] != "user" else []
    if any(part["type"] != "text" for part in parts):
        yield f"a file outside of a message of the user: {message}"


@given(chats())
def test_export_passes_the_checks_of_fine_tuning(messages: list[dict[str, Any]]) -> None:
    assert list(faults(written(messages))) == []


def test_names_that_model_apis_refuse_are_converted() -> None:
    messages = [
        {"role": "user", "name": "Ada Lovelace", "content": "Draw"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "function": {"name": "dalle.text2im", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
        {"role": "assistant", "content": "Here."},
    ]
    document = written(messages)
    assert list(faults(document)) == []
    assert document["messages"][0]["name"] == "Ada_Lovelace"
    assert document["messages"][1]["tool_calls"][0]["function"]["name"] == "dalle_text2im"


def test_details_of_images_are_reported_by_the_format_without_them(
    db: Client, tmp_path: Path
) -> None:
    url = {"url": "https://example.com/a.png", "detail": "low"}
    asked = {"role": "user", "content": [{"type": "image_url", "image_url": url}]}
    db.memories.import_chats([{"id": "visit-1", "messages": [asked, MESSAGES[4]]}])
    path = tmp_path / "out.jsonl"
    assert db.memories.export_chats(path).ignored == {}
    assert db.memories.export_chats(path, format="anthropic").ignored == {"detail of images": 1}


def test_files_that_no_api_can_open_are_left_out(db: Client, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    image = {"type": "image_url", "image_url": {"url": "file-service://file-1"}}
    asked = {"role": "user", "content": [image, {"type": "text", "text": "What is it?"}]}
    db.memories.import_chats([{"id": "visit-1", "messages": [asked, MESSAGES[4]]}])
    done = db.memories.export_chats(path)
    assert done.ignored == {"files that only their tool can open": 1}
    document = json.loads(path.read_text())
    assert list(faults(document)) == []
    assert document["messages"][0]["content"] == "What is it?"


def test_messages_after_the_last_answer_are_a_problem_or_left_out(
    db: Client, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    thanks = {"role": "user", "content": "Thanks"}
    db.memories.import_chats([{**LOG, "messages": [*MESSAGES, thanks]}])
    db.annotations.add("visit-1", 3, name="cold")
    db.annotations.add("visit-1", 4, name="polite")
    done = db.memories.export_chats(path)
    problem = "message 6: the last message is not of the assistant"
    assert done.problems == (f"memory 'visit-1': {problem}",)
    done = db.memories.export_chats(path, only_valid=True, metadata=True)
    assert (done.messages, done.ignored) == (5, {"messages after the last answer": 1})
    document = json.loads(path.read_text())
    assert document["messages"][-1]["content"] == "Cold."
    assert [each["message"] for each in document["annotations"]] == [4]


@pytest.mark.parametrize("format_", ["openai", "sharegpt"])
def test_tools_of_one_api_are_left_out(format_: str) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    declared = {"functionDeclarations": [{"name": "f"}]}
    log = {**LOG, "tools": [search, declared, {**TOOLS[0], "function": {**TOOL, "name": "a:b"}}]}
    tools = written(log, format_)["tools"]
    [tool] = json.loads(tools) if isinstance(tools, str) else tools
    assert tool.get("function", tool)["name"] == "a_b"


@pytest.mark.parametrize("format_", FORMATS)
def test_image_that_a_tool_returned_is_a_problem_of_openai(
    format_: ExportFormat, db: Client, tmp_path: Path
) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    messages = [*MESSAGES[:3], {**MESSAGES[3], "content": [image]}, MESSAGES[4]]
    db.memories.import_chats([{"id": "visit-1", "messages": messages}])
    done = db.memories.export_chats(tmp_path / "out.jsonl", format=format_, only_valid=True)
    problem = "message 4: an image or file in a message of the tool"
    expected = (f"memory 'visit-1': {problem}",) if format_ == "openai" else ()
    assert done.refused == expected


def test_answer_without_content_is_a_problem(db: Client, tmp_path: Path) -> None:
    db.memories.import_chat("visit-1", [MESSAGES[1], {"role": "assistant", "content": ""}])
    done = db.memories.export_chats(tmp_path / "out.jsonl")
    assert done.problems == ("memory 'visit-1': message 2: no content",)


@pytest.mark.parametrize("format_", ["openai", "sharegpt", "responses"])
def test_times_of_calls_and_results_are_exported(format_: str) -> None:
    times = [f"2024-05-01T10:00:0{second}+00:00" for second in range(4)]
    spoken = [{**each, "created_at": time} for each, time in zip(MESSAGES[1:], times, strict=True)]
    [memory] = memories(written(spoken, format_, metadata=True)).values()
    assert memory.times == times


@pytest.mark.parametrize("format_", ["sharegpt", "responses"])
def test_failures_that_a_format_lacks_are_named(db: Client, tmp_path: Path, format_: Any) -> None:
    failed = {**MESSAGES[3], "is_error": True}
    db.memories.import_chats([{"id": "visit-1", "messages": [*MESSAGES[1:3], failed, MESSAGES[4]]}])
    done = db.memories.export_chats(tmp_path / "out.jsonl", format=format_)
    assert done.ignored == {"failures of tools": 1}


def test_signatures_of_reasoning_that_a_format_lacks_are_named(db: Client, tmp_path: Path) -> None:
    thinking = {"type": "thinking", "thinking": "Look", "signature": "s"}
    messages = [MESSAGES[1], {"role": "assistant", "content": [thinking]}]
    db.memories.import_chats([{"id": "visit-1", "messages": messages}])
    done = db.memories.export_chats(tmp_path / "out.jsonl", metadata=True)
    assert done.ignored == {"signatures of reasoning": 1}


@pytest.mark.parametrize("content", ["", [], None])
def test_empty_result_stays_empty(content: Any) -> None:
    result = {"type": "tool_result", "tool_use_id": "c1", "content": content}
    called = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
    anthropic = [{"role": "assistant", "content": [called]}, {"role": "user", "content": [result]}]
    openai = [MESSAGES[2], {**MESSAGES[3], "content": content}]
    for messages in (anthropic, openai):
        [memory] = memories(messages).values()
        assert [text for _, _, text in memory.calls] == [""]
    assert written(openai, "anthropic")["messages"][1]["content"][0]["content"] in ("", [])


@pytest.mark.parametrize("format_", FORMATS)
def test_citations_and_places_that_a_format_lacks_are_named(format_: Any) -> None:
    cited = {"type": "text", "text": "Cold.", "citations": [{"cited_text": "3C"}]}
    called = {"type": "tool_use", "id": "c1", "name": "weather", "input": {}}
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": [called, cited]}]
    [log] = entries([{"messages": messages}])
    assert isinstance(log, Log)
    places = {"places of texts after calls"} if format_ in ("openai", "sharegpt") else set[str]()
    for metadata, keeps_parts in ((False, False), (True, format_ in ("openai", "responses"))):
        writer = Writer(metadata=metadata)
        FORMATS[format_](log.conversation, writer)
        assert writer.left_out == places | (set() if keeps_parts else {"meta"})


def test_meta_that_an_exported_file_does_not_have_is_reported(db: Client, tmp_path: Path) -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://e.com/a.png"}, "title": "A"}
    thought = {"type": "thinking", "thinking": "Winter.", "signature": "s"}
    answer = {"role": "assistant", "content": [thought, {"type": "text", "text": "Cold."}]}
    db.memories.import_chat("visit-1", [{"role": "user", "content": [image]}, answer])
    path = tmp_path / "out.jsonl"
    for format_ in ("openai", "responses"):
        done = db.memories.export_chats(path, format=format_, metadata=True)
        assert done.ignored == {"meta": 1, "signatures of reasoning": 1}
    [found] = json.loads(path.read_text())["input"][0]["content"]
    assert found == {"type": "input_image", "image_url": "https://e.com/a.png"}
