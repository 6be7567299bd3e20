"""Import of chat logs, with both clients."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from draive_pg import ChatImport, ChatInvalid, Client, MemoryExists
from tests.elements import asked, texts

CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
]


def test_imported_chat_can_be_recalled(db: Client) -> None:
    assert db.memories.import_chat("chat", iter(CHAT)) == 2
    recalled = db.memory("chat").recall()
    assert texts(recalled.context) == ["Hi", "Hello"]
    assert recalled.variables == {"system": "Be kind."}


def test_second_import_of_chat_is_rejected(db: Client) -> None:
    db.memories.import_chat("chat", CHAT)
    with pytest.raises(MemoryExists, match="'chat': it already has elements"):
        db.memories.import_chat("chat", CHAT)
    assert len(db.memory("chat").log()) == 2
    assert len(db.frames.variables()) == 1


def test_chat_is_appended_on_request(db: Client) -> None:
    db.memories.import_chat("chat", CHAT)
    assert db.memories.import_chat("chat", CHAT, append=True) == 2
    assert texts(db.memory("chat").recall().context) == ["Hi", "Hello"] * 2


def test_import_into_memory_without_elements_succeeds(db: Client) -> None:
    db.memory("chat").maintenance(variables={"a": 1})
    assert db.memories.import_chat("chat", CHAT) == 2
    assert db.memory("chat").recall().variables == {"system": "Be kind."}


def test_concurrent_imports_one_wins(db: Client, sql: psycopg.Connection) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def write(dsn: str) -> int:
        with Client(dsn) as own:
            try:
                return own.memories.import_chat("chat", CHAT)
            except MemoryExists:
                return 0

    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(write, [sql.info.dsn] * 6))
    assert sorted(counts) == [0] * 5 + [2]
    assert len(db.memory("chat").log()) == 2


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"role": "poet", "content": "x"}, "message 4"),
        ({"role": "user", "content": "a\0b"}, r"^message 4 \(user\)\.blocks.*a NUL character"),
        ({"role": "user", "content": "\ud800"}, r"^message 4 \(user\).*a lone surrogate"),
        ({"role": "tool", "tool_call_id": "x", "content": "y"}, r"^message 4 \(tool\)"),
        (
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c", "function": {"name": "f", "arguments": '{"a": "\\u0000"}'}}
                ],
            },
            r"^message 4 \(assistant\)\.blocks.*arguments\.a contains a NUL",
        ),
    ],
)
def test_invalid_chat_is_rejected_and_not_written(
    db: Client, message: dict[str, object], says: str
) -> None:
    with pytest.raises(ChatInvalid, match=says):
        db.memories.import_chat("chat", [*CHAT, message])
    assert db.memories.identifiers() == ()


@pytest.mark.parametrize("depth", [300, 1_000, 5_000, 10_000, 100_000])
def test_arguments_nested_too_deep_are_refused(db: Client, depth: int) -> None:
    function = {"name": "f", "arguments": f'{{"a": {"[" * depth}{"]" * depth}}}'}
    message = {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}
    with pytest.raises(ChatInvalid, match=r"^message 4 \(assistant\)[^\n]*$"):
        db.memories.import_chat("chat", [*CHAT, message])
    assert db.memories.identifiers() == ()


def test_empty_chat_is_rejected(db: Client) -> None:
    with pytest.raises(ChatInvalid, match="no messages"):
        db.memories.import_chat("chat", [])
    db.memory("other").remember(asked("q"))
    assert db.memories.identifiers() == ("other",)


# --- Logs of other tools


LOG = [
    {
        "id": "a",
        "title": "Bikes",
        "messages": [
            {"role": "user", "content": "Hi", "created_at": "2024-05-01T10:00:00Z"},
            {"role": "assistant", "content": "Hello", "created_at": "2024-05-01T10:00:07Z"},
        ],
    },
    {"id": "b", "messages": CHAT},
]
BYE = {"role": "user", "content": "Bye", "created_at": "2024-05-01T10:00:09Z"}


def grown(conversation: dict[str, Any], *messages: dict[str, Any]) -> dict[str, Any]:
    return {**conversation, "messages": [*conversation["messages"], *messages]}


def test_logs_become_memories_with_their_times_and_variables(db: Client) -> None:
    done = db.memories.import_chats(LOG)
    assert done == ChatImport(2, 0, 0, 4, (), (), {}, 1)
    assert db.memory("a").recall().variables == {"title": "Bikes"}
    created = db.memory("a").log().created
    assert [time.isoformat() for time in created] == [
        "2024-05-01T10:00:00+00:00",
        "2024-05-01T10:00:07+00:00",
    ]
    assert db.memory("b").recall().variables == {"system": "Be kind."}


@pytest.mark.parametrize("of", ["chats", "memories"])
def test_import_does_not_read_all_memories_for_each_element(
    db: Client, sql: psycopg.Connection, tmp_path: Path, of: str
) -> None:
    """PostgreSQL plans the check of a foreign key for the memories that there are at first."""
    path = tmp_path / "memories.jsonl"
    db.memories.import_chats(LOG)
    db.memories.export_memories(path)
    sql.execute("DELETE FROM memories")
    sql.execute("INSERT INTO memories (identifier) SELECT 'm' || n FROM generate_series(1, 200) n")
    sql.execute("ANALYZE memories")
    with db.transaction():
        if of == "chats":
            db.memories.import_chats(LOG)
        else:
            db.memories.import_memories(path)
        [read] = db.sql(
            "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'memories'"
        ).seq_tup_read
    assert read == 0


def test_importing_logs_again_adds_nothing(db: Client) -> None:
    db.memories.import_chats(LOG)
    before = db.frames.conversation_log()
    assert db.memories.import_chats(LOG) == ChatImport(0, 0, 2, 0, (), (), {}, 1)
    assert db.frames.conversation_log().equals(before)
    assert len(db.frames.variables()) == 2


@pytest.mark.parametrize(
    "empty", [{"id": "e", "messages": []}, {"id": "e", "title": "New chat", "mapping": {}}]
)
def test_conversation_without_messages_is_reported(db: Client, empty: dict[str, Any]) -> None:
    done = db.memories.import_chats([LOG[0], empty])
    assert (done.imported, done.refused) == (1, ())
    assert done.ignored == {"conversations without messages": 1}


def test_times_that_descend_are_reported(db: Client) -> None:
    times = ("2026-01-01T10:00:05Z", "2026-01-01T10:00:03Z", "2026-01-01T10:00:09Z")
    messages = [{"role": "user", "content": each, "created_at": each} for each in times]
    done = db.memories.import_chats([{"id": "a", "messages": messages}])
    assert done.ignored == {"times before those of earlier messages": 1}
    assert list(db.memory("a").log().text) == list(times)
    assert db.memories.import_chats([{"id": "b", "messages": messages[1:]}]).ignored == {}


def test_conversation_without_elements_is_imported_once(db: Client) -> None:
    log = [{"id": "a", "messages": [{"role": "system", "content": "Be brief."}]}]
    assert db.memories.import_chats(log).imported == 1
    again = db.memories.import_chats(log)
    assert (again.imported, again.unchanged) == (0, 1)


def test_grown_log_adds_its_new_messages(db: Client) -> None:
    db.memories.import_chats(LOG)
    changed = {**grown(LOG[0], BYE), "title": "Red bikes"}
    assert db.memories.import_chats([changed, LOG[1]]) == ChatImport(0, 1, 1, 1, (), (), {}, 1)
    recalled = db.memory("a").recall()
    assert texts(recalled.context) == ["Hi", "Hello", "Bye"]
    assert recalled.variables == {"title": "Red bikes"}
    # the earlier log is the beginning of what is there
    assert db.memories.import_chats(LOG).unchanged == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "Red bikes"},
        {"tools": []},
        {"system": "Be brief."},
    ],
)
def test_changed_variables_of_equal_messages_are_added(db: Client, changed: dict[str, Any]) -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("search", "buy")]
    before = {**LOG[0], "system": "Be kind.", "tools": tools}
    after = {**before, **({"tools": tools[1:]} if "tools" in changed else changed)}
    db.memories.import_chats([before])
    assert db.memories.import_chats([after]) == ChatImport(0, 1, 0, 0, (), (), {})
    now = {name: after[name] for name in ("title", "system", "tools")}
    assert db.memory("a").recall().variables == now
    db.memories.import_chats([grown(after, BYE)])
    # logs from before the change are the beginning of what is there
    for known in (after, before, grown(after, BYE)):
        assert db.memories.import_chats([known]) == ChatImport(0, 0, 1, 0, (), (), {})
    assert db.memory("a").recall().variables == now
    assert [each["role"] for each in db.memory("a").chat()][-1] == "user"


def test_changed_variables_before_the_end_are_reported(db: Client) -> None:
    db.memories.import_chats([{"id": "a", "messages": [*CHAT, BYE]}])
    shorter = {"id": "a", "messages": [{"role": "system", "content": "Be brief."}, *CHAT[1:]]}
    done = db.memories.import_chats([shorter])
    assert (done.unchanged, done.ignored) == (1, {"earlier variables": 1})
    assert db.memory("a").recall().variables == {"system": "Be kind."}


def test_variables_that_were_set_after_an_import_stay(db: Client) -> None:
    db.memories.import_chats(LOG)
    db.memory("a").remember(variables={"title": "Closed"})
    assert db.memories.import_chats(LOG).unchanged == 2
    assert db.memory("a").recall().variables == {"title": "Closed"}


def test_grown_log_without_times_keeps_its_order(db: Client) -> None:
    db.memories.import_chats([LOG[1]])
    later = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Bye"}]
    db.memories.import_chats([grown(LOG[1], *later)])
    recalled = db.memory("b").recall()
    assert texts(recalled.context) == ["Hi", "Hello", "Bye"]
    assert recalled.variables == {"system": "Be kind.\n\nBe brief."}
    assert len(db.frames.variables()) == 2


def test_changed_log_is_a_conflict(db: Client) -> None:
    db.memories.import_chats(LOG)
    changed = {"id": "a", "messages": [{"role": "user", "content": "Hi!"}, *CHAT]}
    done = db.memories.import_chats([changed, {"id": "c", "messages": CHAT}])
    assert (done.imported, done.unchanged) == (1, 0)
    [problem] = done.refused
    assert problem.startswith("data, conversation 1: memory 'a' has other elements")
    assert texts(db.memory("a").recall().context) == ["Hi", "Hello"]


def test_growing_log_of_requests_becomes_one_memory(db: Client) -> None:
    requests = [{"id": "a", "messages": CHAT[: length + 1]} for length in range(1, len(CHAT))]
    assert db.memories.import_chats(requests).elements == 2
    assert texts(db.memory("a").recall().context) == ["Hi", "Hello"]


def test_system_message_in_the_middle_becomes_a_snapshot_at_its_place(db: Client) -> None:
    french = {"role": "system", "content": "French."}
    db.memories.import_chats([{"id": "a", "messages": [*CHAT, french, BYE]}])
    variables = db.frames.variables("a")
    assert [each["system"] for each in variables.variables] == ["Be kind.", "Be kind.\n\nFrench."]
    first, second = variables.created
    hi, _, bye = db.memory("a").log().created
    assert first <= hi
    assert second == bye


def test_malformed_messages_are_refused_left_out_or_repaired(db: Client) -> None:
    log = [{"id": "x", "messages": [*CHAT, {"role": "user", "content": "a\0b"}]}, LOG[0]]
    done = db.memories.import_chats(log)
    assert (done.imported, len(done.refused)) == (1, 1)
    assert "NUL" in done.refused[0]
    done = db.memories.import_chats(log, on_error="skip")
    assert (done.imported, done.unchanged, done.refused) == (1, 1, ())
    assert texts(db.memory("x").recall().context) == ["Hi", "Hello"]
    done = db.memories.import_chats(log, on_error="repair")
    assert texts(db.memory("x").recall().context) == ["Hi", "Hello", "a\ufffdb"]
    assert done.repaired == (
        "data, conversation 1: message 4 (user): a NUL character or a lone surrogate; "
        "replaced by U+FFFD",
    )


def test_dry_run_of_an_import_writes_nothing(db: Client, tmp_path: Path) -> None:
    path = tmp_path / "logs.json"
    path.write_text(json.dumps(LOG))
    assert db.memories.import_chats(path, dry_run=True) == ChatImport(2, 0, 0, 4, (), (), {}, 1)
    assert db.memories.identifiers() == ()


def test_logs_are_appended_on_request(db: Client) -> None:
    db.memories.import_chats(LOG)
    db.memories.import_chats(LOG, append=True)
    assert texts(db.memory("a").recall().context) == ["Hi", "Hello"] * 2


def test_several_files_are_imported_with_a_prefix(db: Client, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.json").write_text(json.dumps(CHAT))
    db.memories.import_chats([tmp_path / "a.json", str(tmp_path / "b.json")], prefix="p/")
    assert db.memories.identifiers() == ("p/a", "p/b")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"on_error": "ignore"}, "on_error must be 'refuse', 'skip' or 'repair'"),
        ({"branches": "none"}, "branches must be 'active' or 'all'"),
        ({"prefix": None}, "prefix must be a str"),
        ({"variables": [1]}, "variables must be a str"),
    ],
)
def test_invalid_options_of_an_import_are_refused(
    db: Client, options: dict[str, Any], says: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        db.memories.import_chats(LOG, **options)


def test_identifier_that_is_too_long_is_refused(db: Client) -> None:
    done = db.memories.import_chats([{"id": "x" * 3000, "messages": CHAT}, *LOG])
    assert done.imported == 2
    assert "is longer than 2600 bytes" in done.refused[0]


def test_many_conversations_are_imported_in_few_round_trips(db: Client) -> None:
    log = ({"id": str(n), "messages": CHAT} for n in range(1000))
    assert db.memories.import_chats(log).elements == 2000
