"""Revisions of instructions: read, search, compare, conditional writes, restore."""

import contextlib
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from draive import Instructions, InstructionsDeclaration
from draive.models.instructions import InstructionsMissing
from draive.models.instructions.types import InstructionsArgumentDeclaration
from hypothesis import given

from draive_pg import AsyncClient, Client, RevisionConflict, RevisionMissing, TableMissing
from draive_pg.lines.line import LINE_89
from draive_pg.models.record import Records
from draive_pg.operations.admin.migrations import migrations_for
from tests.conftest import Connect
from tests.every_call import READS, WRITES, fill
from tests.schema import DRAIVE_TABLES, run_sql
from tests.strategies import metas, texts
from tests.sync_facade import run_concurrently

DECLARED = InstructionsDeclaration.of(
    "greeting",
    description="How to greet",
    arguments=(InstructionsArgumentDeclaration.of("name"),),
    meta={"lang": "en", "n": 1},
)


@pytest.fixture
def three(db: Client) -> Client:
    """A client of a database with three revisions of a prompt."""
    db.instructions.define("greeting", content="Hi", message="the first", author="ada")
    db.instructions.define("greeting", content="Hello")
    db.instructions.define("greeting", content="Hello {name}", message="the third", author="bo")
    return db


# --- Reading


def test_history_lists_revisions_newest_first(three: Client) -> None:
    history = three.instructions.history("greeting")
    assert isinstance(history, Records)
    assert [each.revision for each in history] == [3, 2, 1]
    assert [each.content for each in history] == ["Hello {name}", "Hello", "Hi"]
    assert [each.author for each in history] == ["bo", None, "ada"]
    assert [each.message for each in history] == ["the third", None, "the first"]
    assert [each.current for each in history] == [True, False, False]
    assert history[0].created > history[1].created > history[2].created
    assert all(each.created.tzinfo is UTC for each in history)
    assert list(history.to_df().revision) == [3, 2, 1]


def test_history_of_missing_name_is_empty(db: Client) -> None:
    history = db.instructions.history("greeting")
    assert history == ()
    assert "labels" in history.to_df().columns


def test_revision_accepts_number_time_label_and_revision(three: Client) -> None:
    newest, second, first = three.instructions.history("greeting")
    three.instructions.label("greeting", "production", 2)
    find = three.instructions.revision
    assert find("greeting") == find("greeting", 3) == find("greeting", "latest") == newest
    assert find("greeting", 1) == find("greeting", first) == first
    assert find("greeting", first.created) == first
    assert find("greeting", second.created - timedelta(microseconds=1)) == first
    assert find("greeting", datetime.now(UTC) + timedelta(days=1)) == newest
    assert find(Instructions.of("greeting"), "production").content == second.content
    assert find("greeting", "production").labels == ("production",)


@pytest.mark.parametrize(
    "choose",
    [
        {"revision": 4},
        {"label": "production"},
        {"label": "production", "as_of": datetime.now(UTC)},
        {"as_of": datetime(2001, 1, 1, tzinfo=UTC)},
    ],
)
def test_missing_revision_error_lists_existing_ones(three: Client, choose: dict[str, Any]) -> None:
    three.instructions.label("greeting", "staging", 1)
    says = r"^load instructions 'greeting': there is no (revision|label) .*; there are revisions 1 "
    with pytest.raises(RevisionMissing, match=says + "to 3, and 'staging'$"):
        three.instructions.load("greeting", **choose)
    with pytest.raises(RevisionMissing, match=says):
        three.instructions.resolve("greeting", **choose)
    assert three.instructions.resolve("greeting", default="none", **choose) == "none"
    with pytest.raises(InstructionsMissing, match="farewell"):
        three.instructions.load("farewell", **choose)
    assert three.instructions.resolve("farewell", default="none", **choose) == "none"


def test_load_and_resolve_by_revision_and_as_of(three: Client) -> None:
    _, second, first = three.instructions.history("greeting")
    for _ in range(2):  # from the server, and from the cache
        assert three.instructions.load("greeting", revision=1) == "Hi"
        assert three.instructions.load("greeting", revision=first) == "Hi"
        assert three.instructions.load("greeting", as_of=second.created) == "Hello"
        assert three.instructions.resolve("greeting", revision=2) == "Hello"
        filled = three.instructions.resolve("greeting", revision=3, arguments={"name": "Ada"})
        assert filled == "Hello Ada"
        assert three.instructions.load("greeting") == "Hello {name}"


def test_available_instructions_as_of_time(three: Client) -> None:
    before = three.instructions.history("greeting")[1].created
    three.instructions.define(DECLARED, content="Hello {name}!")
    three.instructions.define("later", content="")
    listed = three.instructions.available_instructions
    assert [each.description for each in listed(as_of=before)] == [None]
    assert [each.name for each in listed()] == ["greeting", "later"]
    assert listed(as_of=datetime(2001, 1, 1, tzinfo=UTC)) == ()
    assert listed()[0] == DECLARED


@pytest.mark.parametrize(
    ("choose", "error", "says"),
    [
        ({"revision": 1, "label": "a"}, ValueError, "not both"),
        ({"revision": 1, "as_of": datetime.now(UTC)}, ValueError, "not both"),
        ({"revision": 0}, ValueError, "revision must be a positive int"),
        ({"revision": -1}, ValueError, "revision must be a positive int"),
        ({"revision": True}, ValueError, "revision must be a positive int"),
        ({"revision": "production"}, TypeError, "use label="),
        ({"label": 7}, TypeError, "label must be a str"),
        ({"label": "a\0"}, ValueError, "label contains a NUL"),
        ({"as_of": "now"}, ValueError, "as_of must be a time such as"),
        ({"as_of": 2001}, TypeError, "as_of must be a datetime"),
    ],
)
def test_invalid_selector_is_rejected(
    db: Client, choose: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        db.instructions.load("greeting", **choose)
    with pytest.raises(error, match=says):
        db.instructions.resolve("greeting", default="", **choose)


@pytest.mark.parametrize("wanted", [0, True, 1.5, b"1", 2**63])
def test_invalid_revision_is_rejected(db: Client, wanted: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="a revision"):
        db.instructions.revision("greeting", wanted)
    with pytest.raises((TypeError, ValueError), match="a revision"):
        db.instructions.diff("greeting", 1, wanted)


def test_revision_of_another_name_is_rejected(three: Client) -> None:
    with pytest.raises(
        ValueError, match="a Revision of 'greeting', not of instructions 'farewell'"
    ):
        three.instructions.revision("farewell", three.instructions.revision("greeting"))


# --- Searching


def test_search_text_is_case_insensitive_and_literal(three: Client) -> None:
    three.instructions.define("100%", content="a_b")
    found = lambda text: [  # noqa: E731
        (each.name, each.revision) for each in three.instructions.search(text)
    ]
    assert found("HELLO") == [("greeting", 3), ("greeting", 2)]
    assert found("the FIRST") == [("greeting", 1)]
    assert found("%") == [("100%", 1)]
    assert found("_") == [("100%", 1)]
    assert found("nowhere") == []
    assert len(found(None)) == 4


def test_search_filters(three: Client) -> None:
    three.instructions.define(DECLARED, content="Hello {name}")
    three.instructions.label("greeting", "production", 3)
    search = three.instructions.search
    numbers = lambda found: [each.revision for each in found]  # noqa: E731
    newest, third, *_ = three.instructions.history("greeting")
    assert numbers(search(meta={"lang": "en"})) == [4]
    assert numbers(search(meta={"lang": "pl"})) == []
    assert numbers(search(meta={})) == [4, 3, 2, 1]
    assert numbers(search(since=third.created)) == [4, 3]
    assert numbers(search(until=third.created)) == [2, 1]
    assert numbers(search(since=third.created, until=newest.created)) == [3]
    assert numbers(search(author="ada")) == [1]
    assert numbers(search(label="production")) == [3]
    assert numbers(search("hello", current=True)) == numbers(search(label="latest")) == [4]
    assert numbers(search(limit=2)) == [4, 3]


@pytest.mark.parametrize(
    "given",
    [{"text": 7}, {"meta": ["a"]}, {"since": "now"}, {"limit": 0}, {"author": 1}, {"label": 1}],
)
def test_search_rejects_invalid_arguments(db: Client, given: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(given))):
        db.instructions.search(**given)


# --- Comparing


def test_diff_is_unified_text(three: Client) -> None:
    diff = three.instructions.diff("greeting", 1)
    assert bool(diff) is True
    assert repr(diff) == "Diff(greeting: revision 1 -> 3, +1 -1 lines)"
    lines = str(diff).split("\n")
    assert re.fullmatch(r"--- greeting 1 \(.*\) content", lines[0])
    assert re.fullmatch(r"\+\+\+ greeting 3 \(.*\) content", lines[1])
    assert lines[2:] == ["@@ -1 +1 @@", "-Hi", "+Hello {name}"]


def test_diff_of_equal_revisions_is_empty_and_false(three: Client) -> None:
    diff = three.instructions.diff("greeting", 2, 2)
    assert (bool(diff), str(diff)) == (False, "")
    assert repr(diff) == "Diff(greeting: revision 2 -> 2, no difference)"
    assert "no difference" in diff._repr_html_()


def test_diff_shows_declaration_and_missing_newline(three: Client) -> None:
    three.instructions.define(DECLARED, content="Hello {name}\n")
    text = str(three.instructions.diff("greeting", 3, "latest"))
    assert "+" in text.split("\n")
    for added in ("+How to greet", '+    "name": "name",', '+  "lang": "en",'):
        assert added in text


def test_diff_html_is_side_by_side_and_escaped(db: Client) -> None:
    before = "\n".join(f"line {number}" for number in range(40))
    db.instructions.define("<b>", content=before)
    db.instructions.define("<b>", content=before.replace("line 20", "<script>alert(1)</script>"))
    html = db.instructions.diff("<b>", 1)._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "line 20" in html
    assert "line 23" in html
    assert "line 30" not in html


def test_diff_accepts_labels_and_revisions(three: Client) -> None:
    three.instructions.label("greeting", "production", 1)
    first, third = (three.instructions.revision("greeting", number) for number in (1, 3))
    diff = three.instructions.diff("greeting", "production", third)
    assert (diff.a, diff.b) == (first, third)
    with pytest.raises(RevisionMissing, match="no label 'staging'"):
        three.instructions.diff("greeting", 1, "staging")


# --- Writing


def test_define_returns_written_revision(db: Client) -> None:
    first = db.instructions.define(DECLARED, content="Hi {name}", message="why", author="ada")
    assert first == db.instructions.revision("greeting")
    assert (first.revision, first.message, first.author, first.current) == (1, "why", "ada", True)
    assert first.arguments == [{"name": "name", "description": None, "required": True}]
    second = db.instructions.define(DECLARED, content="Hello {name}")
    assert second == db.instructions.revision("greeting", 2)


def test_unchanged_content_creates_no_revision(db: Client) -> None:
    first = db.instructions.define(DECLARED, content="Hi {name}", message="why", author="ada")
    db.instructions.label("greeting", "production")
    again = db.instructions.define(DECLARED, content="Hi {name}", message="another")
    assert (again.revision, again.created, again.message) == (1, first.created, "why")
    assert again.labels == ("production",)
    assert db.instructions.define("greeting", content="Hi {name}") == again
    assert len(db.instructions.history("greeting")) == 1


@pytest.mark.parametrize(
    "other",
    [
        InstructionsDeclaration.of("greeting", description="", meta={"n": 1}),
        InstructionsDeclaration.of("greeting", meta={"n": 1.0}),
        InstructionsDeclaration.of("greeting"),
        InstructionsDeclaration.of(
            "greeting", arguments=(InstructionsArgumentDeclaration.of("n", required=False),)
        ),
    ],
)
def test_changed_declaration_creates_revision(db: Client, other: Any) -> None:
    db.instructions.define(InstructionsDeclaration.of("greeting", meta={"n": 1}), content="Hi")
    assert db.instructions.define(other, content="Hi").revision == 2
    assert db.instructions.available_instructions() == (other,)


def test_define_by_name_keeps_declaration(db: Client) -> None:
    db.instructions.define(DECLARED, content="Hi {name}")
    db.instructions.define("greeting", content="Hello {name}")
    db.instructions.define(Instructions.of("greeting"), content="Hey {name}")
    assert db.instructions.available_instructions() == (DECLARED,)
    other = Instructions.of("greeting", meta={"lang": "pl"})
    kept = db.instructions.define(other, content="Hej {name}")
    assert (kept.description, kept.meta) == ("How to greet", {"lang": "pl"})


def test_conditional_define_succeeds_if_expected_matches(db: Client) -> None:
    first = db.instructions.define("greeting", content="1", expected=0)
    second = db.instructions.define("greeting", content="2", expected=1)
    third = db.instructions.define("greeting", content="3", expected=second)
    assert (first.revision, second.revision, third.revision) == (1, 2, 3)
    assert db.instructions.define("greeting", content="3", expected=3) == third


@pytest.mark.parametrize("expected", [0, 1, 3, "first"])
def test_conflict_names_both_revisions_and_writes_nothing(db: Client, expected: int | str) -> None:
    first = db.instructions.define("greeting", content="1")
    db.instructions.define("greeting", content="2", author="bo")
    condition: Any = first if expected == "first" else expected
    says = {0: "none yet", "first": "revision 1 of 20"}.get(expected, f"revision {expected}")
    with pytest.raises(
        RevisionConflict,
        match=f"^define instructions 'greeting': expected {says}.*, but the newest is revision 2 "
        "of 20.* by 'bo'",
    ):
        db.instructions.define("greeting", content="3", expected=condition)
    assert len(db.instructions.history("greeting")) == 2


def test_conflict_with_missing_name(db: Client) -> None:
    with pytest.raises(RevisionConflict, match="expected revision 2, but there is none"):
        db.instructions.define("greeting", content="3", expected=2)


@pytest.mark.parametrize("expected", [-1, True, "1", 1.0, 2**63])
def test_invalid_expected_is_rejected(db: Client, expected: Any) -> None:
    with pytest.raises(ValueError, match="expected must be"):
        db.instructions.define("greeting", content="", expected=expected)


def test_expected_revision_of_removed_name_is_a_conflict(
    db: Client,
) -> None:
    first = db.instructions.define("greeting", content="1", message="old")
    db.instructions.remove("greeting")
    anew = db.instructions.define("greeting", content="2")
    assert (anew.revision, anew.message) == (2, None)
    with pytest.raises(RevisionConflict, match="expected revision 1 of"):
        db.instructions.define("greeting", content="3", expected=first)
    with pytest.raises(RevisionMissing):
        db.instructions.revision("greeting", first)


def test_concurrent_conditional_writes_one_wins(db: Client) -> None:
    db.instructions.define("greeting", content="start")
    for number in range(1, 6):
        done = run_concurrently(
            db, *([partial(attempt, content=f"{number} {user}")] for user in range(4))
        )
        assert sorted(written for (written,) in done) == [False, False, False, True]
        assert db.instructions.revision("greeting").revision == number + 1


def attempt(db: Any, content: str) -> Any:
    """Write if the newest revision is that named in the content, and return whether it was."""
    expected = int(content.split()[0])
    if isinstance(db, AsyncClient):
        return attempt_async(db, content, expected)
    with contextlib.suppress(RevisionConflict):
        return db.instructions.define("greeting", content=content, expected=expected).current
    return False


async def attempt_async(db: AsyncClient, content: str, expected: int) -> bool:
    with contextlib.suppress(RevisionConflict):
        written = await db.instructions.define("greeting", content=content, expected=expected)
        return written.current
    return False


WRITER = """
import sys
from draive_pg import AsyncClient, Client, RevisionConflict

won = 0
with Client(sys.argv[1]) as db:
    while won < 20:
        seen = db.instructions.revision("counter")
        try:
            db.instructions.define("counter", content=str(int(seen.content) + 1), expected=seen)
            won += 1
        except RevisionConflict:
            pass
"""


@pytest.mark.slow
def test_conditional_writes_of_processes_lose_no_update(db: Client, dsn: str) -> None:
    db.instructions.define("counter", content="0")
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, dsn]) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert db.instructions.load("counter") == "40"
    assert len(db.instructions.history("counter")) == 41


def test_restore_creates_new_revision(three: Client) -> None:
    three.instructions.define(DECLARED, content="Hey {name}")
    restored = three.instructions.restore("greeting", 2, message="back", author="cy")
    assert (restored.revision, restored.content, restored.description) == (5, "Hello", None)
    assert (restored.message, restored.author, restored.current) == ("back", "cy", True)
    assert three.instructions.load("greeting") == "Hello"
    assert three.instructions.restore("greeting", 5) == restored
    declared = three.instructions.restore("greeting", 4)
    assert three.instructions.available_instructions() == (DECLARED,)
    assert declared.revision == 6


def test_restore_of_missing_revision_is_rejected(three: Client) -> None:
    with pytest.raises(RevisionMissing, match=r"^restore instructions .*there is no rev"):
        three.instructions.restore("greeting", 7)
    with pytest.raises(InstructionsMissing):
        three.instructions.restore("farewell", 1)
    assert len(three.instructions.history("greeting")) == 3


def test_rolled_back_revision_is_neither_stored_nor_cached(three: Client) -> None:
    with pytest.raises(ZeroDivisionError), three.transaction():
        three.instructions.define("greeting", content="gone", message="m")
        assert three.instructions.load("greeting", revision=4) == "gone"
        raise ZeroDivisionError
    with pytest.raises(RevisionMissing):
        three.instructions.load("greeting", revision=4)
    three.instructions.define("greeting", content="kept")
    assert three.instructions.load("greeting", revision=4) == "kept"


@given(content=texts, meta=metas, message=texts, author=texts)
def test_revision_round_trip(dsn: str, content: str, meta: Any, message: str, author: str) -> None:
    declaration = InstructionsDeclaration.of("any", description=content, meta=meta)
    with Client(dsn, max_size=1) as db:
        db.instructions.remove("any")
        written = db.instructions.define(
            declaration, content=content, message=message, author=author
        )
        (read,) = db.instructions.history("any")
        assert written == read
        assert (read.content, read.description, read.meta) == (content, content, meta)
        assert (read.message, read.author) == (message, author)
        assert db.instructions.define(declaration, content=content) == read
        if content:
            assert read in db.instructions.search(content)


# --- Databases created by draive


@pytest.fixture
def bare(connect: Connect, empty_dsn: str) -> Client:
    """A client of a database with only the tables of draive."""
    run_sql(empty_dsn, DRAIVE_TABLES)
    return connect(empty_dsn)


def test_revisions_work_without_tables_of_draive_pg(bare: Client) -> None:
    db = bare
    first = db.instructions.define(DECLARED, content="Hi {name}")
    assert db.instructions.define("greeting", content="Hi {name}", expected=1) == first
    with db.transaction():
        db.instructions.define("greeting", content="Hello {name}", expected=first)
    assert [each.revision for each in db.instructions.history("greeting")] == [2, 1]
    assert db.instructions.load("greeting", revision=1) == "Hi {name}"
    assert db.instructions.load("greeting", as_of=first.created) == "Hi {name}"
    assert db.instructions.restore("greeting", 1).revision == 3
    assert str(db.instructions.diff("greeting", 2, 3)).endswith("-Hello {name}\n+Hi {name}")
    assert len(db.instructions.search("hello")) == 1
    assert db.instructions.available_instructions(as_of=first.created) == (DECLARED,)
    with pytest.raises(RevisionConflict):
        db.instructions.define("greeting", content="", expected=1)
    assert db.instructions.remove("greeting") == 3


def test_messages_and_labels_require_setup(bare: Client) -> None:
    needs = [
        lambda: bare.instructions.define("a", content="", message="why"),
        lambda: bare.instructions.label("a", "production"),
        bare.instructions.labels,
    ]
    bare.instructions.define("a", content="1")
    for call in needs:
        with pytest.raises(TableMissing, match="create the tables with setup"):
            call()
    with pytest.raises(RevisionMissing, match="there is revision 1, and no labels"):
        bare.instructions.load("a", label="production")
    bare.setup()
    for call in needs:
        call()
    assert bare.instructions.revision("a").labels == ("production",)


def test_every_call_works_on_partitioned_tables(connect: Connect, empty_dsn: str) -> None:
    script = "".join(migration.sql for migration in migrations_for(LINE_89))
    for subject in ("identifier", "name"):
        script = re.sub(
            rf"(TABLE IF NOT EXISTS \w+ \(\n    {subject} TEXT .*?\n\))(;)",
            rf"\1 PARTITION BY HASH ({subject})\2",
            script,
            flags=re.DOTALL,
        )
    found = re.findall(r"(?s)TABLE IF NOT EXISTS (\w+) \((?:(?!;).)*PARTITION BY", script)
    tables = list(dict.fromkeys(found))
    assert len(tables) == 14
    run_sql(empty_dsn, script)
    for table in tables:
        for part in range(3):
            run_sql(
                empty_dsn,
                f"CREATE TABLE {table}_{part} PARTITION OF {table} "
                f"FOR VALUES WITH (MODULUS 3, REMAINDER {part})",
            )
    db = connect(empty_dsn, cache_limit=0)
    assert db.setup() != ()
    fill(db)
    for call in (*READS.values(), *WRITES.values()):
        call(db)
    assert [each.name for each in db.instructions.labels()] == ["released"]


def test_rows_deleted_by_draive_delete_their_messages(
    three: Client, sql: psycopg.Connection
) -> None:
    sql.execute("DELETE FROM instructions WHERE name = 'greeting'")
    assert sql.execute("SELECT count(*) FROM draive_pg_revisions").fetchone() == (0,)
