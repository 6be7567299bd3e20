"""DataFrames of both clients, compared with counts that do not use their SQL."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import psycopg
import pytest
from draive import (
    ArtifactContent,
    InstructionsDeclaration,
    ModelInput,
    ModelOutput,
    ModelReasoning,
    ModelToolRequest,
    ModelToolResponse,
    MultimodalContent,
    ResourceReference,
    TextContent,
)

from draive_pg import Client, samples
from draive_pg.api.frames import Frames
from draive_pg.frames import FRAMES
from draive_pg.frames.conversations import CONVERSATION_LOG
from draive_pg.frames.query import FrameQuery
from draive_pg.frames.search import SEARCH
from tests.conftest import Connect
from tests.docstrings import documented, dtypes
from tests.elements import answered, asked, called, responded, space_times, thought
from tests.frame_columns import COLUMNS
from tests.statements import FOLDER, sent


def both(*texts: str) -> ModelInput:
    """Responses with the same call id."""
    return ModelInput.of(
        *(
            ModelToolResponse.of("c", tool="find", content=MultimodalContent.of(text))
            for text in texts
        )
    )


@pytest.fixture
def dsn(templates_dsn: str) -> str:
    """Every frame needs its tables."""
    return templates_dsn


def fill(db: Client) -> None:
    db.memory("one").remember(asked("q"), called("c"), responded("c"), thought("why", "a"))
    db.memory("one").remember(answered("a"), variables={"a": 1})
    db.memory("one").pop()
    db.annotations.add("one", 0, name="helpful", score=1, tags="x")
    db.instructions.define("greeting", content="Hello")
    db.templates.define("greeting", content="Hello")
    db.configurations.define("limits", {"a": 1})


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_and_dtypes_are_fixed_even_when_empty(db: Client, name: str) -> None:
    read = getattr(db.frames, name)
    assert documented(getattr(Frames, name)) == COLUMNS[name]
    assert dtypes(read()) == COLUMNS[name]
    assert len(read()) == 0
    fill(db)
    assert dtypes(read()) == COLUMNS[name]
    assert len(read()) > 0
    assert dtypes(read("no such one")) == COLUMNS[name]
    assert len(read("no such one")) == 0


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_selected_in_requested_order(db: Client, name: str) -> None:
    fill(db)
    read = getattr(db.frames, name)
    whole = read()
    wanted = list(COLUMNS[name])[::-2]
    pd.testing.assert_frame_equal(read(columns=wanted), whole[wanted])
    for wrong in (["nope"], [], "created", ['created"; DROP TABLE memories; --']):
        with pytest.raises(ValueError, match="column"):
            read(columns=wrong)


def test_log_has_one_row_per_element(db: Client) -> None:
    reference = ResourceReference.of("https://example.org/a.png", mime_type="image/png")
    elements = (
        ModelInput.of(
            MultimodalContent(parts=(TextContent.of("see "), TextContent.of("this"), reference)),
            meta={"source": "web", "n": 1},
        ),
        ModelOutput.of(
            ModelReasoning.of("hmm, "),
            ModelReasoning.of("a tool"),
            MultimodalContent.of("Let me look"),
            ModelToolRequest.of("c1", tool="find", arguments={"x": 1}),
            ModelToolRequest.of("c2", tool="count"),
        ),
        responded("c1", "c2", text="not part of the text"),
        ModelOutput.of(
            MultimodalContent.of("Done"),
            MultimodalContent.of(
                ArtifactContent.of(ModelReasoning.of("hidden"), category="reasoning", hidden=True)
            ),
        ),
    )
    db.memory("m").remember(*elements)
    log = db.memory("m").log()
    pd.testing.assert_frame_equal(log, db.frames.conversation_log("m"))
    assert list(log.identifier) == ["m"] * 4
    assert list(log.position) == [0, 1, 2, 3]
    assert list(log.role) == ["input", "output", "input", "output"]
    assert list(log.text) == ["see this", "Let me look", "", "Done"]
    assert list(log.reasoning) == ["", "hmm, a tool", "", ""]
    assert list(log.tools) == [(), ("find", "count"), ("find", "find"), ()]
    assert list(log.tool_requests) == [0, 2, 0, 0]
    assert list(log.tool_responses) == [0, 0, 2, 0]
    assert list(log.parts) == [3, 1, 0, 2]
    assert list(log.n_chars) == [8, 11, 0, 4]
    assert list(log.meta) == [{"source": "web", "n": 1}, {}, {}, {}]
    assert log.created.is_monotonic_increasing
    assert log.created.is_unique


def test_positions_are_independent_of_filters(db: Client) -> None:
    for identifier in ("a", "b"):
        db.memory(identifier).remember(*(asked(str(n)) for n in range(5)))
    whole = db.frames.conversation_log()
    assert list(whole.position) == [0, 1, 2, 3, 4] * 2
    middle = whole.created[2]
    later = db.frames.conversation_log("a", since=middle.to_pydatetime())
    assert list(later.position) == [2, 3, 4]
    earlier = db.frames.conversation_log("a", until=middle.to_pydatetime())
    assert list(earlier.position) == [0, 1]
    assert list(db.frames.conversation_log(limit=7).text) == list(whole.text[:7])


def test_filter_by_one_or_several_identifiers(db: Client) -> None:
    for identifier in ("a", "b", "c"):
        db.memory(identifier).remember(asked(identifier))
    assert list(db.frames.conversation_log("b").text) == ["b"]
    assert list(db.frames.conversation_log(["c", "a"]).text) == ["a", "c"]
    assert list(db.frames.conversation_log([]).text) == []
    assert list(db.frames.sessions(("a", "b")).identifier) == ["a", "b"]


def test_tool_requests_are_joined_with_their_responses(db: Client, sql: psycopg.Connection) -> None:
    memory = db.memory("m")
    memory.remember(asked("q"), called("c1", "c2", tool="find", query={"a": [1]}))
    memory.remember(
        ModelInput.of(
            ModelToolResponse.of(
                "c2", tool="find", content=MultimodalContent.of("oops"), handling="error"
            ),
            ModelToolResponse.of("c1", tool="find", content=MultimodalContent.of("yes")),
        )
    )
    memory.remember(answered("a"), asked("q"), called("c3", tool="count"))
    space_times(sql, datetime(2026, 1, 1, tzinfo=UTC))
    calls = db.frames.tool_calls()
    assert list(calls.call) == ["c1", "c2", "c3"]
    assert list(calls.position) == [1, 1, 5]
    assert list(calls.tool) == ["find", "find", "count"]
    assert list(calls.arguments) == [{"query": {"a": [1]}}, {"query": {"a": [1]}}, {}]
    assert list(calls.response[:2]) == ["yes", "oops"]
    assert list(calls.handling[:2]) == ["response", "error"]
    assert list(calls.seconds[:2]) == [1.0, 1.0]
    assert list(calls.responded[:2] - calls.created[:2]) == [timedelta(seconds=1)] * 2
    missing = calls[["response", "handling", "responded", "seconds"]].isna()
    assert missing.to_numpy()[2].tolist() == [True] * 4


def test_reused_call_id_is_joined_with_its_own_response(db: Client) -> None:
    db.memory("m").remember(
        *(called("call_0"), responded("call_0", text="first")),
        *(called("call_0"), asked("never mind")),
        *(called("call_0"), responded("call_0", text="third")),
    )
    db.memory("other").remember(responded("call_0", text="of another memory"))
    calls = db.frames.tool_calls()
    assert calls.response.fillna("none").tolist() == ["first", "none", "third"]


@pytest.mark.parametrize(
    ("elements", "responses"),
    [
        ((called("c", "c"), both("1", "2")), ["1", "2"]),
        ((called("c", "c"), responded("c", text="1"), responded("c", text="2")), ["1", "2"]),
        ((called("c"), both("1", "2")), ["1"]),
        ((called("c", "c"), responded("c", text="1")), ["1", None]),
        ((called("c", "d", "c"), responded("d"), both("1", "2")), ["1", "found", "2"]),
        ((called("c", "c", "c"), both("1"), called("c"), both("2")), ["1", None, None, "2"]),
        ((called("c"), called("c"), both("1", "2")), [None, "1"]),
    ],
)
def test_calls_sharing_an_id_in_one_element_are_paired_in_order(
    db: Client, elements: tuple[Any, ...], responses: list[str | None]
) -> None:
    db.memory("m").remember(*elements)
    calls = db.frames.tool_calls()
    assert calls.response.astype(object).where(calls.response.notna(), None).tolist() == responses
    marked = [
        "no response to this request" not in piece.notes
        for entry in db.memory("m").show().entries
        for piece in entry.pieces
        if piece.kind == "request"
    ]
    assert marked == [response is not None for response in responses]


@pytest.mark.parametrize("time", ["infinity", "-infinity"])
def test_seconds_to_an_infinite_time_are_missing(
    db: Client, sql: psycopg.Connection, time: str
) -> None:
    db.memory("m").remember(asked("q"), called("c"), responded("c"))
    kind = "model_input" if time == "infinity" else "model_output"
    sql.execute(
        "UPDATE memories_elements SET created = $1 WHERE content ->> 'type' = $2", (time, kind)
    )
    assert db.frames.sessions().seconds.isna().all()
    calls = db.frames.tool_calls()
    assert calls.response.tolist() == ["found"]
    assert calls.seconds.isna().all()


def test_sessions_summarize_memories(db: Client) -> None:
    db.memory("empty").maintenance()
    db.memory("full").remember(
        asked("q"), called("c1", "c2"), responded("c1", "c2"), answered("abc")
    )
    db.memory("full").remember(asked("żółć😀"))
    sessions: Any = db.frames.sessions().set_index("identifier")
    assert sessions.loc["full", ["elements", "turns", "tool_calls", "n_chars"]].tolist() == [
        5,
        2,
        2,
        9,
    ]
    assert sessions.loc["empty", ["elements", "turns", "tool_calls", "n_chars"]].tolist() == [0] * 4
    assert sessions.loc["empty", ["first", "last", "seconds"]].isna().all()
    log = db.memory("full").log()
    assert sessions.loc["full", "first"] == log.created.iloc[0]
    assert sessions.loc["full", "last"] == log.created.iloc[-1]
    assert (
        sessions.loc["full", "seconds"]
        == (log.created.iloc[-1] - log.created.iloc[0]).total_seconds()
    )


def test_variables_have_one_row_per_snapshot(db: Client) -> None:
    for number in range(3):
        db.memory("m").remember(variables={"n": number, "nested": {"b": True}})
    frame = db.frames.variables()
    assert list(frame.variables) == [{"n": n, "nested": {"b": True}} for n in range(3)]
    assert frame.created.is_monotonic_increasing


def test_revisions_are_numbered_from_one_and_newest_is_current(db: Client) -> None:
    for number in range(3):
        db.instructions.define(
            InstructionsDeclaration.of("a", description="d", meta={"n": number}),
            content="x" * number,
        )
        db.configurations.define("c", {"n": number})
    db.instructions.define("b", content="only")
    frame = db.frames.instruction_revisions()
    assert list(zip(frame.name, frame.revision, frame.current, strict=True)) == [
        ("a", 1, False),
        ("a", 2, False),
        ("a", 3, True),
        ("b", 1, True),
    ]
    assert list(frame.n_chars) == [0, 1, 2, 4]
    assert list(frame.meta) == [{"n": 0}, {"n": 1}, {"n": 2}, {}]
    assert frame.description.isna().tolist() == [False, False, False, True]
    assert list(db.frames.instruction_revisions("a", limit=2).revision) == [1, 2]
    assert list(db.frames.instruction_revisions(name="b").content) == ["only"]
    configurations = db.frames.configurations()
    assert list(configurations.content) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert list(configurations.current) == [False, False, True]
    later = frame.created[1].to_pydatetime()
    assert list(db.frames.instruction_revisions("a", since=later).revision) == [2, 3]


def test_infinite_timestamp_is_missing(db: Client, sql: psycopg.Connection) -> None:
    db.memory("m").remember(asked("q"))
    sql.execute("UPDATE memories SET created = 'infinity'")
    sql.execute("UPDATE memories_elements SET created = '-infinity'")
    assert db.frames.sessions().created.isna().all()
    assert db.memory("m").log().created.isna().all()


def test_timestamps_are_independent_of_session_timezone(
    db: Client, dsn: str, connect: Connect
) -> None:
    fill(db)
    elsewhere = connect(f"{dsn} options='-c timezone=Europe/Warsaw'")
    pd.testing.assert_frame_equal(elsewhere.frames.conversation_log(), db.frames.conversation_log())
    assert abs(db.frames.conversation_log().created[0] - datetime.now(UTC)) < timedelta(minutes=5)


def test_invalid_filters_are_rejected(db: Client) -> None:
    with pytest.raises(ValueError, match="since must be a time"):
        db.frames.sessions(since="yesterday")
    with pytest.raises(TypeError, match="until must be a datetime"):
        db.frames.sessions(until=2026)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="limit must be a positive int"):
        db.frames.sessions(limit=0)
    with pytest.raises(TypeError, match="identifier must be a str"):
        db.frames.sessions([7])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"role must be 'input' or 'output', not \['input'\]"):
        db.frames.conversation_log(role=["input"])  # pyright: ignore


def test_rows_invalid_for_draive_are_included(db: Client, sql: psycopg.Connection) -> None:
    db.memory("m").maintenance()
    for content in (
        '{"type": "poem"}',
        "7",
        "[]",
        '{"type": "model_input", "blocks": "x"}',
        "null",
    ):
        sql.execute("INSERT INTO memories_elements VALUES ('m', $1)", (content,))
    log = db.memory("m").log()
    assert sorted(log.role.dropna()) == ["input", "poem"]
    assert log.text.tolist() == [""] * 5
    assert len(db.frames.tool_calls()) == 0
    assert db.frames.sessions().elements.tolist() == [5]


def test_sample_conversations_are_counted_correctly(db: Client) -> None:
    chats = [json.loads(line) for line in samples.support().read_text().splitlines()]
    for chat in chats:
        db.memories.import_chat(chat["id"], chat["messages"])
    messages = [message for chat in chats for message in chat["messages"]]
    roles = Counter(message["role"] for message in messages)
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    log, sessions = db.frames.conversation_log(), db.frames.sessions()
    assert len(sessions) == len(chats)
    assert (log.role == "output").sum() == roles["assistant"]
    assert ((log.role == "input") & (log.tool_responses == 0)).sum() == roles["user"]
    assert log.tool_responses.sum() == roles["tool"]
    assert sessions.turns.sum() == roles["user"]
    assert sessions.tool_calls.sum() == log.tool_requests.sum() == len(calls)
    tools = db.frames.tool_calls()
    assert Counter(tools.tool) == Counter(call["function"]["name"] for call in calls)
    assert Counter(
        json.dumps(arguments, sort_keys=True) for arguments in tools.arguments
    ) == Counter(
        json.dumps(json.loads(call["function"]["arguments"] or "{}"), sort_keys=True)
        for call in calls
    )
    assert tools.response.notna().sum() == roles["tool"]
    spoken = sum(
        len(message["content"])
        for message in messages
        if message["role"] in ("user", "assistant") and isinstance(message.get("content"), str)
    )
    multipart = sum(
        len(part["text"])
        for message in messages
        if message["role"] == "user" and isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "text"
    )
    refused = sum(len(message.get("refusal") or "") for message in messages)
    assert log.n_chars.sum() == sessions.n_chars.sum() == spoken + multipart + refused
    systems = [
        "\n\n".join(m["content"] for m in chat["messages"] if m["role"] in ("system", "developer"))
        for chat in chats
    ]
    assert sorted(row["system"] for row in db.frames.variables().variables) == sorted(
        filter(None, systems)
    )


# --- Filters


def test_filter_by_role(db: Client) -> None:
    db.memory("m").remember(asked("q"), called("c"), responded("c"), answered("a"))
    log = db.frames.conversation_log(role="output")
    assert list(log.position) == [1, 3]
    assert list(db.frames.conversation_log("m", role="input", limit=1).position) == [0]
    wrongs: tuple[Any, ...] = ("model_input", "")
    for wrong in wrongs:
        with pytest.raises(ValueError, match="role must be 'input' or 'output'"):
            db.frames.conversation_log(role=wrong)


def test_filter_by_tool(db: Client) -> None:
    db.memory("m").remember(
        *(asked("q"), called("1"), responded("1")),
        *(called("2", tool="count"), responded("2", tool="count"), called("3", tool="100%'$1")),
    )
    assert list(db.frames.conversation_log(tool="find").position) == [1, 2]
    assert list(db.frames.conversation_log(tool=["count", "100%'$1"]).position) == [3, 4, 5]
    assert list(db.frames.conversation_log(tool="count", role="input").position) == [4]
    assert list(db.frames.conversation_log(tool=[]).position) == []
    assert list(db.frames.tool_calls(tool=["find", "nope"]).call) == ["1"]
    assert list(db.frames.tool_calls(tool="100%'$1").call) == ["3"]


ODD = [
    "it's",
    'a "b"',
    "100%",
    "%s %(x)s %%",
    "back\\slash\\",
    "$1 $2::TEXT $$",
    "{schema}.memories {a,b} {}",
    "żółć 漢字 😀",
    "'; DROP TABLE memories; --",
    "E'\\''",
    "line\nbreak\ttab",
    "",
]


def test_filter_values_are_not_interpreted_as_sql(connect: Connect, empty_dsn: str) -> None:
    db = connect(empty_dsn, schema="a$1\"{schema}%s'")
    db.setup()
    for identifier in ODD:
        db.memory(identifier).remember(asked(identifier))
    for identifier in ODD:
        log = db.frames.conversation_log(identifier)
        assert list(log.identifier) == list(log.text) == [identifier]
        assert len(db.frames.conversation_log(identifier, role="input", tool=ODD)) == 0
    assert sorted(db.frames.conversation_log(ODD).text) == sorted(ODD)
    assert len(db.frames.sessions(ODD)) == len(ODD)


# --- Round trips


TEXTS = ["NA", "null", "", "1e5", "2026-01-01", "NaN", "żółć 漢字 😀", "a\n\\\"'", "x" * 100_000]


def test_texts_round_trip_across_batches(db: Client) -> None:
    many = TEXTS * 250  # several batches, one of them limited by size
    db.memory("m").remember(*map(asked, many))
    log = db.memory("m").log()
    assert list(log.text) == many
    assert list(log.n_chars) == [len(text) for text in many]
    assert list(log.position) == list(range(len(many)))
    assert list(db.frames.conversation_log(columns=["n_chars"]).n_chars) == list(log.n_chars)


def test_integers_are_exact_and_json_values_are_not_shared(db: Client) -> None:
    db.memory("m").remember(
        *(asked("q", n=9007199254740993, deep={"a": [1]}), asked("q"), asked("q")),
        *(called("c", n=9007199254740993), called("c", n=9007199254740993)),
    )
    log = db.memory("m").log()
    assert log.meta[0] == {"n": 9007199254740993, "deep": {"a": [1]}}
    log.meta[1]["mine"] = 1
    log.meta[0]["deep"]["a"].append(2)
    assert list(log.meta[2:]) == [{}] * 3
    assert log.tools[3] is log.tools[4] == ("find",)
    calls = db.frames.tool_calls()
    calls.arguments[0]["mine"] = 1
    assert calls.arguments[1] == {"n": 9007199254740993}


def test_client_encoding_does_not_affect_text(connect: Connect, dsn: str, db: Client) -> None:
    db.memory("m").remember(asked("żółć 漢字 😀"))
    latin = connect(f"{dsn} client_encoding=latin1")
    assert list(latin.memory("m").log().text) == ["żółć 漢字 😀"]


def test_elements_with_equal_timestamps_keep_insertion_order(
    db: Client, sql: psycopg.Connection
) -> None:
    db.memory("m").maintenance()
    sql.execute(
        "INSERT INTO memories_elements (identifier, content, created) "
        "SELECT 'm', jsonb_build_object('type', 'poem', 'meta', jsonb_build_object('n', n)), "
        "TIMESTAMPTZ '2026-01-01Z' FROM generate_series(0, 2999) AS n"
    )
    for log in (
        db.memory("m").log(),
        db.frames.conversation_log(since=datetime(2026, 1, 1, tzinfo=UTC)),
    ):
        assert [meta["n"] for meta in log.meta] == list(log.position) == list(range(3000))


SOURCES = {
    f"{frame.name}{'' if ordered else '_unordered'}": (frame, ordered)
    for frame in (*FRAMES.values(), SEARCH)
    for ordered in (True, False)
    if ordered or frame.unordered is not None
}


@pytest.mark.parametrize("name", SOURCES)
def test_statements_equal_files_except_for_selected_columns(name: str) -> None:
    frame, ordered = SOURCES[name]
    file = (FOLDER / f"frames.{name}.sql").read_text(encoding="utf-8")
    parameters = dict.fromkeys(frame.filters) if frame is SEARCH else {}
    for columns in (None, *([column] for column in frame.columns), list(frame.columns)[::-2]):
        query = FrameQuery(
            frame, {"columns": columns}, parameters=parameters, any_order=not ordered
        )
        assert query.ordered is ordered
        text = sent(query.statement).strip()
        selected, whole = text.splitlines(), file.splitlines()
        selected, rows = selected[: selected.index("FROM (")], selected[selected.index("FROM (") :]
        assert whole[whole.index("FROM (") :] == rows
        assert {line.rstrip(",") for line in selected} <= {line.rstrip(",") for line in whole}


@pytest.mark.usefixtures("one_server")  # its plan
def test_only_selected_columns_are_computed(sql: psycopg.Connection) -> None:
    for ordered in (True, False):
        asked_for = FrameQuery(
            CONVERSATION_LOG, {"columns": ["role", "created"]}, any_order=not ordered
        ).statement
        text = sent(asked_for)
        for number, _ in enumerate(asked_for.parameters or (), 1):
            text = text.replace(f"${number}::", "NULL::")
        plan = "\n".join(
            row[0] for row in sql.execute(f"EXPLAIN (VERBOSE, COSTS OFF) {text}".encode())
        )
        assert "'{blocks" not in plan
        assert "jsonb_path_query" not in plan
        assert plan.count("WindowAgg") == (0 if ordered else 1)  # which numbers the memories
