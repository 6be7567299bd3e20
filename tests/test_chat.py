import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count, groupby, pairwise
from typing import Any

import pytest
from draive.models import ModelInput, ModelOutput, ModelReasoning, ModelToolRequest
from draive.multimodal import MultimodalContent, TextContent
from draive.resources import ResourceContent, ResourceReference
from haiway import Meta
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import samples
from draive_pg.chat import convert as chats
from draive_pg.chat.reader import read_messages
from draive_pg.chat.times import in_order
from draive_pg.codec.draive_elements import decode_element
from draive_pg.codec.json import encode
from draive_pg.errors import ChatInvalid

USER = {"role": "user", "content": "hi"}
MIN, MAX = datetime(1900, 1, 1), datetime(2500, 1, 1)
PIXEL = b64encode(b"\x89PNG pixel").decode()


def convert(messages: Any) -> Any:
    """Convert messages, and let draive read the elements."""
    chat = chats.convert(read_messages(messages))
    elements = [decode_element(json.dumps(each.document), str) for each in chat.elements]
    return replace(chat, elements=tuple(elements))


def call(identifier: str, tool: str = "find", arguments: Any = "{}") -> dict[str, Any]:
    function = {"name": tool, "arguments": arguments}
    return {"id": identifier, "type": "function", "function": function}


def calling(*calls: dict[str, Any], content: Any = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def answer(identifier: str, content: Any = "done", **fields: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identifier, "content": content, **fields}


def system_of(chat: Any) -> str | None:
    return chat.snapshots[-1].variables.get("system") if chat.snapshots else None


def only_part(part: dict[str, Any]) -> Any:
    [element] = convert([{"role": "user", "content": [part]}]).elements
    [converted] = element.content.parts
    return converted


# Roles


def test_user_message_becomes_input():
    [element] = convert([USER]).elements
    assert element == ModelInput.of(MultimodalContent.of("hi"))


def test_assistant_message_becomes_output():
    [element] = convert([{"role": "assistant", "content": "hello"}]).elements
    assert element == ModelOutput.of(MultimodalContent.of("hello"))


def test_system_and_developer_messages_are_joined_into_system_text():
    chat = convert(
        [
            {"role": "system", "content": "Be kind."},
            USER,
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        ]
    )
    assert system_of(chat) == "Be kind.\n\nBe brief."
    assert len(chat.elements) == 1


def test_system_text_is_none_without_system_messages():
    assert system_of(convert([USER])) is None


def test_messages_can_be_a_generator():
    assert convert(message for message in [USER]) == convert([USER])


def test_message_name_is_stored_in_meta():
    chat = convert([USER | {"name": "ann"}, {"role": "assistant", "content": "x", "name": "bot"}])
    assert [element.meta for element in chat.elements] == [
        Meta.of({"name": "ann"}),
        Meta.of({"name": "bot"}),
    ]


def test_other_fields_are_kept_in_the_meta():
    fields = {"id": "m1", "usage": {"tokens": 3}, "weight": 0}
    [element] = convert([USER | fields | {"audio": None, "annotations": []}]).elements
    assert element.meta == Meta.of(fields)


def test_converted_elements_round_trip_through_draive_json():
    chat = convert(
        [
            USER | {"name": "ann"},
            calling(call("a", arguments='{"n": 1, "deep": [{"x": null}]}'), content="wait"),
            answer("a", [{"type": "image_url", "image_url": "https://x.example/a.png"}]),
            {"role": "assistant", "content": None},
        ]
    )
    for element in chat.elements:
        assert type(element).from_json(element.to_json()) == element


# Content parts


@pytest.mark.parametrize("kind", ["text", "input_text", "output_text"])
def test_text_part_becomes_text_content(kind: str):
    assert only_part({"type": kind, "text": "hi"}) == TextContent.of("hi")


def test_adjacent_text_parts_are_not_merged():
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    [element] = convert([{"role": "user", "content": parts}]).elements
    assert [part.to_str() for part in element.content.parts] == ["one", "two"]


def test_image_url_becomes_reference_with_guessed_mime_type():
    url = "https://x.example/a/photo.JPG?size=2#top"
    part = only_part({"type": "image_url", "image_url": {"url": url, "detail": "low"}})
    assert part == ResourceReference(
        uri=url, mime_type="image/jpeg", meta=Meta.of({"detail": "low"})
    )


@pytest.mark.parametrize("url", ["https://x.example/photo", "http://[", "https://x.example/a.pdf"])
def test_image_url_without_image_extension_has_no_mime_type(url: str):
    part = only_part({"type": "image_url", "image_url": {"url": url}})
    assert part == ResourceReference(uri=url, mime_type=None)


def test_image_data_uri_becomes_resource_content():
    url = f"data:image/png;base64,{PIXEL}"
    part = only_part({"type": "image_url", "image_url": {"url": url}})
    assert part == ResourceContent(data=PIXEL, mime_type="image/png")


def test_data_uri_without_base64_is_percent_decoded():
    part = only_part({"type": "image_url", "image_url": "data:image/svg+xml,%3Csvg/%3E"})
    assert (part.mime_type, part.to_bytes()) == ("image/svg+xml", b"<svg/>")


def test_audio_part_becomes_resource_content():
    part = only_part({"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}})
    assert part == ResourceContent(data=PIXEL, mime_type="audio/wav")


def test_file_part_becomes_resource_content_with_filename():
    file = {"file_data": f"data:application/pdf;base64,{PIXEL}", "filename": "bill.pdf"}
    part = only_part({"type": "file", "file": file})
    assert part == ResourceContent(
        data=PIXEL, mime_type="application/pdf", meta=Meta.of({"name": "bill.pdf"})
    )


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [({"filename": "a.pdf"}, "application/pdf"), ({}, "application/octet-stream")],
)
def test_base64_file_has_mime_type_of_its_filename(name: dict[str, str], mime_type: str):
    part = only_part({"type": "file", "file": {"file_data": PIXEL, **name}})
    assert (part.data, part.mime_type) == (PIXEL, mime_type)


def test_file_id_becomes_reference():
    part = only_part({"type": "file", "file": {"file_id": "file-a/1"}})
    assert part == ResourceReference(uri="openai://files/file-a%2F1")


def test_refusal_becomes_text_marked_in_meta():
    refusal = TextContent.of("I cannot.", meta={"refusal": True})
    assert only_part({"type": "refusal", "refusal": "I cannot."}) == refusal
    message = {"role": "assistant", "content": None, "refusal": "I cannot."}
    [output] = convert([message]).elements
    assert output.content.parts == (refusal,)


# Assistant


def test_output_blocks_are_reasoning_content_and_requests():
    message = calling(
        call("a", "find", '{"id": 1}'), call("b", "book", {"day": "fri"}), content="One moment."
    )
    [output] = convert([message | {"reasoning_content": "Look first."}]).elements
    assert output == ModelOutput.of(
        ModelReasoning.of("Look first."),
        MultimodalContent.of("One moment."),
        ModelToolRequest.of("a", tool="find", arguments={"id": 1}),
        ModelToolRequest.of("b", tool="book", arguments={"day": "fri"}),
    )


def test_reasoning_under_both_keys_is_read_once():
    message = {"role": "assistant", "content": "x", "reasoning": "why"}
    assert convert([message]) == convert([message | {"reasoning_content": "why"}])


@pytest.mark.parametrize("content", [None, "", []])
def test_empty_assistant_message_becomes_output_without_blocks(content: Any):
    chat = convert([USER, {"role": "assistant", "content": content}, USER])
    assert chat.elements[1] == ModelOutput.of()
    assert len(chat.elements) == 3


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_blank_tool_arguments_become_empty_object(blank: str | None):
    [output] = convert([calling(call("a", arguments=blank))]).elements
    (request,) = output.tools
    assert isinstance(request, ModelToolRequest)
    assert request.arguments == {}


# Tools


def test_consecutive_tool_messages_become_one_input():
    chat = convert(
        [calling(call("a", "find"), call("b", "book")), answer("b", "2"), answer("a", "1")]
    )
    _, answers = chat.elements
    assert isinstance(answers, ModelInput)
    assert [(r.identifier, r.tool, r.content.to_str(), r.handling) for r in answers.tools] == [
        ("b", "book", "2", "response"),
        ("a", "find", "1", "response"),
    ]


def test_separated_tool_messages_become_separate_inputs():
    chat = convert([calling(call("a"), call("b")), answer("a"), USER, answer("b")])
    assert [len(element.tools) for element in chat.elements] == [2, 1, 0, 1]


def test_name_of_tool_message_overrides_tool_of_call():
    _, answers = convert([calling(call("a", "find")), answer("a", name="find_v2")]).elements
    assert answers.tools[0].tool == "find_v2"


def test_reused_call_id_refers_to_latest_call():
    chat = convert(
        [calling(call("a", "find")), answer("a"), calling(call("a", "book")), answer("a")]
    )
    assert [e.tools[0].tool for e in chat.elements] == ["find", "find", "book", "book"]


def test_legacy_function_calls_get_generated_ids():
    function = {"role": "assistant", "content": None, "function_call": call("", "find")["function"]}
    result = {"role": "function", "name": "find", "content": "done"}
    requests = convert([function, result, function, result]).elements
    identifiers = [element.tools[0].identifier for element in requests]
    assert identifiers == [
        "function_call_1",
        "function_call_1",
        "function_call_3",
        "function_call_3",
    ]


def test_calls_without_identifiers_are_answered_in_order():
    requests = [{"function": {"name": "find", "arguments": {"n": n}}} for n in (1, 2)]
    results = [{"role": "tool", "tool_name": "find", "content": str(n)} for n in (1, 2)]
    output, answers = convert([calling(*requests), *results]).elements
    assert [each.identifier for each in output.tools] == ["function_call_1", "function_call_1_2"]
    assert [(each.identifier, each.content.to_str()) for each in answers.tools] == [
        ("function_call_1", "1"),
        ("function_call_1_2", "2"),
    ]


class Compared(str):
    """A text that counts its comparisons."""

    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Compared.comparisons += 1
        return super().__eq__(other)

    __hash__ = str.__hash__


def test_calls_are_not_compared_with_each_result() -> None:
    Compared.comparisons = 0
    names = [Compared(f"call_{number}") for number in range(300)]
    messages = [calling(*map(call, names)), *map(answer, reversed(names))]
    chat = chats.convert(read_messages(messages))
    answers = chat.elements[1].document["blocks"]
    assert [each["identifier"] for each in answers] == names[::-1]
    assert Compared.comparisons < 20 * len(names)


def test_names_of_calls_are_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def counted(start: int) -> Iterator[int]:
        for number in count(start):
            tried.append(number)
            yield number

    monkeypatch.setattr(chats, "count", counted)
    convert([calling(*[{"function": {"name": "find", "arguments": "{}"}}] * 300)])
    assert len(tried) == 299


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, ""), ({"free": 2}, '{"free": 2}'), ([1, 2], "[1, 2]"), (["hi", "there"], "hithere")],
)
def test_tool_may_return_any_json(content: Any, text: str):
    _, answers = convert([calling(call("a")), answer("a", content)]).elements
    assert answers.tools[0].content.to_str() == text


def test_transcript_of_a_spoken_answer_is_its_text():
    audio = {"id": "a1", "data": PIXEL, "transcript": "Hi there"}
    [output] = convert([{"role": "assistant", "content": None, "audio": audio}]).elements
    text, data = output.content.parts
    assert text.to_str() == "Hi there"
    assert data.data == PIXEL


# Malformed messages

ORPHAN = answer("c0", "3C")
CUT = calling(call("a", arguments='{"city": "Os'))
MALFORMED = [
    ([CUT, answer("a")], {"arguments": '{"city": "Os'}, "arguments kept as text"),
    ([ORPHAN, USER], None, "kept, and marked as orphaned"),
    ([USER | {"content": "a\0b"}], None, "replaced by U+FFFD"),
    ([USER | {"content": "a\ud83d"}], None, "replaced by U+FFFD"),
    ([USER | {"content": [{"type": "hologram"}]}], None, "kept as text"),
]


@pytest.mark.parametrize(("messages", "arguments", "repair"), MALFORMED)
def test_malformed_message_is_repaired(messages: list[Any], arguments: Any, repair: str):
    chat = chats.convert(read_messages(messages), "repair")
    [reported] = chat.repairs
    assert reported.startswith("message 1 (")
    assert reported.endswith(repair)
    elements = [decode_element(encode(each.document, "x"), str) for each in chat.elements]
    assert len(elements) == len(messages)
    if arguments is not None:
        [request] = elements[0].tools
        assert isinstance(request, ModelToolRequest)
        assert request.arguments == arguments


@pytest.mark.parametrize("messages", [messages for messages, *_ in MALFORMED])
def test_malformed_message_is_left_out(messages: list[Any]):
    chat = chats.convert(read_messages([*messages[:1], USER]), "skip")
    assert len(chat.elements) == 1
    assert chat.repairs[-1].endswith(": left out")


def test_orphaned_result_is_marked():
    chat = chats.convert(read_messages([ORPHAN]), "repair")
    [block] = chat.elements[0].document["blocks"]
    assert (block["identifier"], block["tool"], block["meta"]) == (
        "c0",
        "unknown",
        {"orphaned": True},
    )


# Times


def test_times_of_messages_are_read():
    messages = [
        USER | {"created_at": "2024-05-01T10:00:00Z"},
        USER | {"create_time": 1714557607.5},
        USER | {"timestamp": 1714557609000},
        USER | {"date": "2024-05-01T12:00:10+02:00"},
    ]
    created = [each.created for each in chats.convert(read_messages(messages)).elements]
    assert [time and time.isoformat() for time in created] == [
        "2024-05-01T10:00:00+00:00",
        "2024-05-01T10:00:07.500000+00:00",
        "2024-05-01T10:00:09+00:00",
        "2024-05-01T10:00:10+00:00",
    ]


@given(st.lists(st.none() | st.datetimes(MIN, MAX, timezones=st.just(UTC)), min_size=1))
def test_order_of_messages_is_kept_whatever_their_times(times: list[datetime | None]):
    ordered = in_order(times, None)
    if ordered is None:
        assert not any(times)
        return
    assert all(earlier < later for earlier, later in pairwise(ordered))
    increasing = [time for time in times if time is not None]
    if len(increasing) == len(times) and all(a < b for a, b in pairwise(increasing)):
        assert list(ordered) == increasing


# Rejected messages

DEEP = "[" * 100_000
REFUSED = [
    ([], "the conversation has no messages"),
    (["hi"], "message 1: expected an object with a role, found 'hi'"),
    ([USER, None], "message 2: expected an object with a role, found None"),
    ([{"content": "hi"}], "message 1: expected an object with a role, found {'content': 'hi'}"),
    ([{"role": "robot"}], "found 'robot'"),
    ([{"role": ["user"]}], "found ['user']"),
    ([{"role": "user"}], "message 1 (user): expected content that is text or a list"),
    ([{"role": "user", "content": {"a": 1}}], "found {'a': 1}"),
    ([{"role": "user", "content": "x", "name": 3}], "expected name to be text, found 3"),
    ([{"role": "system", "content": None}], "message 1 (system): expected content"),
    ([{"role": "assistant", "content": 7}], "message 1 (assistant): expected content"),
    ([{"role": "assistant", "content": "x", "reasoning": [1]}], "expected reasoning to be text"),
    ([{"role": "assistant", "audio": {"data": PIXEL}}], "its audio has no transcript"),
    ([calling() | {"tool_calls": "find"}], "expected tool_calls to be a list, found 'find'"),
    ([calling(call("a", ""))], "tool call 1: expected an id and a function with a name"),
    ([calling({"id": [1], "function": {"name": "f"}})], "tool call 1: expected an id that is text"),
    ([calling(call("a"), call("b", ""))], "tool call 2: expected an id"),
    ([calling({"id": "a", "type": "custom", "custom": {}})], "tool call 1: expected an id"),
    ([calling(call("a", arguments="[1]"))], "tool call 'a': expected arguments that are a JSON"),
    ([calling(call("a", arguments='"{}"'))], "found '{}'"),
    ([calling(call("a", arguments="null"))], "found None"),
    ([calling(call("a", arguments="{'x': 1}"))], "line 1 column 2"),
    ([calling(call("a", arguments='{"x": NaN}'))], "NaN is not JSON"),
    ([calling(call("a", arguments='{"x": [-Infinity]}'))], "-Infinity is not JSON"),
    ([calling(call("a", arguments=DEEP))], "nested too deeply"),
    ([calling(call("a", arguments=[1]))], "found [1]"),
    ([calling(call("a", arguments={1: 2}))], "found {1: 2}"),
    ([calling(call("a")), answer("x")], "message 2 (tool): tool_call_id 'x' answers no earlier"),
    ([answer("a"), calling(call("a"))], "message 1 (tool): tool_call_id 'a' answers no earlier"),
    ([{"role": "tool", "content": "x"}], "message 1 (tool): answers no earlier tool call"),
    ([{"role": "function", "content": "x"}], "message 1 (function): answers no earlier tool call"),
    ([{"role": "function", "name": "f", "content": "x"}], "name 'f' answers no earlier tool call"),
]


@pytest.mark.parametrize(("messages", "problem"), REFUSED)
def test_invalid_messages_are_rejected_with_their_position(messages: list[Any], problem: str):
    with pytest.raises(ChatInvalid) as refused:
        convert(messages)
    assert problem in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        (7, "part 1: expected an object with a type, found 7"),
        ({"content": "hi"}, "expected an object with a type"),
        ({"type": "hologram"}, "found type 'hologram'"),
        ({"type": "video"}, "expected an image with its data or URL"),
        ({"type": 3}, "found type 3"),
        ({"type": "text", "text": 3}, 'expected text as {"text": "..."}'),
        ({"type": "image_url", "image_url": {}}, "expected image_url as"),
        ({"type": "image_url", "image_url": {"url": "photo.png"}}, "expected a URL or a data: URI"),
        ({"type": "image_url", "image_url": "data:image/png"}, "expected data:<type>;base64"),
        ({"type": "image_url", "image_url": "data:image/png;base64,?"}, "expected base64 data"),
        ({"type": "input_audio", "input_audio": {"data": "AAA"}}, "expected input_audio as"),
        ({"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}, "base64 data"),
        ({"type": "file", "file": {"filename": "x"}}, "expected file as"),
        ({"type": "file", "file": {"file_data": "\ud800"}}, "expected base64 data"),
    ],
)
def test_invalid_content_part_is_rejected(part: Any, problem: str):
    with pytest.raises(ChatInvalid, match=r"^message 1 \(user\): part 1: .*$") as refused:
        convert([{"role": "user", "content": [part]}])
    assert problem in str(refused.value)


def test_system_message_with_non_text_part_is_rejected():
    image = {"type": "image_url", "image_url": "https://x.example/a.png"}
    text = {"type": "text", "text": "see"}
    with pytest.raises(ChatInvalid, match=r"^message 1 \(system\): part 2: expected text only$"):
        convert([{"role": "system", "content": [text, image]}])


def test_values_in_errors_are_truncated_and_escaped():
    with pytest.raises(ChatInvalid) as refused:
        convert([{"role": "user\n" * 1000}])
    assert len(str(refused.value)) < 200
    assert "\n" not in str(refused.value)


# Arbitrary documents

TEXT = st.text(max_size=20)
TURN = st.one_of(
    TEXT.map(lambda text: [{"role": "user", "content": text}]),
    TEXT.map(lambda text: [{"role": "assistant", "content": text}]),
    TEXT.map(lambda text: [{"role": "system", "content": text}]),
    st.lists(TEXT, min_size=1, max_size=4).map(
        lambda texts: [
            calling(*(call(str(n)) for n in range(len(texts)))),
            *(answer(str(n), text) for n, text in enumerate(texts)),
        ]
    ),
)
TURNS = st.lists(TURN, min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=8,
)
KEYS = ("role", "content", "tool_calls", "tool_call_id", "name", "function_call", "refusal")


@given(TURNS)
def test_valid_messages_keep_all_turns_and_text(
    turns: list[list[dict[str, Any]]],
):
    messages = [message for turn in turns for message in turn]
    systems = [m["content"] for m in messages if m["role"] == "system"]
    chat = convert(messages)
    expected = sum(
        {"user": 1, "system": 0}.get(turn[0]["role"], min(len(turn), 2)) for turn in turns
    )
    assert len(chat.elements) == expected
    assert system_of(chat) == ("\n\n".join(systems) if systems else None)
    assert texts_of(chat) == [m["content"] or "" for m in messages if m["role"] != "system"]


def texts_of(chat: Any) -> list[str]:
    texts: list[str] = []
    for element in chat.elements:
        if isinstance(element, ModelInput) and element.contains_tools:
            texts.extend(response.content.to_str() for response in element.tools)
        else:
            texts.append(element.content.to_str())
    return texts


def refusal(messages: list[Any]) -> str:
    try:
        convert(messages)
    except ChatInvalid as error:
        return str(error)
    return ""


@given(st.lists(JSON, max_size=4))
def test_arbitrary_messages_are_converted_or_rejected(messages: list[Any]):
    assert len(refusal(messages).splitlines()) <= 1


@given(TURNS, st.data())
def test_arbitrary_message_field_is_converted_or_rejected(
    turns: list[list[dict[str, Any]]], data: st.DataObject
):
    messages = [message for turn in turns for message in turn]
    changed = data.draw(st.integers(0, len(messages) - 1))
    value = data.draw(
        JSON
        | st.lists(st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "file"])}))
        | st.lists(st.fixed_dictionaries({"id": TEXT, "function": JSON}))
    )
    messages[changed] |= {data.draw(st.sampled_from(KEYS)): value}
    assert len(refusal(messages).splitlines()) <= 1


# The sample conversations


def test_sample_conversations_are_converted_completely():
    lines = samples.support().read_text(encoding="utf-8").splitlines()
    conversations = [json.loads(line)["messages"] for line in lines]
    roles = Counter(message["role"] for messages in conversations for message in messages)
    runs = sum(
        role == "tool"
        for messages in conversations
        for role, _ in groupby(messages, key=lambda message: message["role"])
    )
    calls = sum(len(m.get("tool_calls", ())) for messages in conversations for m in messages)

    chats = [convert(messages) for messages in conversations]
    elements = [element for chat in chats for element in chat.elements]
    inputs = [element for element in elements if isinstance(element, ModelInput)]
    outputs = [element for element in elements if isinstance(element, ModelOutput)]

    assert len(outputs) == roles["assistant"]
    assert sum(not element.contains_tools for element in inputs) == roles["user"]
    assert sum(element.contains_tools for element in inputs) == runs
    assert sum(len(element.tools) for element in inputs) == roles["tool"]
    assert sum(len(element.tools) for element in outputs) == calls
    assert sum(system_of(chat) is not None for chat in chats) == sum(
        messages[0]["role"] == "system" for messages in conversations
    )


def test_sample_conversations_cover_all_kinds_of_content():
    lines = samples.support().read_text(encoding="utf-8").splitlines()
    chats = [convert(json.loads(line)["messages"]) for line in lines]
    elements = [element for chat in chats for element in chat.elements]
    resources = [
        resource
        for element in elements
        if isinstance(element, ModelInput)
        for resource in element.content.resources()
    ]
    assert len(chats) >= 60
    assert any(isinstance(resource, ResourceContent) for resource in resources)
    assert any(isinstance(resource, ResourceReference) for resource in resources)
    assert any(isinstance(element, ModelOutput) and element.reasoning for element in elements)
    assert any(len(element.tools) > 1 for element in elements)
    last = [chat.elements[-1] for chat in chats]
    assert any(isinstance(element, ModelOutput) and element.contains_tools for element in last)
    assert any(isinstance(element, ModelInput) and not element.contains_tools for element in last)
