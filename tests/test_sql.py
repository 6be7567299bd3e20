"""`db.sql`: queries of the caller as DataFrames, which cannot change anything."""

from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import psycopg
import pytest

from draive_pg import Client, OperationFailed, TableMissing, TimedOut
from tests.conftest import Connect
from tests.elements import asked
from tests.fault_server import limited

QUERY = """
SELECT
    1::INT AS integer,
    1.5::FLOAT8 AS float,
    'żółć' AS text,
    TRUE AS boolean,
    TIMESTAMPTZ '2026-01-01 12:00+02' AS time,
    '{"a": [1]}'::JSONB AS document,
    1.10::NUMERIC AS numeric,
    ARRAY['a', 'b'] AS texts,
    NULL::TEXT AS missing
;
"""


def test_types_of_a_result(db: Client) -> None:
    found = db.sql(QUERY)
    assert [str(dtype) for dtype in found.dtypes] == [
        *("int64", "float64", "str", "bool", "datetime64[us, UTC]"),
        *("object", "object", "object", "str"),
    ]
    assert found.iloc[0, :8].tolist() == [
        *(1, 1.5, "żółć", True, pd.Timestamp(datetime(2026, 1, 1, 10, tzinfo=UTC))),
        *({"a": [1]}, Decimal("1.10"), ["a", "b"]),
    ]
    assert found["missing"].isna().all()


def test_missing_values_and_repeated_names(db: Client) -> None:
    found = db.sql("SELECT n AS a, n > 1 AS a FROM unnest(ARRAY[1, NULL, 3]) AS n ORDER BY n")
    assert list(found.columns) == ["a", "a"]
    assert [str(dtype) for dtype in found.dtypes] == ["Int64", "boolean"]
    assert found.iloc[:, 0].fillna(0).tolist() == [1, 3, 0]
    empty = db.sql("SELECT 1 AS a WHERE FALSE")
    assert (len(empty), str(empty["a"].dtype)) == (0, "int64")


def test_parameters_are_those_of_psycopg(db: Client) -> None:
    db.memory("a%").remember(asked("q"))
    by_position = db.sql("SELECT identifier FROM memories WHERE identifier = %s", ["a%"])
    by_name = db.sql(
        "SELECT identifier FROM memories WHERE identifier LIKE %(like)s AND '%%' = %(sign)s",
        {"like": "a_", "sign": "%"},
    )
    literal = db.sql("SELECT identifier FROM memories WHERE identifier LIKE 'a%' -- all")
    for found in (by_position, by_name, literal):
        assert found["identifier"].tolist() == ["a%"]


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres"])
def test_settings_do_not_change_results(connect: Connect, dsn: str, style: str) -> None:
    db = connect(f"{dsn} options='-c DateStyle={style.replace(' ', '')} -c TimeZone=Asia/Tokyo'")
    found = db.sql("SELECT TIMESTAMPTZ '2026-02-01 00:00Z' AS time, DATE '2026-02-01' AS day")
    assert found["time"].tolist() == [pd.Timestamp("2026-02-01", tz="UTC")]
    assert str(found["day"][0]) == "2026-02-01"


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM memories RETURNING 1) SELECT * FROM gone",
        "SELECT 1; DELETE FROM memories",
        "SELECT 1) AS a; DELETE FROM memories; SELECT * FROM (SELECT 1",
        "DELETE FROM memories",
        "SELECT setval('numbers', 7)",
        "SELECT nope",
    ],
)
def test_nothing_is_changed(db: Client, sql: psycopg.Connection, query: str) -> None:
    sql.execute("CREATE SEQUENCE numbers")
    db.memory("m").remember(asked("q"))
    with pytest.raises(OperationFailed, match="run a query"):
        db.sql(query)
    assert db.memories.count() == 1
    db.memory("m").remember(asked("q"))  # the connection can write again


def test_error_of_a_query_advises_about_the_query(db: Client) -> None:
    with pytest.raises(OperationFailed, match=r'"nope" does not exist \(42703\); check the names'):
        db.sql("SELECT nope")
    with pytest.raises(OperationFailed, match=r"\(42601\); give one SELECT, VALUES or WITH query$"):
        db.sql("DELETE FROM memories")
    with pytest.raises(TableMissing, match=r"\(42P01\); check the names of the tables"):
        db.sql("SELECT * FROM nope")


def test_error_that_quotes_several_lines_of_a_query_is_one_line(db: Client) -> None:
    with pytest.raises(OperationFailed) as caught:
        db.sql("SELECT '\nunterminated")
    assert str(caught.value) == (
        "run a query: unterminated quoted string at or near \"' (42601); "
        "give one SELECT, VALUES or WITH query"
    )


def test_query_in_a_transaction_sees_it_and_does_not_end_it(db: Client) -> None:
    with db.transaction():
        db.memory("m").remember(asked("q"))
        assert db.sql("SELECT count(*) FROM memories")["count"].tolist() == [1]
        db.memory("n").remember(asked("q"))
    assert db.memories.count() == 2


def test_timeout_limits_a_query(connect: Connect, dsn: str) -> None:
    db = connect(dsn)
    with limited(db, 0.2), pytest.raises(TimedOut):
        db.sql("SELECT pg_sleep(30)::TEXT")
    assert db.sql("SELECT 1 AS one")["one"].tolist() == [1]


def test_invalid_arguments_are_rejected(db: Client) -> None:
    with pytest.raises(ValueError, match="query must not be blank"):
        db.sql(" ;")
    with pytest.raises(TypeError, match="parameters must be a sequence or a mapping"):
        db.sql("SELECT %s", "a")


def test_query_of_missing_views_says_how_to_create_them(db: Client) -> None:
    with pytest.raises(OperationFailed, match=r"create the views with frames\.create_views\(\)"):
        db.sql("SELECT * FROM draive_pg.sessions")
    with pytest.raises(OperationFailed, match=r"setup\(\) creates those of draive_pg"):
        db.sql("SELECT * FROM draive_pg.draive_pg_labels")
