"""Conversion between the tables of draive 0.89 and of later draive, in one and two databases."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pandas.testing import assert_frame_equal

from draive_pg import Client, ConversionLoss, TableMissing
from draive_pg.errors import SchemaInvalid
from draive_pg.operations.convert import conversations, documents
from tests.cli_runner import Shell
from tests.conftest import Connect
from tests.elements import answered, asked, called, responded
from tests.markdown_blocks import fences

DATA = Path(__file__).parent / "data"
THREAD = "a0000000-0000-0000-0000-000000000001"


@pytest.fixture
def old(connect: Connect, dsn: str) -> Client:
    """A client of the tables of draive 0.89, beside those of draive 0.118."""
    with Client(dsn, draive="0.118") as db:
        db.setup()
    return connect(dsn, draive="0.89")


@pytest.fixture
def new(connect: Connect, old: Client, dsn: str) -> Client:
    """A client of the tables of draive 0.118 in the same schema."""
    return connect(dsn, draive="0.118")


@pytest.fixture
def empty(dsn: str, old: Client) -> Client:
    """A sync client of empty tables of draive 0.89 in another schema."""
    db = Client(dsn, schema="other", draive="0.89")
    db.setup()
    return db


def fill_conversations(db: Client) -> None:
    db.memory("visit").remember(asked("hi"), called("a", "b"), responded("a", "b"))
    db.memory("visit").remember(answered("done", finish="stop"), answered("more"))
    db.memory("variables").remember(asked("hi"), variables={"mood": "glad"})
    db.memory("none").maintenance(variables={"mood": "sad"})


def fill_prompts(db: Client) -> None:
    for content in ("Hello {name}!", "Hi {name}! {{}}", "Hey {name}!"):
        db.instructions.define("greeting", content=content, author="Ada", message="why")
    db.instructions.label("greeting", "production", 1, author="Bob", message="first")
    db.instructions.label("greeting", "production", 2)
    db.instructions.label("greeting", "staging", 3)
    db.instructions.unlabel("greeting", "staging")
    db.instructions.define("plain", content="No placeholder")


def revisions(records: Any) -> list[tuple[Any, ...]]:
    return [
        (
            each.revision,
            each.created,
            each.content.replace("{%", "{").replace("%}", "}").replace("{{}}", "{}"),
            each.author,
            each.message,
            each.labels,
            each.current,
        )
        for each in records
    ]


def moves(records: Any) -> list[tuple[Any, ...]]:
    return [
        (each.name, each.label, each.revision, each.revision_created, each.moved, each.author)
        for each in records
    ]


def test_conversations_are_equal_after_conversion_and_back(
    old: Client, new: Client, empty: Client
) -> None:
    fill_conversations(old)
    converted = old.convert("0.118", dry_run=False)
    assert (converted.conversations, converted.elements) == (2, 6)
    assert {each.identifier for each in new.memories.list()} == {"visit", "variables"}
    back = new.convert("0.89", into=empty, dry_run=False)
    assert (back.conversations, back.elements, list(back.losses)) == (2, 6, [])
    assert_frame_equal(empty.frames.conversation_log(), old.frames.conversation_log())
    assert empty.memory("visit").recall().context == old.memory("visit").recall().context


def test_what_has_no_counterpart_is_reported(old: Client) -> None:
    fill_conversations(old)
    losses = old.convert("0.118").losses
    assert {*losses} == {
        ConversionLoss("conversations", "variables", 2, "none", None),
        ConversionLoss("conversations", "conversation without elements", 1, "none", None),
    }


def test_dry_run_writes_nothing_and_returns_the_same_numbers(old: Client, new: Client) -> None:
    fill_conversations(old)
    fill_prompts(old)
    planned = old.convert("0.118")
    assert planned.dry_run
    assert (new.memories.count(), len(new.templates.list())) == (0, 0)
    done = old.convert("0.118", dry_run=False)
    assert not done.dry_run
    for name in ("conversations", "elements", "documents", "revisions", "losses", "refused"):
        assert getattr(done, name) == getattr(planned, name)


def test_dry_run_needs_no_tables_of_the_target(connect: Connect, dsn: str) -> None:
    db = connect(dsn)
    fill_conversations(db)
    assert db.convert("0.118").conversations == 2
    with pytest.raises(TableMissing, match=r"setup\(\) of Client\(draive='0\.118'\)"):
        db.convert("0.118", dry_run=False)


def test_conversion_does_not_read_all_memories_for_each_element(
    old: Client, new: Client, sql: psycopg.Connection
) -> None:
    sql.execute("INSERT INTO memories (identifier) SELECT 'm' || n FROM generate_series(1, 200) n")
    sql.execute("ANALYZE memories")
    new.memories.import_chat(THREAD, [{"role": "user", "content": "hi"}])
    with new.transaction():
        assert new.convert("0.89", dry_run=False).conversations == 1
        [read] = new.sql(
            "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'memories'"
        ).seq_tup_read
    assert read == 0


def test_second_conversion_adds_only_what_is_new(old: Client, new: Client) -> None:
    fill_conversations(old)
    fill_prompts(old)
    first = old.convert("0.118", dry_run=False)
    again = old.convert("0.118", dry_run=False)
    assert (again.conversations, again.documents, again.unchanged) == (0, 0, 4)
    assert again.losses == first.losses
    log = new.frames.conversation_log("visit")
    old.memory("visit").remember(called("c"))
    old.instructions.define("plain", content="Another")
    old.instructions.label("greeting", "staging", 1)
    grown = old.convert("0.118", dry_run=False)
    assert (grown.conversations, grown.elements) == (1, 1)
    assert (grown.documents, grown.revisions, grown.unchanged) == (2, 1, 1)
    assert new.templates.load("plain") == "Another"
    assert new.templates.load("greeting", label="staging") == "Hello {%name%}!"
    old.memory("visit").remember(responded("c"), answered("end"))
    assert old.convert("0.118", dry_run=False).elements == 2
    assert_frame_equal(new.frames.conversation_log("visit").iloc[:5], log)
    assert new.frames.conversation_log("visit").text.iloc[-1] == "end"


def test_interrupted_conversion_is_resumed(
    old: Client, new: Client, sql: psycopg.Connection
) -> None:
    for number in range(150):  # more than a page
        old.memory(f"m{number}").remember(asked("hi"), answered("ho"))
    sql.execute(
        """
        CREATE FUNCTION fail() RETURNS TRIGGER LANGUAGE plpgsql AS $$
            BEGIN IF NEW.thread_id = 'm99' THEN RAISE 'full'; END IF; RETURN NEW; END $$;
        """
    )
    sql.execute(
        "CREATE TRIGGER fail BEFORE INSERT ON conversation_memory "
        "FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    with pytest.raises(Exception, match="full"):
        old.convert("0.118", dry_run=False)
    assert new.memories.count() == 100
    sql.execute("DROP TRIGGER fail ON conversation_memory")
    resumed = old.convert("0.118", dry_run=False)
    assert (resumed.conversations, resumed.unchanged) == (50, 100)


def test_elements_of_one_identifier_are_converted_to_several_turns(
    old: Client, new: Client, sql: psycopg.Connection
) -> None:
    document = {
        "type": "model_input",
        "identifier": THREAD,
        "blocks": [{"type": "content", "parts": [{"text": "hi", "meta": {}}]}],
        "meta": {},
    }
    old.memory("visit").maintenance()
    add = "INSERT INTO memories_elements (identifier, content) VALUES ('visit', $1)"
    for _ in range(2):
        sql.execute(add, [json.dumps(document)])
    converted = old.convert("0.118", dry_run=False)
    assert "identifier that an element before has" in [each.reason for each in converted.losses]
    sql.execute(add, [json.dumps(document)])
    assert old.convert("0.118", dry_run=False).elements == 1
    assert [*new.frames.conversation_log("visit").text] == ["hi", "hi", "hi"]
    assert old.convert("0.118", dry_run=False).unchanged == 1


def test_other_conversation_of_the_same_identifier_is_refused(old: Client, new: Client) -> None:
    new.memories.import_chat("visit", [{"role": "user", "content": "other"}])
    old.memory("visit").remember(asked("hi"))
    old.memory("later").remember(asked("hi"))
    assert old.convert("0.118", dry_run=False).conversations == 1
    new.memories.import_chat("later", [{"role": "user", "content": "more"}], append=True)
    converted = old.convert("0.118", dry_run=False)
    assert converted.unchanged == 1  # it went on in the target
    (refused,) = converted.refused
    assert (refused.subject, refused.name) == ("conversations", "visit")
    assert "another conversation of this identifier" in refused.reason
    assert new.frames.conversation_log("visit").text.tolist() == ["other"]


def test_unreadable_conversation_is_refused_and_others_are_converted(
    old: Client, new: Client, sql: psycopg.Connection
) -> None:
    old.memory("good").remember(asked("hi"))
    old.memory("bad").maintenance()
    sql.execute("INSERT INTO memories_elements (identifier, content) VALUES ('bad', '{}')")
    old.memory("late").maintenance()
    sql.execute(
        "INSERT INTO memories_elements (identifier, content, created) "
        "SELECT 'late', content, 'infinity' FROM memories_elements WHERE identifier = 'good'"
    )
    refused = old.convert("0.118", dry_run=False).refused
    assert [each.name for each in refused] == ["bad", "late"]
    assert "element 0 cannot be read" in refused[0].reason
    assert "'infinity' cannot be represented" in refused[1].reason
    assert list(new.memories.identifiers()) == ["good"]


def test_elements_of_one_time_keep_their_order(
    old: Client, new: Client, sql: psycopg.Connection
) -> None:
    old.memory("m").remember(*(asked(str(number)) for number in range(9)))
    sql.execute("UPDATE memories_elements SET created = '2026-01-01Z'")
    old.convert("0.118", dry_run=False)
    log = new.frames.conversation_log("m")
    assert log.text.tolist() == [str(number) for number in range(9)]
    order = (
        "SELECT payload #>> '{content,0,parts,0,text}' FROM conversation_memory ORDER BY created"
    )
    assert [row[0] for row in sql.execute(order)] == log.text.tolist()


def test_prompts_keep_revisions_labels_and_authors(old: Client, new: Client, empty: Client) -> None:
    fill_prompts(old)
    converted = old.convert("0.118", dry_run=False)
    assert (converted.documents, converted.revisions) == (2, 4)
    assert new.templates.load("greeting") == "Hey {%name%}!"
    assert new.templates.load("greeting", revision=2) == "Hi {%name%}! {}"
    assert new.templates.resolve("greeting", arguments={"name": "Ada"}) == "Hey Ada!"
    history = revisions(new.templates.history("greeting"))
    assert history == revisions(old.instructions.history("greeting"))
    labels = moves(new.templates.label_history("greeting", "production"))
    assert labels == moves(old.instructions.label_history("greeting", "production"))
    assert new.templates.load("greeting", label="production") == "Hi {%name%}! {}"
    new.convert("0.89", into=empty, dry_run=False)
    assert list(empty.instructions.history("plain")) == list(old.instructions.history("plain"))
    first, second = old.instructions.history("greeting"), empty.instructions.history("greeting")
    assert [each.content for each in first] == [each.content for each in second]
    assert moves(empty.instructions.labels()) == moves(old.instructions.labels())


def test_prompt_without_counterpart_is_refused(old: Client, new: Client) -> None:
    old.instructions.define("wide", content="{name:>10}")
    old.instructions.define("plain", content="Hi")
    converted = old.convert("0.118", dry_run=False)
    assert [each.name for each in converted.refused] == ["wide"]
    assert "revision 1 has no counterpart" in converted.refused[0].reason
    assert [each.identifier for each in new.templates.list()] == ["plain"]


def test_other_revisions_of_the_same_name_are_refused(old: Client, new: Client) -> None:
    new.templates.define("greeting", content="Other")
    old.instructions.define("greeting", content="Hello")
    (refused,) = old.convert("0.118", dry_run=False).refused
    assert (refused.subject, refused.name) == ("prompts", "greeting")
    assert new.templates.load("greeting") == "Other"


def test_label_of_the_target_is_kept(old: Client, new: Client) -> None:
    fill_prompts(old)
    old.convert("0.118", dry_run=False)
    new.templates.label("greeting", "production", 3)
    old.instructions.label("greeting", "production", 1)
    (refused,) = old.convert("0.118", dry_run=False).refused
    assert refused.name == "greeting"
    assert new.templates.load("greeting", label="production") == "Hey {%name%}!"


def test_configurations_are_copied_to_another_schema(connect: Connect, dsn: str) -> None:
    db = connect(dsn)
    for tokens in (1, 2):
        db.configurations.define("limits", {"tokens": tokens}, author="Ada")
    db.configurations.label("limits", "production", 1)
    with Client(dsn, schema="other", draive="0.118") as into:
        into.setup()
        converted = db.convert("0.118", into=into, dry_run=False)
        assert (converted.documents, converted.revisions) == (1, 2)
        assert into.configurations.history("limits") == db.configurations.history("limits")
        assert into.configurations.load_raw("limits", label="production") == {"tokens": 1}
        assert db.convert("0.118", into=into, dry_run=False).unchanged == 1


@pytest.mark.parametrize(
    ("release", "source", "names"),
    [("0_99_1", None, [THREAD]), ("0_118_0", "0.118", [f"agent://counter#{THREAD}", THREAD])],
)
def test_rows_of_draive_are_converted_to_another_schema(
    connect: Connect, empty_dsn: str, release: str, source: str | None, names: list[str]
) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute((DATA / f"draive_{release}.sql").read_bytes())
    to = "0.118" if source is None else "0.89"
    db = connect(empty_dsn, draive=source)
    with Client(empty_dsn, schema="other", draive=to) as into:
        into.setup()
        converted = db.convert(to, into=into, dry_run=False)
        assert list(converted.refused) == []
        assert sorted(into.memories.identifiers()) == sorted(names)
        for name in names:
            found, expected = into.frames.conversation_log(name), db.frames.conversation_log(name)
            columns = ["position", "role", "text", "reasoning", "tools"]
            assert_frame_equal(found[columns], expected[columns])
        assert db.convert(to, into=into, dry_run=False).unchanged == len(names)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"to": "0.99"}, ValueError, "read-only"),
        ({"to": "0.50"}, ValueError, "release from 0.87 on"),
        ({"to": "0.118", "source": "1.0"}, ValueError, "release from 0.87 on"),
        ({"to": "0.118", "source": "0.99"}, SchemaInvalid, "are of draive 0.87 to 0.89"),
        ({"to": "0.118", "into": "dsn"}, TypeError, "into must be a Client"),
    ],
)
def test_wrong_argument_is_refused(
    old: Client, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        old.convert(**arguments)


def test_command_converts_after_a_dry_run(shell: Shell, dsn: str) -> None:
    with Client(dsn) as db:
        fill_conversations(db)
        db.instructions.define("wide", content="{name:>10}")
    arguments = ("convert", "--from", "0.89", "--to", "0.118", "--dsn", dsn)
    dry = shell(*arguments)
    assert dry.code == 1
    assert "Would convert from draive 0.89 to 0.118: 2 conversations with 6 elements" in dry.out
    assert "  variables: 2 in conversations, first 'none'\n" in dry.out
    assert "Not converted:\n  prompts, 'wide': revision 1 has no counterpart" in dry.out
    assert "--yes" in dry.out
    missing = shell(*arguments, "--yes")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "draive-pg setup with $DRAIVE_PG_DRAIVE=0.118" in missing.err
    with Client(dsn, draive="0.118") as db:
        db.setup()
        done = shell(*arguments, "--yes", "--json")
        assert json.loads(done.out)["conversations"] == 2
        assert db.memories.count() == 2
    other = shell(*arguments, "--to-schema", "other")
    assert "2 conversations" in other.out


def test_document_that_is_written_meanwhile_is_refused(
    old: Client, new: Client, sql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        old.instructions.define(name, content="text")
    added: Any = vars(documents)["_added"]
    pending = ["INSERT INTO templates (identifier, content) VALUES ('b', 'other')"]

    def written_meanwhile(stored: Any, there: Any) -> Any:
        if pending:
            sql.execute(pending.pop().encode())
        return added(stored, there)

    monkeypatch.setattr(documents, "_added", written_meanwhile)
    done = old.convert("0.118", dry_run=False)
    assert [(each.name, each.reason) for each in done.refused] == [
        ("b", "the target was written to meanwhile: convert again")
    ]
    assert done.documents == 1
    assert new.templates.load("b") == "other"


def test_conversation_that_is_written_meanwhile_is_not_counted(
    old: Client, new: Client, sql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.memory("a").remember(asked("hi"))
    old.memory("b").remember(asked("hi"), variables={"mood": "glad"})
    line: Any = vars(conversations)["_line"]

    def written_meanwhile(conversation: Any, *arguments: Any) -> Any:
        if conversation.identifier == "b":
            sql.execute(
                "INSERT INTO conversation_memory (thread_id, identifier, turn, payload, created) "
                "VALUES ('b', gen_random_uuid(), 'user', '{}', now())"
            )
        return line(conversation, *arguments)

    monkeypatch.setattr(conversations, "_line", written_meanwhile)
    done = old.convert("0.118", dry_run=False)
    assert [(each.name, each.reason) for each in done.refused] == [
        ("b", "the target was written to meanwhile: convert again")
    ]
    assert (done.conversations, done.elements, len(done.losses)) == (1, 1, 0)
    assert {*new.memories.identifiers()} == {"a", "b"}


# --- The guide


def test_commands_of_the_guide_convert_a_database(
    shell: Shell, empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (DATA.parents[1] / "docs/how-to/convert-to-newer-draive.md").read_text(encoding="utf-8")
    commands = [content.strip() for _, language, content in fences(guide) if language == "sh"][:3]
    monkeypatch.setenv("DRAIVE_PG_DSN", empty_dsn)
    with Client(empty_dsn, draive="0.89") as old:
        old.setup()
        old.memories.import_chats(
            {
                "id": f"visit-{number}",
                "messages": [
                    {"role": "system", "content": "You sell bicycles."},
                    {"role": "user", "content": f"Is number {number} there?"},
                    {"role": "assistant", "content": "Yes."},
                ],
            }
            for number in range(20)
        )
        for command in commands:
            settings, _, arguments = command.partition("draive-pg ")
            with monkeypatch.context() as context:
                for setting in settings.split():
                    context.setenv(*setting.split("="))
                done = shell(*arguments.split())
            assert done.code == 0, done.err
        with Client(empty_dsn, draive="0.118") as new:
            before, after = (
                db.frames.conversation_log().drop(columns="created") for db in (old, new)
            )
    assert len(before) == 40
    assert_frame_equal(before, after)
