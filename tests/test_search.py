"""Search of elements by text and by filters, with and without the index."""

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import psycopg
import pytest
from draive import (
    ArtifactContent,
    DataModel,
    ModelInput,
    ModelOutput,
    ModelReasoning,
    ModelToolResponse,
    MultimodalContent,
)
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draive_pg import Client, OperationFailed
from draive_pg.api.memories import Memories
from draive_pg.frames.search import Match, SearchCriteria, search_query
from draive_pg.operations import text_index
from tests.conftest import Connect
from tests.docstrings import documented, dtypes
from tests.elements import answered, asked, called, responded
from tests.statements import sent

DTYPES = {
    "identifier": "str",
    "position": "int64",
    "created": "datetime64[us, UTC]",
    "role": "str",
    "speaker": "str",
    "excerpt": "str",
    "rank": "float64",
}


class Note(DataModel):
    """A custom artifact."""

    text: str


def failed(call: str, text: str) -> ModelInput:
    response = ModelToolResponse.of(
        call, tool="pay", content=MultimodalContent.of(text), handling="error"
    )
    return ModelInput.of(response)


def fill(db: Client) -> None:
    db.memory("bikes").remember(
        asked("Is the red bicycle still there?", channel="web"),
        called("c1", tool="stock", colour="red"),
        responded("c1", tool="stock", text="two bicycles"),
        answered("Yes, two red bicycles are there."),
        variables={"user": "ada", "visits": 1},
    )
    db.memory("boats").remember(
        asked("A red boat, please", channel="mail", tags={"a": [1]}),
        called("c1", tool="pay"),
        failed("c1", "card refused"),
        answered("That did not work."),
        variables={"user": "bob"},
    )
    db.memory("boats").remember(variables={"user": "eve"})
    db.memory("odd").remember(
        ModelOutput.of(
            ModelReasoning.of(MultimodalContent.of("a thought of zebras")),
            MultimodalContent.of(
                "spoken",
                ArtifactContent.of(Note(text="zebras in stripes"), hidden=True),
                ArtifactContent.of(Note(text="zebras in sight")),
            ),
        )
    )


def found(db: Client, text: str | None = None, **wanted: Any) -> list[tuple[str, int]]:
    frame = db.memories.search(text, **wanted)
    assert dtypes(frame) == documented(Memories.search) == DTYPES
    return sorted(zip(frame.identifier, frame.position, strict=True))


FINDS: dict[str, tuple[dict[str, Any], list[tuple[str, int]]]] = {
    "a word": ({"text": "red"}, [("bikes", 0), ("bikes", 3), ("boats", 0)]),
    "two words": ({"text": "red there"}, [("bikes", 0), ("bikes", 3)]),
    "a phrase": ({"text": '"two red"'}, [("bikes", 3)]),
    "either": ({"text": "boat or yes"}, [("bikes", 3), ("boats", 0)]),
    "without": ({"text": "red -boat"}, [("bikes", 0), ("bikes", 3)]),
    "as it is": ({"text": "bicycle"}, [("bikes", 0)]),
    "its forms": ({"text": "bicycle", "language": "english"}, [("bikes", 0), ("bikes", 3)]),
    "not what tools say": ({"text": "refused"}, []),
    "not what is thought or hidden": ({"text": "zebras"}, []),
    "odd characters": ({"text": "& | ! ( <-> :* ' \\"}, []),
    "role": ({"text": "red", "role": "output"}, [("bikes", 3)]),
    "memory": ({"text": "red", "identifier": "boats"}, [("boats", 0)]),
    "memories": ({"text": "red", "identifier": ["boats", "x"]}, [("boats", 0)]),
    "tool": ({"tool": "stock"}, [("bikes", 1), ("bikes", 2)]),
    "error": ({"error": True}, [("boats", 2)]),
    "no error": ({"error": False, "tool": "pay"}, [("boats", 1)]),
    "meta": ({"meta": {"channel": "mail"}}, [("boats", 0)]),
    "deep meta": ({"meta": {"tags": {"a": [1]}}}, [("boats", 0)]),
    "variables": ({"variables": {"user": "ada"}, "role": "input"}, [("bikes", 0), ("bikes", 2)]),
    "old variables": ({"variables": {"user": "bob"}}, []),
    "new variables": ({"variables": {"user": "eve"}, "text": "red"}, [("boats", 0)]),
    "the past": ({"until": datetime(2000, 1, 1, tzinfo=UTC)}, []),
    "since then": (
        {"since": datetime(2000, 1, 1, tzinfo=UTC), "tool": "pay", "error": True},
        [("boats", 2)],
    ),
}


@pytest.mark.parametrize(("wanted", "finds"), FINDS.values(), ids=FINDS)
def test_search_finds_matching_elements(
    db: Client, wanted: dict[str, Any], finds: list[tuple[str, int]]
) -> None:
    fill(db)
    assert found(db, **wanted) == finds


def test_index_does_not_change_results(db: Client) -> None:
    fill(db)
    results = [db.memories.search(**wanted) for wanted, _ in FINDS.values()]
    assert [db.memories.create_search_index(language=name) for name in ("simple", "english")] == [
        True
    ] * 2
    assert db.memories.create_search_index() is False
    for (wanted, _), result in zip(FINDS.values(), results, strict=True):
        assert db.memories.search(**wanted).equals(result)


def test_results_are_ranked_and_words_are_highlighted(db: Client) -> None:
    fill(db)
    db.memory("more").remember(asked(f"{'x ' * 200}red{' y' * 200} red red"))
    frame = db.memories.search("red")
    assert list(frame["rank"]) == sorted(frame["rank"], reverse=True)
    assert frame.identifier[0] == "more"
    assert frame.excerpt[0].count("[[red]]") == 3
    assert len(frame.excerpt[0]) < 300
    assert db.memories.search("boat").excerpt[0] == "A red [[boat]], please"
    assert len(db.memories.search("red", limit=2)) == 2


SAID = (
    "我喜欢猫和狗",
    "これは日本語のテストです",
    "번역을 부탁해",
    "we run Qwen3.6 here",
    "see https://example.org/docs/page?id=42\nnice 100%",
    'call get_user_name("ada") or not',
)


@pytest.mark.parametrize(
    ("text", "match", "finds"),
    [
        ("猫", None, [0]),
        ("日本語", None, [1]),
        ("부탁 번역", None, [2]),
        ("猫 -狗", None, []),
        ("-猫", None, [1, 2, 3, 4, 5]),
        ("https://example.org/docs/page?id=42", None, [4]),
        ("HTTPS://EXAMPLE.org/docs", None, [4]),
        ("qwen", None, []),
        ("qwen", "words", []),
        ("猫", "words", []),
        ("qwen", "substring", [3]),
        ("here run", "substring", [3]),
        ('"run here"', "substring", []),
        ('"n here"', "substring", []),
        ('"6 here"', "substring", [3]),
        ("get_user", "substring", [5]),
        ("getxuser", "substring", []),
        ('("ada")', "substring", [5]),
        ("ada -user", "substring", []),
        ("0%", "substring", [4]),
        ("nnice", "substring", []),
        ("[", "substring", []),
        ('"or not"', "substring", [5]),
    ],
)
def test_substring_search_finds_parts_of_words(
    db: Client, text: str, match: Match | None, finds: list[int]
) -> None:
    db.memory("said").remember(*map(asked, SAID))
    assert found(db, text, match=match) == [("said", position) for position in finds]


def test_matching_parts_of_words_are_highlighted(db: Client) -> None:
    db.memory("said").remember(*map(asked, SAID), asked(f"{'x ' * 200}A (b) a{' y' * 200}"))
    frame = db.memories.search("qwen RUN", match="substring")
    assert list(frame.excerpt) == ["we [[run]] [[Qwen]]3.6 here"]
    assert list(frame["rank"]) == [0]
    excerpt = db.memories.search("a (B)", match="substring").excerpt[0]
    assert "x [[A]] [[(b)]] [[a]] y" in excerpt
    assert len(excerpt) < 300


def test_search_in_latin1_database(dsn: str, connect: Connect) -> None:
    name = f"{conninfo_to_dict(dsn)['dbname']}_latin1"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
            " TEMPLATE template0".encode()
        )
    try:
        db = connect(make_conninfo(dsn, dbname=name))
        db.setup()
        db.memory("m").remember(asked("plain words, déjà vu"))
        assert db.memories.search("plain").excerpt[0] == "[[plain]] words, déjà vu"
        excerpt = db.memories.search("déjà", match="substring").excerpt[0]
        assert excerpt == "plain words, [[déjà]] vu"
        db.close()
    finally:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.mark.parametrize("separator", [" ", " -", "-"])
def test_text_of_many_words_is_searched(db: Client, separator: str) -> None:
    db.memory("m").remember(asked("hello"))
    text = separator.join(f"word{number}" for number in range(5_000))
    assert len(db.memories.search(text)) == 0


@pytest.mark.parametrize("limit", [None, 1, 3, 4, 5, 2**63 - 1])
def test_result_reports_truncation_by_limit(db: Client, limit: int | None) -> None:
    fill(db)
    frame = db.memories.search(identifier="boats", limit=limit)
    assert len(frame) == min(limit or 4, 4)
    assert frame.attrs["truncated"] is (limit in (1, 3))
    assert list(frame.index) == list(range(len(frame)))


def test_search_without_text_returns_newest_first(db: Client) -> None:
    fill(db)
    frame = db.memories.search(identifier="boats")
    assert list(frame.position) == [3, 2, 1, 0]
    assert list(frame.excerpt) == [
        "That did not work.",
        "pay card refused",
        "pay {}",
        "A red boat, please",
    ]
    assert set(frame["rank"]) == {0}


def test_search_of_empty_database_finds_nothing(db: Client) -> None:
    assert found(db, "red") == found(db) == []


def test_unreadable_rows_do_not_break_search(db: Client, sql: psycopg.Connection) -> None:
    fill(db)
    for content in ("7", '{"blocks": 7}', '{"blocks": [{"parts": [{"text": 7}]}]}', "[]"):
        sql.execute("INSERT INTO memories_elements VALUES ('odd', $1)", (content,))
    assert len(found(db, identifier="odd")) == 5
    assert found(db, "boat") == [("boats", 0)]
    assert db.memories.create_search_index()
    assert found(db, "boat") == [("boats", 0)]


def test_only_beginning_of_long_text_is_indexed(
    db: Client,
) -> None:
    db.memories.create_search_index()
    words = " ".join(f"w{number}-x{number}" for number in range(300_000))
    db.memory("long").remember(asked(f"begin\n{words} end"))
    assert found(db, "begin") == found(db, "w77") == [("long", 0)]
    assert found(db, "end") == []


@pytest.mark.usefixtures("one_server")  # its plan
def test_search_uses_index(db: Client, sql: psycopg.Connection) -> None:
    fill(db)
    db.memories.create_search_index()
    sql.execute("SET enable_seqscan = off")
    criteria = SearchCriteria("boat", "words", "simple", None, None)
    statement = search_query(criteria, {"limit": 5}).statement
    query = b"EXPLAIN " + sent(statement).encode()
    plan = "\n".join(row[0] for row in sql.execute(query, statement.parameters).fetchall())
    assert "Bitmap Index Scan on memories_elements_search_simple" in plan


@pytest.mark.usefixtures("one_server")  # its plan
def test_trigram_index_is_used_and_does_not_change_results(
    db: Client, sql: psycopg.Connection
) -> None:
    db.memory("said").remember(*map(asked, SAID))
    queries = ("qwen", "日本語", "0%", "-猫")
    results = [db.memories.search(text, match="substring") for text in queries]
    sql.execute("CREATE SCHEMA elsewhere CREATE TABLE t ()")
    sql.execute("CREATE EXTENSION pg_trgm SCHEMA elsewhere")
    assert db.memories.create_search_index(match="substring")
    assert not db.memories.create_search_index(match="substring")
    sql.execute("SET enable_seqscan = off")
    for text, result in zip(queries, results, strict=True):
        assert db.memories.search(text, match="substring").equals(result)
    criteria = SearchCriteria("qwen", "substring", "simple", None, None)
    statement = search_query(criteria, {"limit": 5}).statement
    query = b"EXPLAIN " + sent(statement).encode()
    plan = "\n".join(row[0] for row in sql.execute(query, statement.parameters).fetchall())
    assert "Bitmap Index Scan on memories_elements_substring" in plan


def test_trigram_index_creates_its_extension(db: Client, sql: psycopg.Connection) -> None:
    assert db.memories.create_search_index(match="substring")
    assert sql.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'").fetchone()


def test_missing_trigram_extension_is_named_in_error(
    db: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_index, "TRIGRAMS", "pg_absent")
    with pytest.raises(OperationFailed, match='extension "pg_absent" is not available'):
        db.memories.create_search_index(match="substring")


@pytest.mark.usefixtures("one_server")  # the quotation mark
def test_index_is_created_per_schema(connect: Connect, dsn: str) -> None:
    db = connect(dsn, schema='team "a"')
    db.setup()
    fill(db)
    assert db.memories.create_search_index()
    assert not db.memories.create_search_index()
    assert found(db, "boat") == [("boats", 0)]


def test_invalid_index_is_recreated(db: Client, sql: psycopg.Connection) -> None:
    db.memories.create_search_index()
    sql.execute(
        "UPDATE pg_index SET indisvalid = FALSE"
        " WHERE indexrelid = 'memories_elements_search_simple'::REGCLASS"
    )
    assert db.memories.create_search_index()
    assert not db.memories.create_search_index()


def test_index_on_partitioned_table(empty_dsn: str, connect: Connect) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as admin:
        admin.execute(
            "CREATE TABLE memories_elements (identifier TEXT NOT NULL, content JSONB NOT NULL,"
            " created TIMESTAMPTZ NOT NULL DEFAULT now()) PARTITION BY HASH (identifier)"
        )
        for part in range(3):
            admin.execute(
                f"CREATE TABLE part_{part} PARTITION OF memories_elements"
                f" FOR VALUES WITH (MODULUS 3, REMAINDER {part})".encode()
            )
    db = connect(empty_dsn)
    db.setup()
    fill(db)
    assert db.memories.create_search_index()
    assert not db.memories.create_search_index()
    assert found(db, "red") == [("bikes", 0), ("bikes", 3), ("boats", 0)]


def test_index_cannot_be_created_in_transaction(db: Client) -> None:
    with pytest.raises(OperationFailed, match=r"transaction block.*25001"), db.transaction():
        db.memories.create_search_index()


def test_search_since_and_until(db: Client) -> None:
    fill(db)
    moment = db.memory("bikes").log().created[0].to_pydatetime()
    assert found(db, "red", identifier="bikes", until=moment) == []
    after = moment + timedelta(microseconds=1)
    assert found(db, "red", identifier="bikes", until=after) == [("bikes", 0)]
    assert found(db, "red", identifier="bikes", since=after) == [("bikes", 3)]


@pytest.mark.parametrize(
    ("wanted", "error", "says"),
    [
        ({"text": 7}, TypeError, "text must be a str"),
        ({"text": " \n"}, ValueError, "text must not be blank"),
        ({"text": "a\0"}, ValueError, "text contains a NUL"),
        ({"text": '""', "match": "substring"}, ValueError, "text must not be blank"),
        ({"text": "a " * 20_000}, ValueError, "text must have at most 5,000 words, not 20,000"),
        ({"text": "a-" * 20_000}, ValueError, "text must have at most 5,000 words, not 20,000"),
        ({"text": "a or b", "match": "substring"}, ValueError, "'or' is no operator"),
        ({"text": "a", "match": "regex"}, ValueError, "match must be 'words' or 'substring'"),
        ({"role": "user"}, ValueError, "role must be 'input' or 'output'"),
        ({"tool": 7}, TypeError, "tool must be a str"),
        ({"meta": "a"}, TypeError, "meta must be a mapping"),
        ({"meta": {"a": float("nan")}}, ValueError, r"meta\.a is nan"),
        ({"variables": []}, TypeError, "variables must be a mapping"),
        ({"error": "yes"}, TypeError, "error must be a bool or None"),
        ({"language": None}, TypeError, "language must be a str"),
        ({"since": 2026}, TypeError, "since must be a datetime"),
        ({"since": "2026"}, ValueError, "since must be a time such as 2026-01-31"),
        ({"limit": 0}, ValueError, "limit must be a positive int"),
        ({"identifier": 7}, TypeError, "identifier must be a str or several, not int"),
    ],
)
def test_invalid_arguments_are_rejected_before_io(
    connect: Connect, wanted: dict[str, Any], error: type[Exception], says: str
) -> None:
    db = connect(make_conninfo("host=nowhere.invalid"))
    with pytest.raises(error, match=says):
        db.memories.search(**wanted)


@pytest.mark.parametrize("language", ["", "x" * 60, 7])
def test_invalid_language_of_index_is_rejected(connect: Connect, language: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="language"):
        connect("host=nowhere.invalid").memories.create_search_index(language=language)


def test_unknown_language_is_named_in_error(db: Client) -> None:
    for call in (
        lambda: db.memories.search("red", language="klingon"),
        lambda: db.memories.create_search_index(language="kling'on"),
    ):
        with pytest.raises(OperationFailed, match=r"kling.?.?on.*42704"):
            call()


def test_found_words_are_marked_and_truncation_is_shown(db: Client) -> None:
    db.memory("a").remember(*(asked(f"The red & one, {n}") for n in range(3)))
    found: Any = db.memories.search("red", limit=2)
    page = found._repr_html_()
    assert page.count(">red</b>") == 2
    assert "[[" not in page
    assert "</b> &amp; one" in page
    for shown in (page, repr(found)):
        assert "there are more" in shown
    whole: Any = db.memories.search("red")
    for shown in (whole._repr_html_(), repr(whole)):
        assert "there are more" not in shown
    assert whole.excerpt[0] == "The [[red]] & one"
    assert type(whole.head()) is type(whole[["rank"]]) is pd.DataFrame
    assert pickle.loads(pickle.dumps(whole)).equals(whole)
