"""Analysis of imported logs whose messages have no times."""

import warnings
from pathlib import Path

import pytest

from draive_pg import Client, TimesMissing
from tests.cli_runner import Shell

CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "Error: none"},
    {"role": "assistant", "content": "Hello"},
]
TIMES = [f"2024-05-01T10:00:0{second}Z" for second in range(5)]
TIMED = [{**each, "created_at": time} for each, time in zip(MESSAGES, TIMES, strict=True)]


def test_seconds_of_messages_without_times_are_missing(db: Client) -> None:
    db.memories.import_chats([{"id": "a", "messages": MESSAGES}, {"id": "b", "messages": TIMED}])
    with pytest.warns(TimesMissing, match="4 of 8 elements") as warned:
        turns = db.analysis.turns().set_index("identifier")
    assert len(warned) == 1
    assert turns.seconds.isna().to_dict() == {"a": True, "b": False}
    assert turns.seconds["b"] == 3
    assert db.frames.sessions().seconds.fillna(-1).tolist() == [-1, 3]
    assert db.frames.tool_calls().seconds.fillna(-1).tolist() == [-1, 1]
    assert db.analysis.tools().seconds_median.tolist() == [1]


def test_activity_leaves_out_elements_without_any_time(db: Client) -> None:
    db.memories.import_chats([{"id": "a", "messages": MESSAGES}, {"id": "b", "messages": TIMED}])
    with pytest.warns(TimesMissing, match="4 of 8 elements"):
        activity = db.analysis.activity()
    assert activity.elements.tolist() == [4]
    assert f"{activity.start[0]:%Y-%m-%d}" == "2024-05-01"


def test_conversations_without_times_follow_each_other_in_the_order_of_the_log(db: Client) -> None:
    identifiers = ["c", "a", "d", "b"]
    db.memories.import_chats([{"id": each, "messages": MESSAGES * 20} for each in identifiers])
    log = db.frames.conversation_log().sort_values("created", kind="stable")
    assert log.created.is_unique
    assert log.identifier.tolist() == [each for each in identifiers for _ in range(80)]


def test_time_of_the_conversation_counts_for_activity(db: Client) -> None:
    db.memories.import_chats([{"id": "a", "created_at": TIMES[0], "messages": MESSAGES}])
    assert db.analysis.activity().elements.tolist() == [4]
    with pytest.warns(TimesMissing):
        assert db.analysis.turns().seconds.isna().all()


def test_no_warning_if_all_messages_have_times(db: Client) -> None:
    db.memories.import_chats([{"id": "b", "messages": TIMED}])
    with warnings.catch_warnings(action="error"):
        assert db.analysis.turns().seconds.tolist() == [3]


def test_transcript_shows_no_time_of_a_message_without_one(db: Client) -> None:
    timed = [*MESSAGES[:2], TIMED[4]]
    db.memories.import_chats([{"id": "a", "messages": MESSAGES}, {"id": "b", "messages": timed}])
    shown = db.memory("a").show()
    assert {entry.created for entry in shown.entries} == {None}
    assert "untimed" not in f"{shown}{shown.to_html()}"
    assert "UTC" not in f"{shown}"
    before, own = db.memory("b").show().entries
    assert (before.meta, own.meta, f"{own.created:%H:%M:%S}") == ({}, {}, "10:00:04")


def test_live_instructions_are_those_of_the_time_of_a_message(db: Client) -> None:
    db.instructions.define("greeting", content="Hi")
    later = [{**each, "created_at": "2150-01-01T00:00:00Z"} for each in MESSAGES]
    logs = {"a": MESSAGES, "b": TIMED, "c": later}
    db.memories.import_chats([{"id": key, "messages": each} for key, each in logs.items()])
    with pytest.warns(TimesMissing, match="4 of 12 elements"):
        live = db.analysis.live_instructions("greeting")
    revisions = live.groupby("identifier").revision.max()
    assert revisions.fillna(-1).to_dict() == {"a": -1, "b": -1, "c": 1}


def test_conversations_are_compared_by_a_variable(db: Client) -> None:
    other = [{**TIMED[0], "content": "Be kind."}, *TIMED[1:2], TIMED[4]]
    logs = {"a": TIMED, "b": TIMED, "c": other, "d": TIMED[1:2]}
    db.memories.import_chats([{"id": key, "messages": each} for key, each in logs.items()])
    found = db.analysis.by_variable("system")
    assert found.columns.tolist() == [
        *("value", "memories", "turns", "elements", "tool_calls", "failures", "seconds_median"),
    ]
    assert found.head(1).value.tolist() == ["Be brief."]
    rows = {row.value: tuple(row)[2:-1] for row in found.itertuples()}
    assert rows == {
        "Be brief.": (2, 2, 8, 2, 2),
        "Be kind.": (1, 1, 2, 0, 0),
        None: (1, 1, 1, 0, 0),
    }
    assert len(db.analysis.by_variable("system", identifier="none")) == 0


def test_import_command_says_that_times_are_missing(shell: Shell, dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "log.json"
    file.write_text('[{"role": "user", "content": "Hi"}]')
    done = shell("import", "chats", file, "--dsn", dsn)
    assert "Messages without times: in 1 of them" in done.out


def test_export_and_old_commands(shell: Shell, dsn: str, tmp_path: Path) -> None:
    file, out = tmp_path / "log.json", tmp_path / "out.jsonl"
    file.write_text('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]')
    done = shell("import", "chat", file, "--dsn", dsn)
    assert "write draive-pg import chats" in done.err
    done = shell("export", "chats", out, "--dsn", dsn)
    assert done.out.startswith("Exported 1 conversation (2 messages)")
    assert out.read_text().startswith('{"messages": [{"role": "user", "content": "Hi"}')
    done = shell("memories", "export", out, "--dsn", dsn)
    assert (done.code, "write draive-pg export memories" in done.err) == (0, True)
    done = shell("import", "chats", out, "--dsn", dsn)
    assert "draive-pg import memories" in done.err
    done = shell("import", "memories", file, "--dsn", dsn)
    assert "draive-pg import chats" in done.err
    done = shell("import", file, "--dsn", dsn)
    assert f"write draive-pg import chats {file}" in done.err
