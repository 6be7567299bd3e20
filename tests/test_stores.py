"""Conversations of each line of draive, in rows that draive's own adapters wrote.

``data/draive_*.sql`` has the tables of a release and one conversation of two exchanges, written by
the adapters of that release with asyncpg: reasoning, a tool call, its answer, and a failed call.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from draive import ModelInput, ModelOutput, ModelToolResponse, MultimodalContent

from draive_pg import (
    Client,
    MemoryExists,
    MemoryMissing,
    SchemaInvalid,
    StoredDataSkipped,
    TableMissing,
)
from draive_pg.codec.elements import HANDLINGS
from draive_pg.lines.line import LINE_118
from draive_pg.operations.conversations.relations import CONVERSATIONS, ELEMENTS, WRITES, relations
from draive_pg.operations.operation import Statement
from tests.cli_runner import Shell
from tests.conftest import Connect
from tests.elements import answered, asked, called
from tests.schema import set_up
from tests.statements import sent

DATA = Path(__file__).parent / "data"
THREAD = "a0000000-0000-0000-0000-000000000001"
AGENT = f"agent://counter#{THREAD}"

# The releases, the line that is detected, and the identifiers of the conversations.
RELEASES: Mapping[str, tuple[str, list[str]]] = {
    "0_89_5": ("0.89", ["visit"]),
    "0_92_1": ("0.92", ["visit"]),
    "0_99_1": ("0.99", [THREAD]),
    "0_103_0": ("0.103", [THREAD]),
    "0_118_0": ("0.118", [THREAD, AGENT]),
}
ROLES = ["input", "output", "input", "output"] * 2
TEXTS = ["How many?", "", "", "It is 42.", "And now?", "", "", "I cannot say."]


@pytest.fixture
def recorded(empty_dsn: str) -> Callable[[str], str]:
    """Load the recorded tables of a release into a database, and return its DSN."""

    def load(release: str) -> str:
        with psycopg.connect(empty_dsn, autocommit=True) as connection:
            connection.execute((DATA / f"draive_{release}.sql").read_bytes())
        return empty_dsn

    return load


@pytest.mark.parametrize("release", RELEASES)
def test_conversations_of_every_line_are_read(
    connect: Connect, recorded: Callable[[str], str], release: str
) -> None:
    _, identifiers = RELEASES[release]
    db = connect(recorded(release))
    assert list(db.memories.identifiers()) == identifiers
    assert db.memories.count() == len(identifiers)
    for identifier in identifiers:
        log = db.frames.conversation_log(identifier)
        assert log.role.tolist() == ROLES
        assert log.text.tolist() == TEXTS
        assert log.position.tolist() == list(range(8))
        assert log.reasoning[1] == "think"
        assert [*log.tools] == [(), ("check",), ("check",), ()] * 2
        calls = db.frames.tool_calls(identifier)
        assert calls.call.tolist() == ["call_1", "call_2"]
        assert calls.arguments.tolist() == [{"n": 1, "share": 0.5}, {"n": 2}]
        assert calls.response.tolist() == ["42", "down"]
        assert calls.handling.tolist() == ["response", "error"]
        assert (calls.seconds >= 0).all()
        sessions = db.frames.sessions(identifier)
        assert sessions[["elements", "turns", "tool_calls"]].values.tolist() == [[8, 2, 2]]
        (summary,) = db.memories.list(prefix=identifier)[:1]
        assert (summary.identifier, summary.elements) == (identifier, 8)
        shown = str(db.memory(identifier).show())
        assert "It is 42." in shown
        assert "think" in shown
    whole = db.frames.conversation_log()
    assert whole.text.tolist() == TEXTS * len(identifiers)
    assert whole.equals(db.frames.conversation_log(identifiers))
    for limit in (1, 8, 9):
        assert db.frames.conversation_log(limit=limit).equals(whole[:limit])
    assert db.frames.sessions(limit=1).equals(db.frames.sessions()[:1])
    outputs = whole[whole.role == "output"].reset_index(drop=True)
    assert db.frames.conversation_log(role="output", limit=5).equals(outputs[:5])
    found = db.memories.search("42", match="substring")
    assert set(found.identifier) == {*identifiers}


def test_limit_of_a_log_skips_threads_of_agents_without_elements(
    connect: Connect, recorded: Callable[[str], str]
) -> None:
    dsn = recorded("0_118_0")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO agent_memory (identifier, agent_uri, thread_id, context, created)"
            " SELECT gen_random_uuid(), 'a', thread_id, '[]', created FROM agent_memory"
        )
    db = connect(dsn)
    assert f"a#{THREAD}" in db.memories.identifiers()
    assert db.frames.conversation_log(limit=8).text.tolist() == TEXTS


@pytest.mark.parametrize("release", RELEASES)
def test_conversations_of_every_line_can_be_exported(
    connect: Connect, recorded: Callable[[str], str], release: str, dsn: str, tmp_path: Path
) -> None:
    line, identifiers = RELEASES[release]
    source = connect(recorded(release))
    done = source.memories.export_memories(tmp_path / "all.jsonl.gz")
    assert (done.memories, done.elements) == (len(identifiers), 8 * len(identifiers))
    target = connect(dsn)
    target.memories.import_memories(tmp_path / "all.jsonl.gz")
    for frame in ("tool_calls", "sessions"):
        assert getattr(source.frames, frame)().equals(getattr(target.frames, frame)()), line


# --- Writing to turns

CHAT = [
    {"role": "user", "content": "Where is my bag?"},
    {
        "role": "assistant",
        "content": "One moment.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"n": 1}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "Gate 4"},
    {"role": "assistant", "content": "At gate 4."},
    {"role": "assistant", "content": "Anything else?"},
    {"role": "user", "content": "No."},
]
MORE = [*CHAT, {"role": "assistant", "content": "Goodbye."}]


@pytest.fixture
def turns(connect: Connect, recorded: Callable[[str], str]) -> Client:
    """A client of the tables of draive 0.118, with a conversation and one of an agent."""
    return connect(recorded("0_118_0"))


def contents(db: Client, identifier: str) -> object:
    """Return everything of a log that does not depend on times."""
    log = db.memory(identifier).log().drop(columns=["identifier", "created"])
    return log.to_dict("records")


# Elements of several blocks, blocks of several parts, and a failed call.
SEVERAL = [
    {"role": "user", "content": [{"type": "text", "text": text} for text in ("Two ", "bags.")]},
    {
        "role": "assistant",
        "reasoning_content": "Look for both.",
        "content": "One moment.",
        "tool_calls": [
            {"id": call, "type": "function", "function": {"name": tool, "arguments": "{}"}}
            for call, tool in (("c1", "find"), ("c2", "ask"), ("c1", "find"))
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "Gate 4"},
    {"role": "tool", "tool_call_id": "c2", "content": "Error: closed"},
    {"role": "assistant", "content": ""},
]


@pytest.mark.parametrize("chat", [CHAT, SEVERAL])
def test_imported_chat_is_the_same_in_turns(
    turns: Client, connect: Connect, dsn: str, chat: list[dict[str, Any]]
) -> None:
    memories = connect(dsn)
    imported = [db.memories.import_chat("chat", chat) for db in (turns, memories)]
    assert imported[0] == imported[1] > 0
    assert contents(turns, "chat") == contents(memories, "chat")
    for frame in ("tool_calls", "sessions"):
        rows = [getattr(db.frames, frame)("chat") for db in (turns, memories)]
        fixed = [each.select_dtypes(exclude="datetimetz").drop(columns="seconds") for each in rows]
        assert fixed[0].equals(fixed[1])


def test_chat_is_imported_into_turns_once(turns: Client) -> None:
    source = [{"id": "chat", "messages": CHAT}]
    assert turns.memories.import_chats(source).imported == 1
    assert turns.memories.import_chats(source).unchanged == 1
    more = turns.memories.import_chats([{"id": "chat", "messages": MORE}])
    assert (more.extended, more.elements) == (1, 1)
    texts = turns.memory("chat").log().text.tolist()
    assert texts[-2:] == ["No.", "Goodbye."]
    other = turns.memories.import_chats([{"id": "chat", "messages": MORE[1:]}])
    assert len(other.refused) == 1


def test_tool_calls_of_an_import_are_in_the_turn_of_the_answer(
    turns: Client, sql_of_turns: psycopg.Connection
) -> None:
    turns.memories.import_chat("chat", CHAT)
    rows = sql_of_turns.execute(
        "SELECT turn, jsonb_array_length(payload -> 'content'), payload ->> 'identifier' = "
        "identifier::TEXT, (payload ->> 'created')::TIMESTAMPTZ = created "
        "FROM conversation_memory WHERE thread_id = 'chat' ORDER BY created"
    ).fetchall()
    assert [row[:2] for row in rows] == [
        ("user", 1),
        ("assistant", 4),
        ("assistant", 1),
        ("user", 1),
    ]
    assert all(row[2] and row[3] for row in rows)


@pytest.fixture
def sql_of_turns(turns: Client, empty_dsn: str) -> Iterator[psycopg.Connection]:
    """A psycopg connection to the database of `turns`."""
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        yield connection


def test_threads_are_forked_renamed_and_removed(turns: Client) -> None:
    whole = contents(turns, THREAD)
    memory = turns.memory(THREAD)
    memory.fork("copy")
    memory.fork("beginning", position=2)
    turns.memory(AGENT).fork("of the agent")
    assert contents(turns, "copy") == contents(turns, "of the agent") == whole
    assert turns.memory("beginning").log().text.tolist() == TEXTS[:3]
    turns.memory("copy").rename("moved")
    assert contents(turns, "moved") == whole
    assert turns.memory("moved").remove()
    assert not turns.memory("moved").remove()
    assert list(turns.memories.identifiers()) == [THREAD, AGENT, "beginning", "of the agent"]
    with pytest.raises(MemoryExists):
        memory.fork("beginning")


def test_threads_are_erased_and_pruned(turns: Client) -> None:
    turns.memory(THREAD).fork("copy")
    assert turns.memories.erase(prefix="agent:", dry_run=False).memories == 1
    assert turns.memories.identifiers() == (THREAD, "copy")
    assert turns.memories.prune(keep=1, dry_run=False).memories == 1
    assert turns.memories.count() == 1


def test_export_is_imported_into_turns_once(
    turns: Client, connect: Connect, dsn: str, tmp_path: Path
) -> None:
    source = connect(dsn)
    source.memories.import_chat("chat", CHAT)
    source.memories.export_memories(tmp_path / "chat.jsonl")
    assert turns.memories.import_memories(tmp_path / "chat.jsonl").memories == 1
    assert turns.memories.import_memories(tmp_path / "chat.jsonl").unchanged == 1
    assert turns.frames.tool_calls("chat").equals(source.frames.tool_calls("chat"))
    turns.memories.export_memories(tmp_path / "back.jsonl", identifiers="chat")
    with connect(dsn) as again:
        assert again.memories.import_memories(tmp_path / "back.jsonl").unchanged == 1


def test_writes_to_conversations_keyed_by_uuid_are_refused(
    connect: Connect, recorded: Callable[[str], str]
) -> None:
    db = connect(recorded("0_99_1"))
    for write in (
        lambda: db.memories.import_chat("chat", CHAT),
        lambda: db.memory(THREAD).fork("copy"),
        lambda: db.memory(THREAD).remove(),
    ):
        with pytest.raises(SchemaInvalid, match=r"draive 0.93 to 0.99 are read-only"):
            write()


def test_conversations_of_several_lines_need_a_choice(
    connect: Connect, recorded: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = recorded("0_118_0")
    recorded("0_92_1")
    with pytest.raises(SchemaInvalid, match=r"draive='0.92' or draive='0.118'"):
        connect(dsn).memories.count()
    assert connect(dsn, draive="0.92").memories.identifiers() == ("visit",)
    assert connect(dsn, draive="0.103.0").memories.identifiers() == (THREAD,)
    monkeypatch.setenv("DRAIVE_PG_DRAIVE", "0.118")
    assert connect(dsn).memories.identifiers() == (THREAD, AGENT)
    with pytest.raises(ValueError, match="draive must be a release"):
        connect(dsn, draive="newest")


def test_tables_made_later_are_found(connect: Connect, empty_dsn: str) -> None:
    db = connect(empty_dsn)
    with pytest.raises(TableMissing):
        db.memories.count()
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute((DATA / "draive_0_103_0.sql").read_bytes())
    assert db.memories.count() == 1


def test_objects_of_another_line_are_refused(turns: Client) -> None:
    memory = turns.memory("other")
    for write in (
        lambda: memory.remember(asked("q")),
        lambda: memory.maintenance(variables={"a": 1}),
    ):
        with pytest.raises(SchemaInvalid, match=r"draive 0.113 or newer, which remembers turns"):
            write()
    with pytest.raises(ImportError, match=r"needs draive 0.100 or newer, found 0.89"):
        turns.memory(THREAD).recall()
    assert len(turns.memory(THREAD).log()) == 8


def test_doctor_names_the_line_and_whole_floats(
    connect: Connect, recorded: Callable[[str], str]
) -> None:
    db = connect(recorded("0_103_0"))
    found = db.diagnose()
    assert found.draive == "0.103"
    assert [each for each in found.problems if "2 numbers in tool arguments end with .0" in each]
    recorded("0_92_1")
    several = db.diagnose()
    assert several.draive is None
    assert [each for each in several.problems if "choose with draive=" in each]


def test_commands_choose_a_line(
    recorded: Callable[[str], str], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAIVE_PG_DRAIVE", "")  # restored at teardown
    dsn = recorded("0_118_0")
    recorded("0_92_1")
    failed = shell("memories", "list", "--dsn", dsn)
    assert failed.code == 1
    assert "draive='0.92' or draive='0.118'" in failed.err
    assert "visit" in shell("--draive", "0.92", "memories", "list", "--dsn", dsn).out


# --- What turns have no place for


def with_handling(call: str, handling: Any) -> list[ModelInput | ModelOutput]:
    found = MultimodalContent.of("found")
    response = ModelToolResponse.of(call, tool="find", content=found, handling=handling)
    return [asked("q"), called(call), ModelInput.of(response), answered("done")]


def test_handlings_of_an_export_are_kept_by_turns(
    turns: Client, connect: Connect, dsn: str, tmp_path: Path
) -> None:
    source = connect(dsn)
    for handling in HANDLINGS:
        source.memory(handling).remember(*with_handling("c1", handling))
    source.memories.export_memories(tmp_path / "all.jsonl")
    assert turns.memories.import_memories(tmp_path / "all.jsonl").memories == len(HANDLINGS)
    for handling in HANDLINGS:
        turns.memory(handling).fork(f"{handling} again")
        for identifier in (handling, f"{handling} again"):
            assert turns.frames.tool_calls(identifier).handling.tolist() == [handling]
    turns.memories.export_memories(tmp_path / "back.jsonl", identifiers=HANDLINGS)
    assert source.memories.import_memories(tmp_path / "back.jsonl").unchanged == len(HANDLINGS)


def test_variables_that_turns_cannot_keep_are_reported(
    turns: Client, connect: Connect, dsn: str, tmp_path: Path
) -> None:
    source = connect(dsn)
    source.memory("both").remember(asked("q"), variables={"n": 1})
    source.memory("variables").maintenance(variables={"n": 1})
    source.memory("elements").remember(asked("q"))
    source.memories.export_memories(tmp_path / "all.jsonl")
    done = turns.memories.import_memories(tmp_path / "all.jsonl")
    assert (done.memories, done.elements, done.variables) == (2, 2, 0)
    assert done.ignored == {"variables": 1, "memories without elements": 1}
    again = turns.memories.import_memories(tmp_path / "all.jsonl")
    assert (again.memories, again.unchanged) == (0, 2)
    with connect(dsn, schema="other") as other:
        other.setup()
        assert other.memories.import_memories(tmp_path / "all.jsonl").ignored == {}


def test_variables_of_chat_logs_that_turns_cannot_keep_are_reported(turns: Client) -> None:
    system = {"role": "system", "content": "Be brief."}
    source = [{"id": "a", "messages": [system, *CHAT]}, {"id": "b", "messages": CHAT}]
    assert turns.memories.import_chats(source).ignored["variables"] == 1
    assert "variables" not in turns.memories.import_chats(source).ignored
    with pytest.warns(StoredDataSkipped, match="memory 'one': its variables, such as the text of"):
        turns.memories.import_chat("one", [system, *CHAT])


def test_forks_of_threads_have_whole_turns(turns: Client, sql_of_turns: psycopg.Connection) -> None:
    sql_of_turns.execute(
        """
        UPDATE conversation_memory SET payload = jsonb_set(
            payload, '{content}',
            '[{"event": "tool_event", "created": "2026-01-01T00:00:00Z", "meta": {"n": 1}}]'
                || (payload -> 'content')
        ) WHERE turn = 'assistant'
        """
    )
    payloads = "SELECT payload FROM conversation_memory WHERE thread_id = %s ORDER BY created"
    whole = sql_of_turns.execute(payloads, [THREAD]).fetchall()
    turns.memory(THREAD).fork("copy").rename("moved")
    assert sql_of_turns.execute(payloads, ["moved"]).fetchall() == whole
    for position, parts in enumerate([[1], [1, 3], [1, 4], [1, 5], [1, 5, 1]]):
        turns.memory(THREAD).fork(f"copy {position}", position=position)
        kept = sql_of_turns.execute(payloads, [f"copy {position}"]).fetchall()
        assert [len(payload["content"]) for (payload,) in kept] == parts
        assert len(turns.memory(f"copy {position}").log()) == position + 1
    with pytest.raises(ValueError, match=r"position 8 is out of range \(8 elements\)"):
        turns.memory(THREAD).fork("too far", position=8)


def test_threads_of_agents_cannot_be_renamed(turns: Client) -> None:
    with pytest.raises(SchemaInvalid, match="it is of an agent of draive, which names it: fork it"):
        turns.memory(AGENT).rename("mine")
    assert turns.memories.identifiers() == (THREAD, AGENT)
    with pytest.raises(MemoryMissing):
        turns.memory("nobody").rename("mine")


FILL_THREADS = """
INSERT INTO conversation_memory (thread_id, identifier, turn, payload)
SELECT 'thread' || n, gen_random_uuid(), 'user', '{"content": [], "meta": {}}'
FROM generate_series(1, 2000) AS n;
INSERT INTO agent_memory (agent_uri, thread_id, identifier, context)
SELECT 'agent://a', gen_random_uuid(), gen_random_uuid(), '[]'
FROM generate_series(1, 2000);
ANALYZE
"""


@pytest.mark.parametrize("identifier", ["thread7", AGENT])
def test_one_thread_is_read_without_scanning_tables(empty_dsn: str, identifier: str) -> None:
    set_up(empty_dsn, LINE_118)
    both = relations(LINE_118, LINE_118.stores)
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute(FILL_THREADS)
        for relation in (CONVERSATIONS, ELEMENTS, WRITES):
            query = sent(Statement(f"SELECT * FROM {relation} AS r WHERE identifier = "), both)
            plan = connection.execute(f"EXPLAIN {query} '{identifier}'".encode()).fetchall()
            assert not [line for (line,) in plan if "Seq Scan on" in line], (relation, plan)
