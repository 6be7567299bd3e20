"""draive-pg doctor, and `diagnose` of both clients."""

import json
import re

import psycopg
import pytest

from draive_pg import Client
from draive_pg.lines.line import LINE_89
from draive_pg.operations.admin.catalog import TABLES, is_for, parts_of
from draive_pg.operations.admin.migrations import migrations, migrations_for
from tests.cli_runner import Shell
from tests.conftest import Connect
from tests.pooler import pooled
from tests.schema import DRAIVE_TABLES, make_role, run_sql
from tests.server import wait_until


def test_expected_objects_match_those_created_by_setup(sql: psycopg.Connection) -> None:
    made = {
        *sql.execute(
            "SELECT 'table', relname::TEXT, relname::TEXT FROM pg_class "
            "WHERE relnamespace = 'public'::REGNAMESPACE AND relkind = 'r'"
        ),
        *sql.execute(
            "SELECT 'column', attname::TEXT, relname::TEXT FROM pg_attribute "
            "JOIN pg_class ON pg_class.oid = attrelid "
            "WHERE relnamespace = 'public'::REGNAMESPACE AND relkind = 'r' AND attnum > 0"
        ),
        *sql.execute(
            "SELECT 'index', indexrelid::REGCLASS::TEXT, indrelid::REGCLASS::TEXT FROM pg_index "
            "JOIN pg_class ON pg_class.oid = indrelid "
            "WHERE relnamespace = 'public'::REGNAMESPACE AND NOT indisprimary"
        ),
        *sql.execute(
            "SELECT 'trigger', tgname::TEXT, tgrelid::REGCLASS::TEXT FROM pg_trigger "
            "WHERE NOT tgisinternal"
        ),
    }
    expected = {
        (kind, name, table.name)
        for table in TABLES
        for kind, names in (
            ("table", {table.name: table.migration}),
            ("column", dict.fromkeys(table.columns, table.migration)),
            ("index", table.indexes),
            ("trigger", table.triggers),
        )
        for name, migration in names.items()
        if is_for(table.migration, parts_of(LINE_89)) and is_for(migration, parts_of(LINE_89))
    }
    assert expected == made


def test_each_object_names_last_migration_that_creates_it() -> None:
    texts = {migration.name: migration.sql for migration in migrations()}
    for table in TABLES:
        assert f"CREATE TABLE IF NOT EXISTS {table.name} (" in texts[table.migration]
        for name, file in (*table.indexes.items(), *table.triggers.items()):
            creates = re.compile(rf"(INDEX IF NOT EXISTS|TRIGGER) {name}\b[^;]*\bON {table.name}\b")
            assert file == [name for name, sql in texts.items() if creates.search(sql)][-1]


def test_diagnose_after_setup_finds_no_problems(db: Client, sql: psycopg.Connection) -> None:
    db.instructions.define("greeting", content="Hello")
    sql.execute("ANALYZE instructions")
    found = db.diagnose()
    assert found.problems == ()
    assert (found.schema, found.role, found.standby) == ("public", sql.info.user, False)
    assert found.version == str(sql.execute("SHOW server_version").fetchone()[0])
    assert [each.name for each in found.migrations] == [
        each.name for each in migrations_for(LINE_89)
    ]
    assert {each.state for each in found.migrations} == {"applied"}
    table = next(each for each in found.tables if each.name == "instructions")
    assert (table.present, table.rows, table.missing) == (True, 1, ())
    assert table.rights == ("SELECT", "INSERT", "UPDATE", "DELETE")
    ((size,),) = sql.execute("SELECT pg_total_relation_size('instructions')").fetchall()
    assert table.bytes == size


def test_diagnose_creates_nothing(connect: Connect, empty_dsn: str, shell: Shell) -> None:
    assert len(connect(empty_dsn, schema="team").diagnose().problems) == 1
    assert shell("doctor", "--dsn", empty_dsn).code == 1
    with psycopg.connect(empty_dsn) as connection:
        made = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::REGNAMESPACE "
            "UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'team'"
        ).fetchall()
    assert made == []


def test_diagnose_of_draive_tables_reports_missing_migrations(
    connect: Connect, empty_dsn: str
) -> None:
    run_sql(empty_dsn, DRAIVE_TABLES)
    found = connect(empty_dsn).diagnose()
    (problem,) = found.problems
    assert problem.startswith("not applied: 000_migrations, 001_configurations, ")
    assert "setup" in problem
    missing = {table.name: table.missing for table in found.tables if table.missing}
    assert missing["memories_elements"] == (
        "index memories_elements_identifier_created",
        "index memories_elements_created_identifier",
    )
    assert missing["draive_pg_migrations"] == ("table draive_pg_migrations",)
    assert "trigger draive_pg_notify" in missing["configurations"]


def test_missing_objects_are_reported_with_what_to_do(db: Client, sql: psycopg.Connection) -> None:
    sql.execute("DROP INDEX memories_elements_identifier_created")
    sql.execute("ALTER TABLE instructions DISABLE TRIGGER draive_pg_notify")
    sql.execute("ALTER TABLE configurations DROP COLUMN content")
    sql.execute("UPDATE draive_pg_migrations SET checksum = 'other' WHERE version = 3")
    sql.execute("INSERT INTO draive_pg_migrations VALUES (999, '999_later', 'x')")
    found = db.diagnose()
    assert [each.state for each in found.migrations].count("changed") == 1
    assert found.migrations[-1].state == "unknown"
    for parts in (
        ("index memories_elements_identifier_created", "004_memory_indexes", "run setup"),
        ("trigger draive_pg_notify", "008_notifications", "run setup"),
        ("column content", "another schema"),
        ("003_memories", "another text"),
        ("999_later", "upgrade"),
    ):
        assert any(all(part in each for part in parts) for each in found.problems), parts
    assert len(found.problems) == 5


def test_diagnose_counts_partitions_with_their_table(connect: Connect, empty_dsn: str) -> None:
    key = "PRIMARY KEY (name, created)\n)"
    run_sql(empty_dsn, DRAIVE_TABLES.replace(f"{key};", f"{key} PARTITION BY HASH (name);"))
    for part in (0, 1):
        run_sql(
            empty_dsn,
            f"CREATE TABLE part_{part} PARTITION OF instructions "
            f"FOR VALUES WITH (MODULUS 2, REMAINDER {part})",
        )
    db = connect(empty_dsn)
    db.setup()
    for name in "abcdefgh":
        db.instructions.define(name, content="Hello")
    run_sql(empty_dsn, "ANALYZE part_0; ANALYZE part_1")
    found = db.diagnose()
    assert found.problems == ()
    table = next(each for each in found.tables if each.name == "instructions")
    with psycopg.connect(empty_dsn) as connection:
        ((size,),) = connection.execute(
            "SELECT pg_total_relation_size('part_0') + pg_total_relation_size('part_1')"
        ).fetchall()
    assert (table.rows, table.bytes) == (8, size)


def test_diagnose_reports_unexpected_required_column(db: Client, sql: psycopg.Connection) -> None:
    sql.execute("ALTER TABLE configurations ADD COLUMN owner TEXT NOT NULL")
    (problem,) = db.diagnose().problems
    assert problem.startswith("configurations: column owner is required")


@pytest.mark.usefixtures("server_roles")
def test_diagnose_reports_privileges_of_role(connect: Connect, dsn: str) -> None:
    role = make_role(dsn, "dpg_test_reader", "SELECT ON memories, draive_pg_migrations")
    found = connect(role).diagnose()
    rights = {table.name: table.rights for table in found.tables}
    assert rights["memories"] == ("SELECT",)
    assert rights["instructions"] == ()
    (problem,) = found.problems
    assert "'dpg_test_reader' may not read" in problem
    assert "instructions" in problem
    run_sql(dsn, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    closed = connect(role, schema="public").diagnose()
    assert closed.migrations == ()
    assert all(table.rights == () and table.present for table in closed.tables)


def test_diagnose_lists_listeners(dsn: str, db: Client) -> None:
    assert db.diagnose().listeners == ()
    with Client(dsn, live=True) as live:
        live.configurations.configurations()
        wait_until(lambda: len(db.diagnose().listeners) == 1)
        (listener,) = db.diagnose().listeners
        assert listener.application == "draive_pg"


# --- The command


def test_doctor_exits_with_code_0_without_problems(shell: Shell, dsn: str) -> None:
    done = shell("doctor", "--dsn", f"{dsn} password=secret")
    assert (done.code, done.err) == (0, "")
    assert "All is well." in done.out
    assert "memories_elements" in done.out
    assert "secret" not in done.out
    assert "\x1b" not in done.out


def test_doctor_exits_with_code_1_and_names_problem(
    shell: Shell, dsn: str, sql: psycopg.Connection
) -> None:
    sql.execute("DROP TABLE memories_variables")
    done = shell("doctor", "--dsn", dsn)
    assert done.code == 1
    assert "table memories_variables is missing" in done.out
    assert "All is well" not in done.out


def test_setup_command_repairs_what_is_missing(
    shell: Shell, dsn: str, sql: psycopg.Connection
) -> None:
    sql.execute("DROP INDEX memories_elements_identifier_created")
    sql.execute("DROP TRIGGER draive_pg_notify ON instructions")
    done = shell("setup", "--dsn", dsn)
    assert (done.code, done.err) == (0, "")
    assert "004_memory_indexes" in done.out
    assert shell("doctor", "--dsn", dsn).code == 0


def test_tables_in_another_schema_are_named(connect: Connect, dsn: str, empty_dsn: str) -> None:
    problems = connect(dsn, schema="elsewhere").diagnose().problems
    assert any("the tables are in schema 'public'" in problem for problem in problems)
    assert not any("are in schema" in each for each in connect(empty_dsn).diagnose().problems)


def test_setup_is_not_the_first_advice_if_the_tables_are_elsewhere_or_foreign(
    connect: Connect, dsn: str, empty_dsn: str
) -> None:
    run_sql(dsn, "CREATE SCHEMA team")
    run_sql(empty_dsn, "CREATE TABLE instructions (id INT, body TEXT)")
    problems = connect(dsn, schema="team").diagnose().problems
    assert problems[0].startswith("the tables are in schema 'public': ")
    problems = connect(empty_dsn).diagnose().problems
    assert problems[0].startswith("instructions: column name is missing: ")
    assert any("run setup" in each for each in problems[1:])


def test_changed_column_types_are_reported(db: Client, sql: psycopg.Connection) -> None:
    sql.execute("ALTER TABLE memories_elements ALTER content TYPE TEXT")
    (problem,) = db.diagnose().problems
    assert problem.startswith("memories_elements: column content has type text, not jsonb: ")


def test_rows_that_cannot_be_read_are_reported(db: Client, sql: psycopg.Connection) -> None:
    sql.execute("INSERT INTO configurations VALUES ('list', '[]'), ('fine', '{}')")
    sql.execute("INSERT INTO configurations VALUES ('late', '{}', 'infinity')")
    sql.execute("INSERT INTO instructions (name, content, meta) VALUES ('p', '', '[]')")
    sql.execute("INSERT INTO memories VALUES ('m')")
    for document in ("1", "{}", '{"type": "model_input"}'):
        sql.execute("INSERT INTO memories_elements VALUES ('m', $1)", [document])
    sql.execute("INSERT INTO memories_variables VALUES ('m', 'null')")
    assert [problem.partition(": correct")[0] for problem in db.diagnose().problems] == [
        "configurations: 2 rows cannot be read, such as of 'late'",
        "instructions: 1 row cannot be read, such as of 'p'",
        "memories_variables: 1 row cannot be read, such as of 'm'",
        "memories_elements: 2 rows cannot be read, such as of 'm'",
    ]


def test_other_encodings_than_utf8_are_reported(sql: psycopg.Connection, dsn: str) -> None:
    name = f"{sql.info.dbname}_latin"
    sql.execute(
        f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' "  # pyright: ignore
        "TEMPLATE template0"
    )
    try:
        with Client(f"{dsn} dbname={name}") as db:
            db.setup()
            (problem,) = db.diagnose().problems
        assert "encoding LATIN1" in problem
        assert "UTF8" in problem
    finally:
        sql.execute(f"DROP DATABASE {name} WITH (FORCE)")  # pyright: ignore


def test_doctor_json_output(shell: Shell, dsn: str, empty_dsn: str) -> None:
    found = json.loads(shell("doctor", "--dsn", dsn, "--json").out)
    assert (found["problems"], found["pooler"], found["embedded"]) == ([], False, None)
    assert [each["name"] for each in found["database"]["migrations"]] == [
        each.name for each in migrations_for(LINE_89)
    ]
    done = shell("doctor", "--dsn", empty_dsn, "--json")
    assert done.code == 1
    assert len(json.loads(done.out)["problems"]) == 1


def test_doctor_reports_unreachable_server(shell: Shell) -> None:
    address = "host=127.0.0.1 port=1 password=secret"
    for options in ((), ("--json",)):
        done = shell("doctor", "--dsn", address, *options)
        assert (done.code, done.err) == (1, "")
        assert "Connection refused" in done.out
        assert "secret" not in done.out


def test_doctor_without_postgresql_suggests_installation(shell: Shell) -> None:
    done = shell("doctor", "--json")
    assert done.code == 1
    assert "PGBINDIR" in json.loads(done.out)["problems"][0]


def test_doctor_detects_transaction_pooler(shell: Shell, dsn: str) -> None:
    with pooled(dsn, size=2) as address:
        found = json.loads(shell("doctor", "--dsn", address, "--json").out)
    assert (found["pooler"], found["problems"]) == (True, [])
