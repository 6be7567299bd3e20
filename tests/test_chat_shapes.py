"""Unusual shapes of chat logs lose nothing, double nothing and keep the order."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from draive_pg import Client
from draive_pg.chat.convert import convert
from draive_pg.chat.reader import Log
from draive_pg.operations.conversations.import_chats import Rules, check
from tests.chat_logs import entries, memories, only

USER = {"role": "user", "content": "Weather in Oslo?"}
ANSWER = {"role": "assistant", "content": "Cold."}
ASKED = [("user", "Weather in Oslo?"), ("assistant", "Cold.")]


def answers(source: Any) -> list[str]:
    """Return the text of each conversation."""
    return ["".join(text for _, text in each.turns) for each in memories(source).values()]


def call(identifier: str, tool: str = "weather", arguments: str = "{}") -> dict[str, Any]:
    return {"id": identifier, "function": {"name": tool, "arguments": arguments}}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def result(identifier: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identifier, "content": content}


# --- Order


@pytest.mark.parametrize("leading", [[], [{"role": "system", "content": "Be brief."}]])
def test_messages_with_the_newest_first_are_put_in_order(leading: list[Any]) -> None:
    spoken = [USER, calling(call("c1")), result("c1", "3C"), ANSWER]
    timed = [{**each, "created_at": 1714557600 + second} for second, each in enumerate(spoken)]
    expected = only({"messages": [*leading, *timed]})
    found = only({"messages": [*leading, *reversed(timed)]})
    assert (found.turns, found.times, found.calls) == (
        expected.turns,
        expected.times,
        [("weather", {}, "3C")],
    )


def test_rows_of_n8n_with_the_newest_first_are_put_in_order() -> None:
    rows = [
        {
            "session_id": "s",
            "created_at": f"2024-05-01T10:00:0{second}Z",
            "message": {"type": kind, "content": text},
        }
        for second, (kind, text) in enumerate([("human", ASKED[0][1]), ("ai", "Cold.")])
    ]
    assert only(rows[::-1]).turns == ASKED


def test_answer_with_an_earlier_clock_stays_after_its_question() -> None:
    timed = [{**USER, "created_at": 1714557605}, {**ANSWER, "created_at": 1714557604}]
    assert only({"messages": timed}).turns == ASKED


@pytest.mark.parametrize("unset", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999Z"])
def test_time_that_stands_for_none_is_no_time(unset: str) -> None:
    timed = [{**each, "created_at": unset} for each in (USER, ANSWER)]
    memory = only({"messages": timed, "created_at": unset})
    assert (memory.turns, memory.times) == (ASKED, [None, None])
    assert memory.meta == [{"created_at": unset}] * 2


# --- Streams


def chunk(delta: dict[str, Any], reason: str | None = None, **fields: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
    return {"object": "chat.completion.chunk", "choices": choices, **fields}


OPENED = chunk({"role": "assistant", "content": ""})
USAGE = {"object": "chat.completion.chunk", "choices": [], "usage": {"total_tokens": 3}}


@pytest.mark.parametrize("end", [[], [chunk({}, "stop")], [chunk({}, "stop"), USAGE]])
def test_streams_without_ids_are_separate_answers(end: list[Any]) -> None:
    first = [OPENED, chunk({"content": "Co"}), chunk({"content": "ld."}), *end]
    assert answers([*first, OPENED, chunk({"content": "Warm."}), *end]) == ["Cold.", "Warm."]


def test_chunks_that_repeat_the_role_are_one_answer() -> None:
    chunks = [
        chunk({"role": "assistant", "content": "Co"}),
        chunk({"role": "assistant", "content": "ld."}),
        chunk({"role": "assistant", "content": ""}, "stop"),
        chunk({"role": "assistant", "content": ""}, usage={"total_tokens": 3}),
    ]
    assert answers(chunks) == ["Cold."]


def test_first_chunk_of_azure_is_part_of_the_stream() -> None:
    first = {"object": "", "id": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    assert answers([first, chunk({"content": "Cold."}, id="x1")]) == ["Cold."]


def test_streamed_calls_with_the_same_index_are_separate() -> None:
    calls = [
        {"index": 0, **call("c1", "f", '{"a":')},
        {"index": 0, "function": {"arguments": "1}"}},
    ]
    other = {"index": 0, **call("c2", "g")}
    chunks = [chunk({"tool_calls": [each]}) for each in (*calls, other)]
    assert only(chunks).calls == [("f", {"a": 1}, None), ("g", {}, None)]


def test_chunks_of_ollama_are_one_answer() -> None:
    def piece(text: str, *, done: bool) -> dict[str, Any]:
        return {"model": "m", "done": done, "message": {"role": "assistant", "content": text}}

    stream = [piece("Co", done=False), piece("ld.", done=False), piece("", done=True)]
    assert answers([*stream, piece("Warm.", done=True)]) == ["Cold.", "Warm."]


def gemini(text: str, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}}
    ended = {"finishReason": reason} if reason else {}
    return {"candidates": [{**candidate, **ended}], **fields}


@pytest.mark.parametrize("names", [{}, {"responseId": "r"}])
def test_chunks_of_gemini_are_one_answer(names: dict[str, str]) -> None:
    stream = [gemini("Co", **names), gemini("ld.", "STOP", **names)]
    assert answers([*stream, gemini("Warm.", "STOP", responseId="s")]) == ["Cold.", "Warm."]


@pytest.mark.parametrize("reason", ["STOP", None])
def test_complete_answers_of_gemini_stay_separate(reason: str | None) -> None:
    assert answers([gemini("Cold.", reason), gemini("Warm.", reason)]) == ["Cold.", "Warm."]
    request = {"contents": [{"role": "user", "parts": [{"text": ASKED[0][1]}]}]}
    memory = only({"request": request, "response": gemini("Cold.", reason, modelVersion="g")})
    assert memory.turns == ASKED
    assert "g" in (memory.variables.get("modelVersion"), memory.meta[-1].get("modelVersion"))


def test_streamed_responses_end_with_their_last_event() -> None:
    def streamed(text: str) -> list[Any]:
        message = {"type": "message", "role": "assistant", "content": text}
        response = {"id": text, "object": "response", "output": [message]}
        return [
            {"type": "response.output_text.delta", "delta": text},
            {"type": "response.completed", "response": response},
        ]

    assert answers([*streamed("Cold."), *streamed("Warm.")]) == ["Cold.", "Warm."]


def test_text_after_the_last_complete_item_of_a_cut_stream_is_kept() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Winter."}]}
    memory = only(
        [
            {"type": "response.created", "response": {"id": "r", "object": "response"}},
            {"type": "response.output_item.done", "output_index": 0, "item": thought},
            {"type": "response.output_text.delta", "output_index": 1, "delta": "Co"},
            {"type": "response.output_text.delta", "output_index": 1, "delta": "ld."},
        ]
    )
    assert (memory.turns, memory.reasoning) == ([("assistant", "Cold.")], ["Winter."])


# --- Calls and results


def test_results_of_calls_with_the_same_id_have_their_tools() -> None:
    calls = calling(call("c1", "f"), call("c1", "g"))
    memory = only({"messages": [USER, calls, result("c1", "1"), result("c1", "2")]})
    assert memory.calls == [("f", {}, "1"), ("g", {}, "2")]


def test_result_without_id_answers_the_call_after_the_last_question() -> None:
    asked = {"role": "assistant", "content": None, "function_call": {"name": "f"}}
    answered = {"role": "function", "name": "f", "content": "3C"}
    memory = only({"messages": [USER, asked, USER, asked, answered]})
    assert memory.calls == [("f", {}, None), ("f", {}, "3C")]


def test_results_of_one_message_are_separate() -> None:
    found = [{"tool_return": text, "tool_call_id": f"c{text}"} for text in "12"]
    calls = [{"name": "f", "arguments": "{}", "tool_call_id": f"c{text}"} for text in "12"]
    letta = [
        {"message_type": "user_message", "content": "Weather in Oslo?"},
        {"message_type": "tool_call_message", "tool_calls": calls},
        {"message_type": "tool_return_message", "tool_return": "1", "tool_returns": found},
    ]
    several = [result("c1", "1"), result("c2", "2")]
    autogen = [
        USER,
        calling(call("c1", "f"), call("c2", "f")),
        {"role": "tool", "name": "user", "content": "1\n\n2", "tool_responses": several},
    ]
    for log in (letta, autogen):
        assert only(log).calls == [("f", {}, "1"), ("f", {}, "2")]


def chatgpt(*messages: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    mapping = {
        str(number): {
            "parent": str(number - 1),
            "message": {
                "author": {"role": role, "name": fields.pop("name", None)},
                "content": {"content_type": "text", "parts": [fields.pop("text")]},
                **fields,
            },
        }
        for number, (role, fields) in enumerate(messages)
    }
    return {"conversation_id": "c", "mapping": mapping}


def test_results_of_several_calls_of_chatgpt_are_separate() -> None:
    log = chatgpt(
        ("user", {"text": "Weather in Oslo?"}),
        *(("assistant", {"text": text, "recipient": "web"}) for text in ("a", "b")),
        *(("tool", {"text": text, "name": "web"}) for text in ("1", "2", "3")),
    )
    assert only(log).calls == [("web", {"input": "a"}, "1"), ("web", {"input": "b"}, "23")]


def test_unknown_fields_of_messages_of_chatgpt_are_kept() -> None:
    log = chatgpt(("user", {"text": "Weather in Oslo?", "rating": 5}))
    assert only(log).meta == [{"rating": 5}]


def test_failed_search_of_the_server_is_an_error() -> None:
    content = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s",
            "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
        },
    ]
    log = {"messages": [USER, {"role": "assistant", "content": content}]}
    [entry] = entries(log)
    assert isinstance(entry, Log)
    [*_, element] = convert(entry.conversation).elements
    assert element.document["blocks"][0]["handling"] == "error"


# --- Content of single formats


def test_video_of_open_models_is_read() -> None:
    video = {"type": "video_url", "video_url": {"url": "https://example.com/v.mp4"}}
    text = {"type": "text", "text": "Weather in Oslo?"}
    assert only({"messages": [{"role": "user", "content": [video, text]}]}).turns == ASKED[:1]


def test_inputs_of_ai_studio_that_were_not_sent_are_kept() -> None:
    prompt = {
        "chunks": [{"role": "user", "text": "Weather in Oslo?"}],
        "pendingInputs": [{"role": "user", "text": "And in Rome?"}],
    }
    assert only({"chunkedPrompt": prompt}).variables == {"pendingInputs": ["And in Rome?"]}


def test_structured_messages_of_autogen_are_kept() -> None:
    messages = [
        {"type": "TextMessage", "source": "user", "content": "Weather in Oslo?"},
        {"type": "StructuredMessage[Weather]", "source": "bot", "content": {"cold": True}},
    ]
    assert only(messages).turns == [ASKED[0], ("assistant", '{"cold": true}')]


# --- Branches


def line(kind: str, uuid: str, parent: str | None, content: Any, **message: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "sessionId": "s",
        "uuid": uuid,
        "parentUuid": parent,
        "message": {"role": kind, "content": content, **message},
    }


def rewound(parent: str | None) -> list[Any]:
    """Return a session of Claude Code in which a question was replaced."""
    before = [line("user", "1", None, "Hello"), line("assistant", "2", "1", "Hi")]
    return [
        *(before if parent else ()),
        line("user", "3", parent, "Weather in Rome?"),
        line("assistant", "4", "3", "Warm."),
        {"type": "attachment", "sessionId": "s", "uuid": "5", "parentUuid": parent},
        line("user", "6", "5" if parent else None, "Weather in Oslo?"),
        line("assistant", "7", "6", "Cold."),
    ]


@pytest.mark.parametrize("parent", ["2", None])
def test_rewound_session_of_claude_code_has_branches(parent: str | None) -> None:
    begun = [("user", "Hello"), ("assistant", "Hi")] if parent else []
    active = only(rewound(parent))
    assert active.turns == [*begun, *ASKED]
    assert "other branches" in active.ignored
    found = memories(rewound(parent), branches="all")
    assert {name: each.turns for name, each in found.items()} == {
        "s": [*begun, *ASKED],
        "s/4": [*begun, ("user", "Weather in Rome?"), ("assistant", "Warm.")],
    }


def test_parallel_calls_of_claude_code_are_no_branches() -> None:
    def used(number: int) -> list[Any]:
        return [{"type": "tool_use", "id": f"c{number}", "name": "f", "input": {}}]

    def returned(number: int) -> list[Any]:
        return [{"type": "tool_result", "tool_use_id": f"c{number}", "content": f"{number}"}]

    memory = only(
        [
            line("user", "1", None, "Weather in Oslo?"),
            line("assistant", "2", "1", used(1), id="m", usage={"output_tokens": 1}),
            line("assistant", "3", "2", used(2), id="m", usage={"output_tokens": 9}),
            line("user", "4", "2", returned(1)),
            line("user", "5", "3", returned(2)),
            line("assistant", "6", "5", "Cold."),
        ]
    )
    assert memory.calls == [("f", {}, "1"), ("f", {}, "2")]
    assert memory.meta[1] == {"usage": {"output_tokens": 9}}
    assert memory.ignored == []


@pytest.mark.parametrize("length", [1, 2])
def test_messages_of_claude_without_identifiers_are_in_order(length: int) -> None:
    question = {"sender": "human", "text": "Weather in Oslo?"}
    answer = {"uuid": "1", "sender": "assistant", "text": "Cold."}
    found = only({"uuid": "s", "chat_messages": [question, answer][:length]})
    assert found.turns == ASKED[:length]


# --- Logged requests


SCORED = {"score": 1, "reason": "It is cold."}


def test_structured_output_is_data() -> None:
    text = '{"score": 1, "reason": "It is cold."}'
    assert only({"input": ASKED[0][1], "output": SCORED}).turns == [ASKED[0], ("assistant", text)]
    judged = only({"question": ASKED[0][1], "answer": "Cold.", "output": SCORED})
    assert (judged.turns, judged.variables) == (ASKED, {"output": SCORED})


@pytest.mark.parametrize("name", ["history", "chat_history"])
@pytest.mark.parametrize(
    "earlier", [[["Hello", "Hi"]], [{**USER, "content": "Hello"}, {**ANSWER, "content": "Hi"}]]
)
def test_question_after_a_history_is_a_message(name: str, earlier: list[Any]) -> None:
    memory = only({name: earlier, "question": ASKED[0][1], "answer": "Cold."})
    assert memory.turns == [("user", "Hello"), ("assistant", "Hi"), *ASKED]


@pytest.mark.parametrize("step", [1, -1])
def test_exchanges_of_a_session_are_one_conversation(step: int) -> None:
    rows = [
        {"session_id": "s", "question": text, "answer": "Cold.", "created_at": time, "score": 1}
        for text, time in (("Weather in Oslo?", 1714557600), ("And now?", 1714557660))
    ]
    memory = only(rows[::step])
    assert memory.turns == [*ASKED, ("user", "And now?"), ("assistant", "Cold.")]
    assert memory.times[::2] == ["2024-05-01T10:00:00+00:00", "2024-05-01T10:01:00+00:00"]
    assert memory.meta[1]["score"] == 1


def test_reason_of_the_end_of_an_answer_is_kept() -> None:
    completion = {"choices": [{"message": ANSWER, "finish_reason": "length"}]}
    request = {"request": {"messages": [USER]}, "response": completion}
    message = {
        "type": "ai",
        "content": "Cold.",
        "response_metadata": {"finish_reason": "length"},
    }
    for log in (completion, request, [message]):
        assert only(log).meta[-1] == {"finish_reason": "length"}


# --- Conversations without identifiers, and lists of conversations


@pytest.mark.parametrize("other", [{"user": "bob"}, {"created_at": "2024-05-02T10:00:00Z"}, {}])
def test_equal_messages_with_other_data_are_separate(other: dict[str, Any]) -> None:
    first = {"prompt": ASKED[0][1], "response": "Cold.", "user": "ada"}
    names = [
        entry.identifier for entry in entries([first, {**first, **other}]) if isinstance(entry, Log)
    ]
    assert len(set(names)) == (2 if other else 1)


def test_variables_that_are_not_imported_do_not_change_the_identifier() -> None:
    rows = [{"prompt": text, "response": "Cold.", "user": "ada"} for text in "ab"]
    assert set(memories(rows)) == set(memories(rows, variables=[]))


def test_all_lists_of_an_export_are_read_and_other_fields_are_reported() -> None:
    first, second = ({"id": name, "messages": [USER, ANSWER]} for name in "ab")
    export = {"chats": [first], "data": [second], "folders": [{"name": "x"}], "has_more": False}
    found = memories(export)
    assert {name: each.turns for name, each in found.items()} == {"a": ASKED, "b": ASKED}
    assert sorted(name for each in found.values() for name in each.ignored) == ["folders"]


def test_fields_of_system_messages_are_reported() -> None:
    cached = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    system = {"role": "system", "content": [cached], "name": "ops"}
    memory = only({"messages": [system, USER]})
    assert memory.variables == {"system": "Be brief."}
    assert memory.ignored == ["system.cache_control", "system.name"]


GOOD = b'{"messages": [{"role": "user", "content": "Hello"}]}'
NESTED = {
    "objects": b'{"a":' * 800 + GOOD + b"}" * 800,
    "lists": b'{"data":[' * 800 + GOOD + b"]}" * 800,
    "meta": GOOD.replace(b'"Hello"', b'"Hello", "x": ' + b"[" * 5_000 + b"]" * 5_000),
}


@pytest.mark.parametrize("on_error", ["refuse", "repair"])
@pytest.mark.parametrize("kind", NESTED)
def test_deeply_nested_document_is_refused_alone(kind: str, on_error: Any) -> None:
    found = check(NESTED[kind] + b"\n" + GOOD, Rules(on_error=on_error))
    assert (found.imported, found.failed) == (1, 1)


def test_voice_notes_and_unread_attachments_of_claude_are_kept() -> None:
    asked = {
        "uuid": "m1",
        "sender": "human",
        "text": "",
        "content": [{"type": "voice_note", "title": "Note", "text": "Weather in Oslo?"}],
        "attachments": [{"file_name": "map.bin", "extracted_content": ""}],
        "files": [{"file_name": "photo.png"}],
    }
    answer = {"uuid": "m2", "sender": "assistant", "text": "Cold.", "content": []}
    found = only({"uuid": "c", "chat_messages": [asked, answer]})
    assert found.turns == ASKED
    assert found.meta[0]["files"] == ["photo.png", "map.bin"]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("spoken", "is_known"),
    [
        ([("user", "q"), ("assistant", "a")], True),
        ([("developer", "s"), ("user", "q"), ("assistant", "a"), ("user", "r")], True),
        ([("user", "q"), ("assistant", "a"), ("user", "r")], False),
        ([("user", "q"), ("call", "c"), ("output", "c"), ("user", "r")], True),
    ],
)
def test_items_of_a_page_without_times_are_put_in_order(
    spoken: list[tuple[str, str]], *, is_known: bool, order: int
) -> None:
    items = [
        {
            "call": {"type": "function_call", "call_id": text, "name": "f", "arguments": "{}"},
            "output": {"type": "function_call_output", "call_id": text, "output": "3C"},
        }.get(role, {"type": "message", "role": role, "content": text})
        for role, text in spoken
    ]
    page = {"object": "list", "data": items[::order], "first_id": "x", "last_id": "y"}
    found = only(page)
    expected = items if is_known or order == -1 else items[::-1]
    assert found.turns == only({"messages": expected}).turns
    assert found.calls == only({"messages": expected}).calls
    assert found.ignored == ([] if is_known else ["unknown order of items without times"])


@pytest.mark.parametrize(
    ("arguments", "is_kept"), [('{"city":', True), ('{"city": "Oslo"}', False)]
)
def test_pieces_of_arguments_of_langchain_are_kept(arguments: str, *, is_kept: bool) -> None:
    chunks = [{"name": "weather", "args": arguments, "id": "c1", "index": 0}]
    calls = [{"name": "weather", "args": {}, "id": "c1"}]
    answer = {"type": "AIMessageChunk", "content": "", "tool_calls": calls}
    found = only(
        {"messages": [{"type": "human", "content": "q"}, answer | {"tool_call_chunks": chunks}]}
    )
    assert ("tool_call_chunks" in found.meta[1]) is is_kept


# --- Common shapes, through the database


SHAPES = {
    shape["name"]: shape
    for shape in map(
        json.loads, (Path(__file__).parent / "data" / "chat_shapes.jsonl").read_bytes().splitlines()
    )
}


@pytest.mark.parametrize("name", SHAPES)
def test_shape_becomes_the_memories_in_it(name: str, db: Client, tmp_path: Path) -> None:
    shape = SHAPES[name]
    path = tmp_path / shape["file"]
    path.write_text(shape["content"])
    done = db.memories.import_chats(path)
    assert (done.imported, done.refused) == (len(shape["memories"]), ())
    read = memories(path)
    for identifier, turns in shape["memories"].items():
        log = db.memory(identifier).log()
        assert list(map(list, zip(log["speaker"], log["text"].fillna(""), strict=True))) == turns
        expected = shape.get("times", {}).get(identifier, [])
        assert [*log["created"]][: len(expected)] == [*map(pd.Timestamp, expected)]
        variables = shape.get("variables", {}).get(identifier, {})
        assert (db.memory(identifier).recall().variables or {}).items() >= variables.items()
        # further data of the messages, such as their usage, is kept as well
        for meta, least in zip(
            log["meta"], shape.get("meta", {}).get(identifier, ()), strict=False
        ):
            assert meta.items() >= least.items()
        found = read[identifier]
        assert found.reasoning == shape.get("reasoning", {}).get(identifier, found.reasoning)
        calls = [list(call) for call in found.calls]
        assert calls == shape.get("calls", {}).get(identifier, calls)
    assert db.memories.import_chats(path).unchanged == done.imported
