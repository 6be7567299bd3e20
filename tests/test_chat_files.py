import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import samples
from draive_pg.chat import files
from draive_pg.chat.files import Conversation, read
from draive_pg.errors import ChatInvalid
from draive_pg.operations.conversations.export_format import lines

HI = {"role": "user", "content": "hi"}
HELLO = {"role": "assistant", "content": "hello"}
TALK = [HI, HELLO]


def json_lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs.jsonl"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


def identifiers(path: Path) -> list[str]:
    return [item.identifier for item in read(path) if isinstance(item, Conversation)]


# Shapes


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TALK),
        json.dumps(TALK, indent=2),
        json.dumps({"messages": TALK}, indent=2),
        json.dumps({"score": [1, 2], "traj": TALK, "tools": [{"name": "find"}]}),
        json.dumps({"turns": [{"role": "x"}], "messages": TALK}),
        json_lines(HI, HELLO),
        json_lines(HI) + "\n\r\n" + json_lines(HELLO).replace("\n", "\r\n"),
    ],
)
def test_one_conversation_is_found_in_each_of_its_shapes(logs: Path, text: str):
    assert read(written(logs, text)) == [Conversation("logs", TALK, "logs.jsonl")]


def test_one_message_is_a_conversation(logs: Path):
    assert read(written(logs, json_lines(HI))) == [Conversation("logs", [HI], "logs.jsonl")]


def test_a_list_of_conversations_is_read_in_order(logs: Path):
    text = json.dumps([TALK, {"id": "b", "messages": [HI]}, {"chat": [HELLO]}])
    assert read(written(logs, text)) == [
        Conversation("logs-1", TALK, "logs.jsonl, conversation 1"),
        Conversation("b", [HI], "logs.jsonl, conversation 2"),
        Conversation("logs-3", [HELLO], "logs.jsonl, conversation 3"),
    ]


def test_json_lines_are_read_in_order_and_counted_with_the_blank_lines(logs: Path):
    text = json_lines(TALK) + "\n" + json_lines({"id": "b", "messages": [HI]})
    assert read(written(logs, text)) == [
        Conversation("logs-1", TALK, "logs.jsonl, line 1"),
        Conversation("b", [HI], "logs.jsonl, line 3"),
    ]


def test_the_content_counts_and_not_the_name(tmp_path: Path):
    path = written(tmp_path / "logs.json", json_lines(TALK, TALK))
    assert identifiers(path) == ["logs-1", "logs-2"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_only_a_line_feed_ends_a_line(logs: Path, separator: str):
    lines = [[{"role": "user", "content": f"a{separator}b"}] for _ in range(2)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    conversations: list[Any] = [*read(written(logs, text))]
    assert [each.messages for each in conversations] == lines


def test_a_byte_order_mark_is_no_part_of_the_text(logs: Path):
    logs.write_text(json_lines(TALK), encoding="utf-8-sig")
    assert identifiers(logs) == ["logs"]


def test_compressed_files_are_known_by_their_content(tmp_path: Path):
    compressed = tmp_path / "logs.json"
    compressed.write_bytes(gzip.compress(json.dumps(TALK).encode()))
    assert read(compressed) == [Conversation("logs", TALK, "logs.json")]


# Identifiers


@pytest.mark.parametrize(
    ("fields", "identifier"),
    [
        ({"identifier": "a", "id": "b"}, "a"),
        ({"session_id": "e", "thread_id": "d", "conversation_id": "c"}, "c"),
        ({"thread_id": "d"}, "d"),
        ({"session_id": "e"}, "e"),
        ({"id": 7}, "7"),
        ({"id": 0}, "0"),
        ({"id": None, "thread_id": "d"}, "d"),
        ({"id": "", "thread_id": "d"}, "d"),
        ({"id": True}, "logs"),
        ({"id": 1.5}, "logs"),
        ({"id": ["a"]}, "logs"),
    ],
)
def test_the_first_identifier_that_is_a_text_or_an_integer_is_taken(
    logs: Path, fields: dict[str, Any], identifier: str
):
    assert identifiers(written(logs, json_lines({**fields, "messages": TALK}))) == [identifier]


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("talk.json.gz", "talk"),
        ("talk.jsonl", "talk"),
        ("talk", "talk"),
        ("may 3.talk.json", "may 3.talk"),
        (".gz", ".gz"),
    ],
)
def test_without_one_the_name_of_the_file_is_taken(tmp_path: Path, name: str, identifier: str):
    assert identifiers(written(tmp_path / name, json.dumps(TALK))) == [identifier]


def test_numbers_are_as_wide_as_their_count_needs_and_count_the_broken_too(logs: Path):
    path = written(logs, json_lines(TALK) + "{broken\n" + json_lines(*[TALK] * 8))
    assert identifiers(path) == ["logs-01", *(f"logs-{n:02}" for n in range(3, 11))]


def test_an_identifier_used_twice_names_both_places_and_keeps_the_first(logs: Path):
    text = json_lines(*({"id": i, "messages": TALK} for i in ("a", "b", "a", "c")))
    results = read(written(logs, text))
    assert identifiers(logs) == ["a", "b", "c"]
    assert isinstance(results[2], ChatInvalid)
    assert str(results[2]) == "logs.jsonl, line 3: logs.jsonl, line 1 has the identifier 'a' too"


# Broken files


@pytest.mark.parametrize("broken", ['{"messages": [', "oops", "{'messages': []}", "[" * 100_000])
@pytest.mark.parametrize("line", [1, 2, 17, 20])
def test_a_broken_line_hides_no_other(logs: Path, broken: str, line: int):
    lines = [json.dumps({"id": n, "messages": TALK}) for n in range(1, 21)]
    lines[line - 1] = broken
    results = read(written(logs, "\n".join(lines)))
    assert identifiers(logs) == [str(n) for n in range(1, 21) if n != line]
    assert isinstance(results[line - 1], ChatInvalid)
    assert f"logs.jsonl, line {line}" in str(results[line - 1])


@pytest.mark.parametrize("broken", [0, 1])
def test_of_two_lines_one_may_be_broken(logs: Path, broken: int):
    lines = [json.dumps({"id": "good", "messages": TALK})] * 2
    lines[broken] = lines[broken][:20]
    results = read(written(logs, "\n".join(lines)))
    assert identifiers(logs) == ["good"]
    assert isinstance(results[broken], ChatInvalid)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (3, "expected a conversation, found 3"),
        ({"id": "x"}, "expected a field with messages"),
        ({"messages": "hi"}, "expected messages to be a list, found 'hi'"),
        ({"messages": [HI, "hello"]}, "message 2: expected an object, found 'hello'"),
        ({"a": TALK, "b": TALK}, "expected one field with messages, found 'a, b'"),
        ({"a": [HI, {"content": "hello"}]}, "expected a field with messages"),
        (HI, "expected a field with messages"),
    ],
)
def test_a_wrong_shape_stands_in_its_place(logs: Path, value: Any, problem: str):
    good, result, other = read(written(logs, json_lines(TALK, value, TALK)))
    assert isinstance(good, Conversation)
    assert isinstance(other, Conversation)
    assert str(result).startswith(f"logs.jsonl, line 2: {problem}")


def test_a_wrong_shape_in_a_list_stands_in_its_place_too(logs: Path):
    good, result, other = read(written(logs, json.dumps([TALK, {"id": 1}, TALK])))
    assert isinstance(good, Conversation)
    assert isinstance(other, Conversation)
    assert str(result).startswith("logs.jsonl, conversation 2: expected a field with messages")


def test_a_broken_message_line_breaks_the_one_conversation(logs: Path):
    text = json_lines(HI, HELLO) + '{"role": "user", "content": "hi\n' + json_lines(HELLO)
    with pytest.raises(ChatInvalid, match=r"^logs\.jsonl, line 3, column 29: not JSON: ") as broken:
        read(written(logs, text))
    assert "\n" not in str(broken.value)


@pytest.mark.parametrize("keep", range(1, 28))
def test_a_document_cut_off_imports_nothing(tmp_path: Path, keep: int):
    text = json.dumps([{"id": n, "messages": TALK} for n in range(2)], indent=1)
    cut = "\n".join(text.split("\n")[:keep])
    with pytest.raises(ChatInvalid, match=rf"^logs\.json, line {keep}, column \d+: not JSON: "):
        read(written(tmp_path / "logs.json", cut))


def test_a_document_with_an_item_a_line_and_a_missing_comma_is_no_json_lines(tmp_path: Path):
    items = "".join(json_lines({"id": n, "messages": TALK}) for n in range(3))
    with pytest.raises(ChatInvalid, match=r"^logs\.json, line 3, column 1: not JSON: Expecting ',"):
        read(written(tmp_path / "logs.json", f"[\n{items}]"))


def test_malformed_json_is_refused_with_line_and_column(tmp_path: Path):
    text = '{"messages": [\n  {"role": "user",\n   "content": hi}\n]}'
    with pytest.raises(ChatInvalid, match=r"^logs\.json, line 3, column 15: not JSON: Expecting"):
        read(written(tmp_path / "logs.json", text))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"[]", "expected conversations, found an empty list"),
        (b"3", "expected a conversation, found 3"),
        (b'"hi"', "expected a conversation, found 'hi'"),
        (b"{}", "expected a field with messages"),
        (b'[{"id": 1}]', "conversation 1: expected a field with messages"),
        (b'["\xff"]', "not UTF-8 (at byte 2)"),
        (json.dumps(TALK).encode("utf-16"), "not UTF-8 (at byte 0)"),
        (gzip.compress(b"[]", mtime=0)[:-9], "broken gzip data"),
        (b"\x1f\x8b", "broken gzip data"),
        (b"\x1f\x8b and so on", "broken gzip data"),
        (b"[" * 100_000, "line 1: JSON that cannot be read: "),
        (b"9" * 5_000, "line 1: JSON that cannot be read: "),
        (b"NULL", "line 1, column 1: not JSON"),
    ],
)
def test_a_file_that_holds_nothing_readable_is_refused_in_one_line(
    logs: Path, data: bytes, problem: str
):
    logs.write_bytes(data)
    with pytest.raises(ChatInvalid) as refused:
        read(logs)
    assert str(refused.value).startswith("logs.jsonl")
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["missing.json", ".", "a\0b"])
def test_a_file_that_cannot_be_opened_is_refused_by_name(tmp_path: Path, name: str):
    path = tmp_path / name
    with pytest.raises(ChatInvalid, match="cannot be read: ") as refused:
        read(path)
    assert str(refused.value).startswith(path.name if path.name.isprintable() else "'a\\x00b'")


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_unpacked_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, packed: bool
):
    monkeypatch.setattr(files, "MAX_SENT", 3_000_000)
    pack = gzip.compress if packed else bytes
    path = tmp_path / "logs.json"
    path.write_bytes(pack(json.dumps(TALK).encode().ljust(3_000_000)))
    assert len(read(path)) == 1
    path.write_bytes(pack(b" " * 3_000_001))
    with pytest.raises(ChatInvalid, match=r"^logs\.json: larger than 3,000,000 bytes; split it$"):
        read(path)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path, kind: str):
    path = tmp_path / "pipe" if kind == "pipe" else Path("/dev/zero")
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(ChatInvalid, match=r"cannot be read: .*not a regular file"):
        read(path)
    with pytest.raises(OSError, match="not a regular file"):
        next(lines(path))


def test_a_file_name_with_a_line_break_leaves_the_error_in_one_line(tmp_path: Path):
    with pytest.raises(ChatInvalid) as refused:
        read(written(tmp_path / "a\nb.json", "oops"))
    assert "\n" not in str(refused.value)


# Documents of any kind

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "messages", "id", "x"]), values, max_size=3)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chat_files") / "any.json"


def refusals(path: Path) -> list[str]:
    try:
        return [str(item) for item in read(path) if isinstance(item, ChatInvalid)]
    except ChatInvalid as error:
        return [str(error)]


@given(data=st.binary(max_size=60))
def test_bytes_of_any_kind_are_read_or_refused_in_one_line(file: Path, data: bytes):
    file.write_bytes(data)
    assert all(line.startswith("any.json") and "\n" not in line for line in refusals(file))


@given(documents=st.lists(JSON, min_size=1, max_size=4))
def test_json_of_any_kind_is_read_or_refused_in_one_line(file: Path, documents: list[Any]):
    for text in (json_lines(*documents), json.dumps(documents, indent=1)):
        written(file, text)
        assert all(line.startswith("any.json") and "\n" not in line for line in refusals(file))


@given(
    talks=st.lists(st.lists(st.text(max_size=9), min_size=1, max_size=3), min_size=2, max_size=6),
    data=st.data(),
)
def test_what_was_written_is_read_again_whatever_line_is_broken(
    file: Path, talks: list[list[str]], data: st.DataObject
):
    conversations = [[{"role": "user", "content": text} for text in talk] for talk in talks]
    lines = [json.dumps(conversation) for conversation in conversations]
    broken = data.draw(st.integers(0, len(lines) - 1))
    # a bracket alone on the first line would open a document of many lines
    lines[broken] = lines[broken][: data.draw(st.integers(2, len(lines[broken]) - 1))]
    results = read(written(file, "\n".join(lines)))
    assert isinstance(results.pop(broken), ChatInvalid)
    conversations.pop(broken)
    assert [item.messages for item in results if isinstance(item, Conversation)] == conversations


# The sample conversations


def test_every_line_of_the_samples_is_a_conversation_of_its_own():
    path = samples.support()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert path.stat().st_size < 200_000
    assert read(path) == [
        Conversation(line["id"], line["messages"], f"support.jsonl, line {number}")
        for number, line in enumerate(lines, start=1)
    ]
