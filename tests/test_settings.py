"""Settings of the server, the database, the role and the environment do not change results."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from haiway.postgres import Postgres
from psycopg.sql import SQL, Identifier, Literal

from draive_pg import Client
from draive_pg.adapters import PostgresModelMemory
from tests.conftest import Connect
from tests.draive_scope import InScope
from tests.elements import asked, called, responded, texts

# Values other than the defaults for every setting of the category "Locale and Formatting", and of
# those for compatibility, and for others that sessions are often given.
SETTINGS: dict[str, dict[str, str]] = {
    "text output": {
        "DateStyle": "SQL, DMY",
        "IntervalStyle": "sql_standard",
        "TimeZone": "Asia/Kathmandu",
        "bytea_output": "escape",
        "client_encoding": "LATIN1",
        "extra_float_digits": "-15",
        "lc_messages": "POSIX",
        "lc_monetary": "POSIX",
        "lc_numeric": "POSIX",
        "lc_time": "POSIX",
        "quote_all_identifiers": "on",
        "timezone_abbreviations": "India",
        "xmlbinary": "hex",
    },
    "parsing": {
        "DateStyle": "German",
        "array_nulls": "off",
        "backslash_quote": "off",
        "default_text_search_config": "pg_catalog.english",
        "escape_string_warning": "off",
        "icu_validation_level": "error",
        "standard_conforming_strings": "off",
        "transform_null_equals": "on",
        "xmloption": "document",
    },
    "behaviour": {
        "DateStyle": "Postgres, MDY",
        "client_min_messages": "debug1",
        "default_transaction_deferrable": "on",
        "default_transaction_isolation": "serializable",
        "lo_compat_privileges": "on",
        "synchronize_seqscans": "off",
    },
}

# Settings that are meant to limit what a session may do.
LIMITING = (
    "^(.*(read_only|timeout)|max_stack_depth|role|row_security|session_.*|temp_file_limit"
    "|transaction_.*)$"
)

# The other value of each boolean, a value of each enumeration, an extreme one of each number.
EXTREMES = """
SELECT
    name,
    CASE
        WHEN vartype = 'bool' THEN CASE setting WHEN 'on' THEN 'off' ELSE 'on' END
        WHEN vartype = 'enum' THEN enumvals[1 + %(n)s %% cardinality(enumvals)]
        WHEN %(n)s = 0 THEN min_val
        ELSE max_val
    END
FROM pg_settings
WHERE context IN ('user', 'superuser') AND vartype <> 'string' AND name !~ %(limiting)s
"""

ODD = "a\\b 'c' \"d\" \\n {NULL} żółć €"


def pull(db: Client) -> list[tuple[str, str]]:
    """Pull prompts, and return the files."""
    with TemporaryDirectory() as folder:
        assert db.instructions.pull(folder).done
        return sorted(
            (each.name, each.read_text(encoding="utf-8")) for each in Path(folder).glob("*.md")
        )


READS: list[Callable[[Client], Any]] = [
    lambda db: db.instructions.history("greeting"),
    lambda db: db.instructions.search("\\b 'c'", meta={"a": ODD}),
    lambda db: db.instructions.labels(),
    lambda db: db.instructions.label_history("greeting", "production"),
    lambda db: db.instructions.resolve("greeting", as_of="2090-01-02T03:04"),
    lambda db: db.configurations.list(),
    lambda db: db.configurations.load_raw("limits"),
    lambda db: db.memories.list(since="2020-01-02"),
    lambda db: db.memories.search('"żółć" -absent').to_csv(),
    lambda db: str(db.memory(ODD).show()),
    lambda db: (texts(db.memory(ODD).recall().context), db.memory(ODD).recall().variables),
    lambda db: db.memories.erase([ODD, "NULL"]),
    lambda db: db.frames.conversation_log(since="2020-01-02").to_csv(),
    lambda db: db.frames.tool_calls(tool=["find", ODD]).to_csv(),
    lambda db: db.frames.variables().to_csv(),
    lambda db: db.frames.instruction_revisions(ODD).to_csv(),
    lambda db: db.diagnose().problems,
    pull,
]


def set_for_database(sql: psycopg.Connection, name: str, value: str) -> None:
    """Set the defaults of new sessions of a database."""
    values = SQL(", ").join(map(Literal, value.split(", ")))
    sql.execute(
        SQL("ALTER DATABASE {} SET {} = {}").format(
            Identifier(sql.info.dbname), Identifier(name), values
        )
    )


def write(db: Client, name: str) -> None:
    db.instructions.define(name, content=ODD.replace("{", "{{").replace("}", "}}"), message=ODD)
    db.instructions.label(name, "production")
    db.configurations.define(name, {"float": 0.1 + 0.2, "integer": 10**15, "text": ODD})
    db.memory(name).remember(
        asked(ODD),
        called("c", x=1e100, text=ODD),
        responded("c", text='{ "error": 1}'),
        variables={ODD: None},
    )
    db.release(prompts={name: "new"}, labels={"staging": {name: 1}})


@pytest.mark.parametrize("group", SETTINGS)
def test_settings_of_a_database_do_not_change_results(
    connect: Connect, dsn: str, sql: psycopg.Connection, group: str
) -> None:
    default = connect(dsn)
    for name in ("greeting", "limits", ODD, "NULL"):
        write(default, name)
    expected = [read(default) for read in READS]
    for name, value in SETTINGS[group].items():
        with suppress(psycopg.errors.UndefinedObject):  # of other versions of PostgreSQL
            set_for_database(sql, name, value)
    db = connect(dsn)
    assert [read(db) for read in READS] == expected
    write(db, "written")
    for read in (
        lambda db: db.instructions.history("written"),
        lambda db: db.configurations.history("written"),
        lambda db: db.memory("written").log().to_csv(),
        lambda db: db.memory("written").recall(),
    ):
        assert read(db) == read(default)


@pytest.mark.parametrize(
    "n", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 6))]
)
def test_extreme_settings_do_not_change_results(
    connect: Connect, dsn: str, sql: psycopg.Connection, n: int
) -> None:
    for name in ("greeting", "limits", ODD, "NULL"):
        write(connect(dsn), name)
    expected = [read(connect(dsn)) for read in READS]
    with psycopg.connect(dsn) as connection:
        values = connection.execute(EXTREMES, {"n": n, "limiting": LIMITING}).fetchall()
    for name, value in values:
        set_for_database(sql, name, value)
    db = connect(dsn)
    assert [read(db) for read in READS] == expected
    write(db, "written")


def test_settings_that_affect_the_format_of_values_are_tested(sql: psycopg.Connection) -> None:
    rows = sql.execute(
        "SELECT name FROM pg_settings WHERE context IN ('user', 'superuser') "
        "AND (category LIKE '% / Locale and Formatting' OR category LIKE '%Compatibility / %')"
    ).fetchall()
    assert {name for (name,) in rows} <= {*chain(*SETTINGS.values())}


def test_variables_of_libpq_do_not_change_results(
    connect: Connect, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = connect(dsn)
    for each in ("greeting", "limits", ODD, "NULL"):
        write(default, each)
    expected = [read(default) for read in READS]
    monkeypatch.setenv("PGDATESTYLE", "SQL, DMY")
    monkeypatch.setenv("PGTZ", "America/New_York")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGOPTIONS", "-c standard_conforming_strings=off -c IntervalStyle=iso_8601")
    assert [read(connect(dsn)) for read in READS] == expected


@pytest.mark.parametrize(("name", "value"), [("DateStyle", "German"), ("TimeZone", "Asia/Tokyo")])
def test_settings_do_not_change_results_of_the_adapters(
    in_scope: InScope, sql: psycopg.Connection, name: str, value: str
) -> None:
    async def body() -> None:
        row = await Postgres.fetch_one("SELECT '2026-01-02 03:04:05.6+00'::TIMESTAMPTZ AS time")
        assert row is not None
        assert row["time"] == datetime(2026, 1, 2, 3, 4, 5, 600_000, UTC)
        await PostgresModelMemory("m").remember(asked(ODD), variables={"x": 0.1})
        recalled = await PostgresModelMemory("m").recall()
        assert (texts(recalled.context), recalled.variables) == ([ODD], {"x": 0.1})

    set_for_database(sql, name, value)
    in_scope(body())
