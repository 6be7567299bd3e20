"""Files, streams and tables with chat logs."""

import bz2
import gzip
import io
import json
import lzma
import os
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import Client, samples
from draive_pg.chat import sessions
from draive_pg.chat.files import containers, scanner, unpack
from draive_pg.chat.files.containers import Containers
from draive_pg.chat.files.document import CHUNK
from draive_pg.chat.reader import Log
from draive_pg.errors import ChatInvalid
from draive_pg.operations.conversations.export_format import lines
from draive_pg.operations.conversations.import_chats import Rules, check
from tests.chat_logs import entries, errors, memories, only
from tests.server import file_size_limit

HI = {"role": "user", "content": "hi"}
HELLO = {"role": "assistant", "content": "hello"}
TALK = [HI, HELLO]
SPOKEN = [("user", "hi"), ("assistant", "hello")]


def json_lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def zstd(data: bytes) -> bytes:
    return pa.compress(data, "zstd", asbytes=True)


def zipped(**files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return packed.getvalue()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs.jsonl"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


def identifiers(source: Any) -> list[str]:
    return [item.identifier for item in entries(source) if isinstance(item, Log)]


def spoken(source: Any) -> list[list[tuple[str, str]]]:
    return [memory.turns for memory in memories(source).values()]


def places(source: Any) -> list[str]:
    return [item.where for item in entries(source) if isinstance(item, Log)]


# Formats


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TALK),
        json.dumps(TALK, indent=2),
        json.dumps({"messages": TALK}, indent=2),
        json.dumps([{"messages": TALK}]),
        json.dumps({"score": [1, 2], "traj": TALK, "tools": [{"name": "find"}]}),
        json.dumps({"turns": [{"role": "x"}], "messages": TALK}),
        json_lines(HI, HELLO),
        json_lines(HI) + "\n\r\n" + json_lines(HELLO).replace("\n", "\r\n"),
        json_lines({"version": 1, "app": "x"}, HI, HELLO),
        "\x1e" + json_lines(HI) + "\x1e" + json_lines(HELLO),
    ],
)
def test_conversation_is_read_in_each_of_its_shapes(logs: Path, text: str) -> None:
    assert spoken(written(logs, text)) == [SPOKEN]
    assert identifiers(logs) == ["logs"]
    assert places(logs) == ["logs.jsonl"]


def test_single_message_is_a_conversation(logs: Path) -> None:
    assert spoken(written(logs, json_lines(HI))) == [SPOKEN[:1]]


def test_conversations_of_a_list_are_read_in_order(logs: Path) -> None:
    text = json.dumps([{"id": "a", "messages": TALK}, {"id": "b", "chat": [HELLO]}])
    assert identifiers(written(logs, text)) == ["a", "b"]
    assert places(logs) == ["logs.jsonl, conversation 1", "logs.jsonl, conversation 2"]


def test_lists_of_messages_are_conversations(logs: Path) -> None:
    text = json.dumps([TALK, [HI], TALK[::-1]])
    assert spoken(written(logs, text)) == [SPOKEN, SPOKEN[:1], SPOKEN[::-1]]
    text = json_lines(TALK, [HI], TALK[::-1])
    assert spoken(written(logs, text)) == [SPOKEN, SPOKEN[:1], SPOKEN[::-1]]


def test_lines_are_counted_with_the_blank_lines(logs: Path) -> None:
    text = (
        json_lines({"id": "a", "messages": TALK}) + "\n" + json_lines({"id": "b", "messages": [HI]})
    )
    assert places(written(logs, text)) == ["logs.jsonl, line 1", "logs.jsonl, line 3"]


def test_documents_may_follow_each_other(logs: Path) -> None:
    documents = [{"id": name, "messages": TALK} for name in "abc"]
    text = "\n".join(json.dumps(document, indent=1) for document in documents)
    assert identifiers(written(logs, text)) == ["a", "b", "c"]
    assert identifiers(written(logs, text.replace("\n", ""))) == ["a", "b", "c"]


def test_events_of_a_stream_are_documents() -> None:
    chunks = [
        {"id": "x", "object": "chat.completion.chunk", "choices": [{"delta": {"content": part}}]}
        for part in ("hel", "lo")
    ]
    text = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + "data: [DONE]\n"
    assert spoken(text.encode()) == [SPOKEN[1:]]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_unicode_line_separators_do_not_split_lines(logs: Path, separator: str) -> None:
    lines = [[{"role": "user", "content": f"a{separator}{n}"}] for n in range(2)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    assert spoken(written(logs, text)) == [[("user", f"a{separator}{n}")] for n in range(2)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_mark_tells_the_encoding(logs: Path, encoding: str) -> None:
    text = json_lines({"id": "a", "messages": [{"role": "user", "content": "zażółć 🚲"}]})
    logs.write_bytes(text.encode(encoding))
    assert spoken(logs) == [[("user", "zażółć 🚲")]]


# Compressed files, archives and folders


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_compressed_file_is_recognized_by_its_content(tmp_path: Path, compress: Any) -> None:
    compressed = tmp_path / "logs.json"
    compressed.write_bytes(compress(json.dumps(TALK).encode()))
    assert spoken(compressed) == [SPOKEN]
    assert identifiers(compressed) == ["logs"]
    assert spoken(gzip.compress(compressed.read_bytes())) == [SPOKEN]


def test_archive_of_an_export_is_read() -> None:
    chat = json.dumps([{"id": "a", "messages": TALK}])
    ignored: list[str] = []
    packed = zipped(conversations__json=chat, user__json='{"id": "me"}', chat__html="<p>")
    found = list(Containers(ignored.append).read(packed))
    assert [each.file.name for each in found] == ["conversations.json"]
    assert ignored == ["user.json", "chat.html"]
    assert identifiers(packed) == ["a"]


def test_archive_of_logs_is_read() -> None:
    packed = zipped(
        one__json=json.dumps(TALK), two__jsonl=json_lines({"id": "b", "messages": TALK})
    )
    assert identifiers(packed) == ["one", "b"]


def test_folder_is_read_with_its_folders(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    written(tmp_path / "b.json", json.dumps(TALK))
    written(tmp_path / "inner" / "a.jsonl.gz", "")
    (tmp_path / "inner" / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(TALK).encode()))
    written(tmp_path / "notes.md", "hi")
    ignored: list[str] = []
    list(Containers(ignored.append).read(tmp_path))
    assert ignored == ["notes.md"]
    assert identifiers(tmp_path) == ["b", "inner/a"]


@pytest.mark.parametrize("text", [json.dumps(TALK), json_lines(*TALK)])
def test_files_of_the_same_name_are_conversations_of_their_own(tmp_path: Path, text: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written(tmp_path / name / "messages.json", text)
    packed = zipped(**{"a/messages__json": text, "b/messages__json": text})
    for source in (tmp_path, packed):
        assert spoken(source) == [SPOKEN, SPOKEN]
        assert identifiers(source) == ["a/messages", "b/messages"]


def test_broken_file_of_a_folder_hides_no_other(tmp_path: Path) -> None:
    written(tmp_path / "a.json", "{")
    written(tmp_path / "b.json", json.dumps(TALK))
    assert identifiers(tmp_path) == ["b"]
    assert len(errors(tmp_path)) == 1


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = json_lines(*TALK).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert spoken("-") == [SPOKEN]


def test_bytes_and_streams_are_read() -> None:
    data = json.dumps(TALK).encode()
    assert spoken(data) == spoken(io.BytesIO(data)) == spoken(bytearray(data)) == [SPOKEN]


def test_other_source_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a path, bytes"):
        entries(3)


# Tables


ROWS = [
    {"session_id": session, "role": message["role"], "content": message["content"]}
    for session in ("ada", "bob")
    for message in TALK
]


def test_rows_of_sessions_become_conversations() -> None:
    for rows in (ROWS, [ROWS[n] for n in (0, 2, 1, 3)]):  # also if the sessions are mixed
        found = memories(rows)
        assert {name: each.turns for name, each in found.items()} == {"ada": SPOKEN, "bob": SPOKEN}


@pytest.mark.parametrize("held", [2, 3, 4])
def test_many_rows_of_sessions_are_kept_on_disk(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(sessions, "MAX_HELD", held)
    mixed = [ROWS[n] for n in (0, 2, 1, 3)]
    found = memories(json_lines({"model": "m"}, *mixed).encode())
    assert {name: each.turns for name, each in found.items()} == {"ada": SPOKEN, "bob": SPOKEN}
    assert [each.variables for each in found.values()] == [{"model": "m"}] * 2


def test_error_of_the_temporary_file_of_sessions_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sessions, "MAX_HELD", 2)
    rows = json_lines(*({**row, "content": "x" * 2_000_000} for row in ROWS))
    (tmp_path / "rows.jsonl").write_text(rows)
    with (
        file_size_limit(0),
        pytest.raises(
            OSError, match=r"^a temporary file cannot be written: .*; choose .*\$TMPDIR$"
        ),
    ):
        check(tmp_path / "rows.jsonl", Rules())


@pytest.mark.parametrize("held", [2, 99])
@pytest.mark.parametrize("odd", [["a"], {"a": 1}, 1.5, None, True, 10**30, "\ud800"])
def test_session_of_any_type_is_a_session(
    monkeypatch: pytest.MonkeyPatch, odd: Any, held: int
) -> None:
    monkeypatch.setattr(sessions, "MAX_HELD", held)
    rows = json_lines(*ROWS, *({**row, "session_id": odd} for row in ROWS[:2]))
    assert spoken(rows.encode()) == [SPOKEN] * 3


@pytest.mark.parametrize(
    ("ada", "bob"), [(1.0, 2.0), (UUID(int=1), UUID(int=2)), (Decimal(1), Decimal(2))]
)
def test_sessions_of_a_frame_have_the_types_of_its_columns(ada: Any, bob: Any) -> None:
    rows = [{**row, "session_id": {"ada": ada, "bob": bob}[row["session_id"]]} for row in ROWS]
    found = memories(pd.DataFrame([*rows, {**HI, "session_id": None}]))
    assert [*found][:2] == [str(each).removesuffix(".0") for each in (ada, bob)]
    assert [each.turns for each in found.values()] == [SPOKEN, SPOKEN, SPOKEN[:1]]


def test_session_that_has_lost_digits_is_refused() -> None:
    [error] = errors(pd.DataFrame([{**HI, "session_id": float(2**60)}]))
    assert "session_id 1.152921504606847e+18 is a number that has lost digits" in error


def test_conversation_with_a_value_of_another_type_hides_no_other() -> None:
    rows = [{"id": "a", "messages": TALK, "raw": b"\xff"}, {"id": "b", "messages": TALK}]
    checked = check(pd.DataFrame(rows), Rules())
    assert checked.imported == 1
    assert checked.refused == ("data, row 1: variables.raw is bytes, which JSON cannot hold",)


@pytest.mark.parametrize("field", ["session", "conversation", "thread"])
def test_session_that_grows_keeps_its_identifier(field: str) -> None:
    rows = [{**message, field: "ada"} for message in TALK]
    assert identifiers(rows[:1]) == identifiers(rows) == ["ada"]


def test_rows_with_the_newest_first_are_put_in_order() -> None:
    rows = [
        {**message, "session_id": "ada", "created_at": f"2024-05-01T10:00:0{second}Z"}
        for second, message in enumerate(TALK)
    ]
    for source in (rows, rows[::-1]):
        [memory] = memories(source).values()
        assert memory.turns == SPOKEN
        assert memory.times == ["2024-05-01T10:00:00+00:00", "2024-05-01T10:00:01+00:00"]


@pytest.mark.parametrize("name", ["turn", "step", "message_index"])
@pytest.mark.parametrize("number", [int, str, float])
def test_numbered_rows_of_a_session_are_put_in_order(name: str, number: type) -> None:
    rows = [{**row, name: number(place)} for place, row in enumerate(ROWS, start=8)]
    found = memories(json.dumps(rows[::-1]).encode())
    assert {key: each.turns for key, each in found.items()} == {"ada": SPOKEN, "bob": SPOKEN}


def test_rows_with_equal_numbers_keep_their_order() -> None:
    rows = [{**row, "turn": 1} for row in ROWS]
    found = memories(json.dumps(rows).encode())
    assert {key: each.turns for key, each in found.items()} == {"ada": SPOKEN, "bob": SPOKEN}


def test_message_that_is_no_object_breaks_its_session_only() -> None:
    source = json.dumps([*ROWS, "x"]).encode()
    assert len(entries(source)) == 3
    [error] = errors(source)
    assert error.endswith("expected an object with a role, found 'x'")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_of_messages_is_read(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "log.csv"
    frame = pd.DataFrame(ROWS)
    frame["created_at"] = "2024-05-01 10:00:00"
    frame.to_csv(path, index=False, sep=delimiter)
    found = memories(path)
    assert {name: each.turns for name, each in found.items()} == {"ada": SPOKEN, "bob": SPOKEN}
    assert found["ada"].times[0] == "2024-05-01T10:00:00+00:00"


def test_csv_with_python_in_its_cells_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    call = {"id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}}
    messages = [
        {"role": "user", "content": "It's [here]"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    rows = [{"id": "a", "messages": messages, "tags": ["x"], "note": "{'a', print()}"}]
    pd.DataFrame(rows).to_csv(path, index=False)
    [found] = memories(path).values()
    assert found.turns == [("user", "It's [here]"), ("assistant", "")]
    assert found.calls == [("f", {"a": 1}, None)]
    assert found.variables == {"tags": ["x"], "note": "{'a', print()}"}


def test_csv_with_json_in_its_cells_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    content = '{"free": 2}\nand more'
    messages = json.dumps([HI, {"role": "assistant", "content": content}])
    pd.DataFrame([{"id": "a", "messages": messages}]).to_csv(path, index=False)
    assert spoken(path) == [[SPOKEN[0], ("assistant", content)]]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (
            'a,user,hi\na,assistant,"hello\nb,user,hi\n',
            "broken CSV data: unexpected end of data; the messages around it are not imported",
        ),
        ('a,user,"say \\"hi\\""\n', "broken CSV data: ',' expected after '\"'"),
    ],
)
def test_open_quote_of_csv_takes_no_further_rows(rows: str, problem: str) -> None:
    assert errors(f"session_id,role,content\n{rows}".encode()) == [f"data: {problem}"]


def test_repeated_column_is_refused() -> None:
    source = b"session_id,role,content,content\na,user,hi,hello\n"
    assert errors(source) == ["data: two columns are named 'content'"]
    frame = pd.DataFrame([["user", "hi", "hello"]], columns=["role", "content", "content"])
    with pytest.raises(ChatInvalid, match="data: two columns are named 'content'"):
        errors(frame)


def test_text_of_a_message_that_looks_like_json_stays_text() -> None:
    row = {"session_id": "a", "role": "user", "content": '{"free": 2}'}
    assert spoken(pd.DataFrame([row])) == [[("user", '{"free": 2}')]]


@pytest.mark.parametrize("answer", ['{"free": 2}', '{"answer": "x"}', '["a", 1]', '[{"a":1}]'])
def test_structured_answer_of_a_table_stays_text(answer: str) -> None:
    for name in ("response", "answer", "completion"):
        row = {"prompt": "hi", "question": "hi", name: answer}
        assert spoken(pd.DataFrame([row])) == [[SPOKEN[0], ("assistant", answer)]]
    row = {"prompt": "hi", "chosen": "hello", "rejected": answer}
    assert spoken(pd.DataFrame([row])) == [SPOKEN, [SPOKEN[0], ("assistant", answer)]]
    row = {"instruction": "hi", "input": None, "output": answer}
    assert spoken(pd.DataFrame([row])) == [[SPOKEN[0], ("assistant", answer)]]


def test_dates_of_parquet_are_times(tmp_path: Path) -> None:
    rows = [{"role": "user", "content": "?", "created_at": date(2026, 1, day)} for day in (1, 2)]
    pd.DataFrame(rows).to_parquet(tmp_path / "log.parquet")
    found = only(str(tmp_path / "log.parquet"))
    assert found.times == ["2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"]
    assert found.meta == [{}, {}]


def test_parquet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pd.DataFrame([{"id": n, "messages": TALK} for n in range(600)]).to_parquet(path)
    assert identifiers(path) == [str(n) for n in range(600)]
    assert spoken(path)[0] == SPOKEN


def test_files_of_attributes_in_an_archive_of_macos_are_ignored() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("log.json", json.dumps(TALK))
        archive.writestr("__MACOSX/._log.json", b"\0\5\x16\7")
    ignored: list[str] = []
    found = Containers(ignored=ignored.append).read(packed.getvalue())
    assert [each.value for each in found] == TALK
    assert ignored == ["__MACOSX/._log.json"]


def test_missing_values_of_a_frame_are_missing() -> None:
    rows = [
        {"id": "a", "messages": np.array(TALK), "reward": 0.5, "title": None},
        {"id": "b", "messages": np.array(TALK), "reward": np.nan, "title": pd.NA},
    ]
    found = memories(pd.DataFrame(rows))
    assert [each.turns for each in found.values()] == [SPOKEN, SPOKEN]
    assert [each.variables for each in found.values()] == [{"reward": 0.5}, {}]


def test_index_of_a_frame_may_be_the_session() -> None:
    found = memories(pd.DataFrame(ROWS).set_index("session_id"))
    assert {name: each.turns for name, each in found.items()} == {"ada": SPOKEN, "bob": SPOKEN}


def test_polars_frame_is_read() -> None:
    found = memories(pl.DataFrame([{"id": "a", "messages": TALK}, {"id": "b", "messages": TALK}]))
    assert {name: each.turns for name, each in found.items()} == {"a": SPOKEN, "b": SPOKEN}


def test_messages_of_a_frame_are_read() -> None:
    frame = pd.DataFrame(
        [
            {"role": "user", "content": "hi", "tool_calls": np.nan, "at": 1},
            {
                "role": "assistant",
                "content": np.nan,
                "tool_calls": np.array([{"function": {"name": "f", "arguments": "{}"}}]),
                "at": 2,
            },
        ]
    )
    [memory] = memories(frame).values()
    assert memory.calls == [("f", {}, None)]
    assert memory.meta == [{"at": 1}, {"at": 2}]


def test_missing_values_in_messages_of_one_conversation_are_missing(db: Client) -> None:
    call = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    frame = pd.DataFrame(
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "tool_calls": np.array(call)},
            {"role": "assistant", "content": "ho", "name": "bot"},
        ]
    )
    assert db.memories.import_chat("m", frame.to_dict("records")) == 3  # pyright: ignore[reportArgumentType]
    assert [*db.memory("m").log()["text"]] == ["hi", "", "ho"]


# Identifiers


@pytest.mark.parametrize(
    ("fields", "identifier"),
    [
        ({"identifier": "a", "id": "b"}, "a"),
        ({"session_id": "e", "thread_id": "d", "conversation_id": "c"}, "c"),
        ({"thread_id": "d"}, "d"),
        ({"session_id": "e"}, "e"),
        ({"conversationId": "c"}, "c"),
        ({"chat_id": "c"}, "c"),
        ({"uuid": "u"}, "u"),
        ({"id": 7}, "7"),
        ({"id": 0}, "0"),
        ({"id": None, "thread_id": "d"}, "d"),
        ({"id": "", "thread_id": "d"}, "d"),
        ({"id": True}, "logs"),
        ({"id": 1.5}, "logs"),
        ({"id": ["a"]}, "logs"),
    ],
)
def test_identifier_is_the_first_that_is_text_or_an_integer(
    logs: Path, fields: dict[str, Any], identifier: str
) -> None:
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
def test_conversation_without_identifier_is_named_like_its_file(
    tmp_path: Path, name: str, identifier: str
) -> None:
    assert identifiers(written(tmp_path / name, json.dumps(TALK))) == [identifier]


def test_content_names_conversations_without_identifiers(logs: Path) -> None:
    first, second = identifiers(written(logs, json_lines(TALK, [HI])))
    assert first != second
    assert first.startswith("logs-")
    newest_first = json_lines([HELLO], [HI], TALK)
    assert identifiers(written(logs, newest_first))[1:] == [second, first]


# Broken files


@pytest.mark.parametrize("broken", ['{"messages": [', "oops", "{'messages': []}", "[" * 100_000])
@pytest.mark.parametrize("line", [1, 2, 17, 20])
def test_broken_line_hides_no_other(logs: Path, broken: str, line: int) -> None:
    lines = [json.dumps({"id": n, "messages": TALK}) for n in range(1, 21)]
    lines[line - 1] = broken
    assert identifiers(written(logs, "\n".join(lines))) == [
        str(n) for n in range(1, 21) if n != line
    ]
    [error] = errors(logs)
    assert f"logs.jsonl, line {line}" in error


@pytest.mark.parametrize("broken", [0, 1])
def test_one_of_two_lines_may_be_broken(logs: Path, broken: int) -> None:
    lines = [json.dumps({"id": "good", "messages": TALK})] * 2
    lines[broken] = lines[broken][:20]
    assert identifiers(written(logs, "\n".join(lines))) == ["good"]
    assert len(errors(logs)) == 1


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (3, "expected a conversation, found 3"),
        ({"id": "x"}, "expected a field with messages"),
        ({"messages": "hi"}, "expected messages to be a list, found 'hi'"),
        ({"messages": [HI, "hello"]}, "message 2: expected an object with a role, found 'hello'"),
        ({"a": TALK, "b": TALK}, "expected one field with messages, found 'a, b'"),
        ({"a": [HI, {"content": "hello"}]}, "expected a field with messages"),
        (HI, "expected a field with messages"),
    ],
)
def test_invalid_conversation_is_named(logs: Path, value: Any, problem: str) -> None:
    path = written(logs, json_lines(TALK, value, TALK[::-1]))
    [error] = errors(path)
    assert error.startswith(f"logs.jsonl, line 2: {problem}")
    assert len([each for each in entries(path) if isinstance(each, Log)]) >= 2


def test_invalid_conversation_of_a_list_is_named(logs: Path) -> None:
    [error] = errors(written(logs, json.dumps([TALK, {"id": 1}, TALK])))
    assert error.startswith("logs.jsonl, conversation 2: expected a field with messages")


def test_broken_message_breaks_its_conversation(logs: Path) -> None:
    text = json_lines(HI, HELLO) + '{"role": "user", "content": "hi\n' + json_lines(HELLO)
    [error] = entries(written(logs, text))
    assert str(error).startswith("logs.jsonl, line 3, column 29: not JSON: ")
    assert "\n" not in str(error)


@pytest.mark.parametrize("keep", range(1, 28))
def test_document_that_is_cut_off_loses_only_its_end(tmp_path: Path, keep: int) -> None:
    text = json.dumps([{"id": n, "messages": TALK} for n in range(2)], indent=1)
    lines = text.split("\n")[:keep]
    path = written(tmp_path / "logs.json", "\n".join(lines))
    [error] = errors(path)
    assert error.startswith(f"logs.json, line {keep}, column ")
    # without what follows it, a conversation may be incomplete, too
    complete = sum(line == " }," for line in lines)
    assert spoken_of_valid(path) == [SPOKEN] * complete


def spoken_of_valid(path: Path) -> list[list[tuple[str, str]]]:
    logs = [entry for entry in entries(path) if isinstance(entry, Log)]
    return [
        [(message.role, str(message.blocks[0]["text"])) for message in log.conversation.messages]  # pyright: ignore
        for log in logs
    ]


def test_messages_of_a_list_that_is_cut_off_are_no_conversation(tmp_path: Path) -> None:
    [error] = entries(written(tmp_path / "logs.json", json.dumps(TALK, indent=1)[:-1]))
    assert isinstance(error, ChatInvalid)


def test_missing_comma_is_named(tmp_path: Path) -> None:
    items = "".join(json_lines({"id": n, "messages": TALK}) for n in range(3))
    [error] = errors(written(tmp_path / "logs.json", f"[\n{items}]"))
    assert error.startswith("logs.json, line 3, column 1: not JSON: Expecting ',")


def test_malformed_json_is_rejected_with_line_and_column(tmp_path: Path) -> None:
    text = '{"messages": [\n  {"role": "user",\n   "content": hi}\n]}'
    [error] = errors(written(tmp_path / "logs.json", text))
    assert error.startswith("logs.json, line 3, column 15: not JSON: Expecting")


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
        (b"[" + b" " * 100_000 + b"\xff", "not UTF-8 (at byte 100001)"),
        (gzip.compress(b"[]", mtime=0)[:-9], "broken gzip data"),
        (b"\x1f\x8b", "broken gzip data"),
        (b"\x1f\x8b and so on", "broken gzip data"),
        (b"\x28\xb5\x2f\xfd and so on", "broken zstd data"),
        (b"\xfd7zXZ\x00 and so on", "broken xz data"),
        (b"BZh and so on", "broken bzip2 data"),
        (b"PK\x03\x04 and so on", "broken ZIP data"),
        (b"PAR1 and so on", "broken Parquet data"),
        (zipped(notes__md="hi"), "an archive without files of chat logs"),
        (b"[" * 100_000, "line 1: JSON that cannot be read: "),
        (b"9" * 5_000, "line 1: JSON that cannot be read: "),
        (b"NULL", "line 1, column 1: not JSON"),
        (b"dear, diary\nit was\n" * 50, "expected a field with messages"),
        (b"dear diary\nit was\n" * 50, "line 1, column 1: not JSON"),
    ],
)
def test_unreadable_file_is_refused_in_one_line(logs: Path, data: bytes, problem: str) -> None:
    logs.write_bytes(data)
    [error] = errors(logs)
    assert error.startswith("logs.jsonl")
    assert problem in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("name", "problem"),
    [("missing.json", "cannot be read: "), ("a\0b", "cannot be read: "), (".", "a folder without")],
)
def test_file_that_cannot_be_opened_is_named(tmp_path: Path, name: str, problem: str) -> None:
    path = tmp_path / name
    [error] = errors(path)
    assert error.startswith(path.name if path.name.isprintable() else "'a\\x00b'")
    assert problem in error


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipe_or_device_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "pipe" if kind == "pipe" else Path("/dev/zero")
    if kind == "pipe":
        os.mkfifo(path)
    [error] = errors(path)
    assert "not a regular file" in error
    with pytest.raises(OSError, match="not a regular file"):
        next(lines(path))


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_document_and_archive_are_unpacked_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch, compress: Any
) -> None:
    monkeypatch.setattr(scanner, "MAX_DOCUMENT", 3_000_000)
    [error] = errors(compress(b'{"a": "' + b"x" * 4_000_000))
    assert "a document larger than 3,000,000 characters" in error
    monkeypatch.setattr(unpack, "MAX_SENT", 3_000_000)
    archive = zipped(log__json=json.dumps(TALK))
    assert errors(compress(archive)) == []
    if compress is gzip.compress:
        [error] = errors(compress(archive.ljust(3_000_001)))
        assert error == "data: an archive larger than 3,000,000 bytes in another file"


def test_line_break_in_a_file_name_leaves_the_error_in_one_line(tmp_path: Path) -> None:
    [error] = errors(written(tmp_path / "a\nb.json", "oops"))
    assert "\n" not in error


def test_memory_does_not_grow_with_the_file() -> None:
    line = json.dumps({"id": "a", "messages": TALK}).encode() + b"\n"

    class Endless(io.RawIOBase):
        read_bytes = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            whole = len(buffer) // len(line)
            buffer[: whole * len(line)] = line * whole
            self.read_bytes += len(buffer)
            return whole * len(line)

    endless = Endless()
    found = Containers().read(endless)
    for _ in range(20_000):
        next(found)
    assert endless.read_bytes < 20_000 * len(line) + 4 * CHUNK


def test_document_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "MAX_DOCUMENT", 100_000)
    [error] = errors(b'{"messages": [' + b'{"role": "user", "content": "hi"},' * 10_000)
    assert "a document larger than 100,000 characters" in error


# Arbitrary documents

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "messages", "id", "x"]), values, max_size=3)
    ),
    max_leaves=12,
)


@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_line(data: bytes) -> None:
    assert all(line.startswith("data") and "\n" not in line for line in errors(data))


@given(documents=st.lists(JSON, min_size=1, max_size=4))
def test_any_json_is_read_or_refused_in_one_line(documents: list[Any]) -> None:
    for text in (json_lines(*documents), json.dumps(documents, indent=1)):
        for line in errors(text.encode()):
            assert line.startswith("data")
            assert "\n" not in line


@given(documents=st.lists(JSON, min_size=1, max_size=4), size=st.integers(1, 40))
def test_documents_are_read_in_chunks_of_any_size(documents: list[Any], size: int) -> None:
    def values(text: str) -> Iterator[Any]:
        for found in Containers().read(text.encode()):
            yield repr(found.value)

    wrapped = [{"value": document} for document in documents]
    for text in (json_lines(*wrapped), json.dumps(wrapped, indent=1)):
        with pytest.MonkeyPatch.context() as patch:
            for module in (containers, scanner):
                patch.setattr(module, "CHUNK", size)
            assert list(values(text)) == [repr(json.loads(json.dumps(each))) for each in wrapped]


@given(
    talks=st.lists(
        st.lists(st.text(max_size=9), min_size=1, max_size=3), min_size=2, max_size=6, unique_by=str
    ),
    data=st.data(),
)
def test_other_lines_are_read_whatever_line_is_broken(
    talks: list[list[str]], data: st.DataObject
) -> None:
    conversations = [[{"role": "user", "content": text} for text in talk] for talk in talks]
    lines = [json.dumps(conversation) for conversation in conversations]
    # the first line may be the beginning of a document of several lines
    broken = data.draw(st.integers(1, len(lines) - 1))
    lines[broken] = lines[broken][: data.draw(st.integers(2, len(lines[broken]) - 1))]
    found = entries("\n".join(lines).encode())
    talks.pop(broken)
    assert [
        [message.blocks[0]["text"] for message in item.conversation.messages]  # pyright: ignore
        for item in found
        if isinstance(item, Log)
    ] == talks
    assert any(isinstance(item, ChatInvalid) for item in found)


# The sample conversations


def test_every_line_of_the_samples_is_a_conversation() -> None:
    path = samples.support()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert path.stat().st_size < 200_000
    assert errors(path) == []
    assert identifiers(path) == [line["id"] for line in lines]
    assert places(path) == [f"support.jsonl, line {n}" for n in range(1, len(lines) + 1)]


@pytest.mark.parametrize(
    "text",
    [
        'role,content\nuser,"{}"\n',
        '{{"messages": [{{"role": "user", "content": "{}"}}]}}\n',
        'data: {{"messages": [{{"role": "user", "content": "{}"}}]}}\n',
    ],
)
def test_long_line_is_not_searched_again_after_each_chunk(text: str) -> None:
    pieces: list[int] = []
    read = scanner.Text.read

    def counted(self: scanner.Text, size: int) -> str:
        pieces.append(size)
        return read(self, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanner.Text, "read", counted)
        (log,) = memories(text.format("x" * (64 * CHUNK)).encode()).values()
    assert [len(said) for _, said in log.turns] == [64 * CHUNK]
    assert len(pieces) < 16
