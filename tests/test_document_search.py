"""Search for text in documents, with and without its index."""

from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draive_pg import Client
from draive_pg.models.documents import document_name
from draive_pg.operations.documents import search
from draive_pg.operations.documents.kind import KINDS
from tests.conftest import Connect
from tests.statements import sent

LARGE = "x" * 250_000

TEXTS = {
    "plain": "Say Hello to the user",
    "cjk": "配送状況を教えてください",
    "url": "See https://example.com/a_b?c=100%25&d=e for more",
    "slash": r"a \ b \% c",
    "large": f"{LARGE} needle {LARGE}",
    "short": "needle",
    "unspaced": LARGE,
    "Named_hello": "nothing",
    "braces": "NOT INDEXED",
    "noted": "nothing",
}

QUERIES = {
    "hello": {"plain", "Named_hello"},
    "ELLO TO": {"plain"},
    "送状": {"cjk"},
    "配送状況": {"cjk"},
    "https://example.com/a_b?c=100%25": {"url"},
    "a%b": set(),
    " ": {"braces", "large", "plain", "slash", "url", "noted"},
    "l_o": set(),
    "0%2": {"url"},
    "\\": {"slash"},
    r"\% c": {"slash"},
    "needle": {"large", "short"},
    "x needle x": {"large"},
    "indexed": {"braces"},
    "a message": {"noted"},
}


@pytest.fixture
def dsn(templates_dsn: str) -> str:
    return templates_dsn


@pytest.fixture(params=KINDS, ids=lambda kind: kind.table)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def define(namespace: Any, kind: Any) -> None:
    for name, text in TEXTS.items():
        message = "A Message" if name == "noted" else None
        if kind.table == "configurations":
            namespace.define(name, {"text": text}, message=message)
        else:
            namespace.define(name, content=text, message=message)


def found(namespace: Any, text: str, **conditions: Any) -> list[str]:
    return [document_name(each) for each in namespace.search(text, **conditions)]


def test_index_does_not_change_results(connect: Connect, dsn: str, db: Client, kind: Any) -> None:
    namespace = getattr(db, kind.table)
    define(namespace, kind)
    queries = QUERIES
    if kind.table == "configurations":  # JSON escapes a backslash, and always has a space
        queries = {
            text: names for text, names in queries.items() if text != " " and "\\" not in text
        }
    for text, names in queries.items():
        assert found(namespace, text) == sorted(names), text
    assert namespace.create_search_index()
    assert not namespace.create_search_index()
    indexed = getattr(connect(make_conninfo(dsn, options="-c enable_seqscan=off")), kind.table)
    for text, names in queries.items():
        assert found(indexed, text) == sorted(names), text
        assert found(indexed, text, current=True) == sorted(names), text
    assert len(found(indexed, "")) == len(TEXTS)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_search_uses_index(db: Client, kind: Any, sql: psycopg.Connection, mode: str) -> None:
    content = "to_jsonb(md5(n::TEXT))" if kind.table == "configurations" else "md5(n::TEXT)"
    sql.execute(
        f"INSERT INTO {kind.table} ({kind.key}, content) "
        f"SELECT 'n' || n, {content} FROM generate_series(1, 2000) AS n".encode()
    )
    getattr(db, kind.table).create_search_index()
    sql.execute(f"ANALYZE {kind.table}".encode())
    sql.execute("SET enable_seqscan = off")
    sql.execute(f"SET plan_cache_mode = {mode}".encode())
    operation = search.search(
        kind,
        "hello",
        meta=None,
        since=None,
        until=None,
        author=None,
        label=None,
        current=False,
        limit=None,
    )
    (statement,) = operation.statements
    query = b"EXPLAIN " + sent(statement).encode()
    plan = "\n".join(row[0] for row in sql.execute(query, statement.parameters).fetchall())
    columns = 2 if kind.table == "configurations" else 3
    assert plan.count(f"Bitmap Index Scan on {kind.table}_search") == 2 * columns


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
        db.instructions.define("a", content="plain words, déjà vu")
        for _ in range(2):
            assert found(db.instructions, "LAIN WORDS") == found(db.instructions, "déjà") == ["a"]
            assert db.instructions.create_search_index() in (True, False)
        db.close()
    finally:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_large_documents_can_be_written_with_an_index(db: Client) -> None:
    db.instructions.create_search_index()
    db.instructions.define("large", content="xy" * 1_000_000, message="big")
    assert found(db.instructions, "yxyxyx") == ["large"]
