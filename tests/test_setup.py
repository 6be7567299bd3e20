"""Setup of the tables: creation, upgrade, adoption, and concurrency."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from IPython.lib.pretty import pretty
from psycopg.conninfo import make_conninfo

from draive_pg import (
    AppliedMigrations,
    Client,
    OperationFailed,
    PermissionDenied,
    SchemaInvalid,
    TableMissing,
)
from draive_pg.lines.line import LINE_89
from draive_pg.operations.admin import migrations
from draive_pg.operations.operation import Operation, Statement
from tests.conftest import Connect
from tests.elements import asked, texts
from tests.every_call import READS, WRITES, fill
from tests.schema import DRAIVE_TABLES, make_role, run_sql

DUMP = Path(__file__).parent / "data" / "version_0_1_0.sql"

SEED_TABLES = (
    "configurations",
    "instructions",
    "memories",
    "memories_elements",
    "memories_variables",
)

DESCRIBED = """
SELECT
    relation.relname,
    coalesce(
        (SELECT string_agg(
            column_name || ' ' || data_type || ' ' || is_nullable || coalesce(column_default, ''),
            ', ' ORDER BY ordinal_position
        ) FROM information_schema.columns
        WHERE table_schema = $1 AND table_name = relation.relname),
        pg_get_indexdef(relation.oid)
    ),
    (SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY conname)
     FROM pg_constraint WHERE conrelid = relation.oid)
FROM pg_class AS relation
WHERE relation.relnamespace = to_regnamespace(quote_ident($1)) AND relation.relkind IN ('r', 'i')
ORDER BY relation.relname
"""


def described(dsn: str, schema: str = "public") -> dict[str, tuple[str, ...]]:
    """Return columns, defaults, constraints and indexes by the name of their relation."""
    with psycopg.connect(dsn, cursor_factory=psycopg.RawCursor) as connection:
        rows = connection.execute(DESCRIBED, (schema,)).fetchall()
    return {
        name: tuple((text or "").replace(f"{schema}.", "") for text in rest) for name, *rest in rows
    }


def test_setup_creates_tables_once(connect: Connect, empty_dsn: str) -> None:
    db = connect(empty_dsn)
    assert db.setup() == tuple(migration.name for migration in migrations.migrations_for(LINE_89))
    assert db.setup() == ()
    db.memory("m").remember(asked("q"))
    assert texts(db.memory("m").recall().context) == ["q"]


def test_tables_equal_those_of_draive(empty_dsn: str, dsn: str) -> None:
    run_sql(empty_dsn, DRAIVE_TABLES)
    seed, ours = described(empty_dsn), described(dsn)
    assert set(SEED_TABLES) <= seed.keys()
    for relation, description in seed.items():
        assert ours[relation] == description


def test_missing_tables_error_suggests_setup(connect: Connect, empty_dsn: str) -> None:
    db = connect(empty_dsn)
    for ask in (
        db.memories.identifiers,
        db.memory("m").recall,
        db.configurations.configurations,
        lambda: db.configurations.load_raw("x"),
        lambda: db.instructions.define("x", content=""),
        db.frames.sessions,
    ):
        with pytest.raises(
            TableMissing, match=r"does not exist \(42P01\); create the tables with setup"
        ):
            ask()


def test_missing_prompts_of_another_draive_are_explained(db: Client) -> None:
    with pytest.raises(TableMissing, match=r"templates for a newer one: choose with draive="):
        db.templates.load("greeting")


def test_setup_adopts_database_of_draive(connect: Connect, empty_dsn: str, dsn: str) -> None:
    run_sql(empty_dsn, DRAIVE_TABLES)
    run_sql(
        empty_dsn,
        "INSERT INTO memories VALUES ('old');"
        "INSERT INTO memories_elements (identifier, content) VALUES ('old', "
        f"'{asked('before').to_json()}')",
    )
    db = connect(empty_dsn)
    assert texts(db.memory("old").recall().context) == ["before"]  # works without setup, too
    db.setup()
    db.memory("old").remember(asked("after"))
    assert texts(db.memory("old").recall().context) == ["before", "after"]
    assert described(empty_dsn) == described(dsn)


def test_setup_adopts_manually_applied_migrations(empty_dsn: str, dsn: str) -> None:
    for migration in migrations.migrations_for(LINE_89):
        run_sql(empty_dsn, migration.sql)
    assert described(empty_dsn) == described(dsn)
    with Client(empty_dsn) as db:
        db.setup()
    assert described(empty_dsn) == described(dsn)


def test_migration_files_are_idempotent(dsn: str) -> None:
    before = described(dsn)
    for migration in migrations.migrations_for(LINE_89):
        run_sql(dsn, migration.sql)
    assert described(dsn) == before


def test_applied_migrations_are_shown_as_one_line(db: Client) -> None:
    names = ("001_configurations", "002_instructions")
    shown = [str(AppliedMigrations(names[:count])) for count in range(3)]
    assert shown == [
        "The tables are up to date.",
        "The tables are up to date; 1 migration was applied: 001_configurations.",
        "The tables are up to date; 2 migrations were applied: 001_configurations to "
        "002_instructions.",
    ]
    assert pretty(db.setup()) == shown[0]
    assert pickle.loads(pickle.dumps(AppliedMigrations(names))) == names


@pytest.mark.slow
def test_concurrent_setup_by_processes_succeeds(empty_dsn: str) -> None:
    code = "import sys, draive_pg; draive_pg.Client(sys.argv[1], schema='team').setup()"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, empty_dsn], stderr=subprocess.PIPE)
        for _ in range(10)
    ]
    assert [(process.communicate(timeout=120)[1], process.returncode) for process in processes] == [
        (b"", 0)
    ] * 10


def test_concurrent_setup_returns_only_applied_migrations(empty_dsn: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        clients = [Client(empty_dsn) for _ in range(8)]
        applied = list(pool.map(lambda db: db.setup(), clients))
        for db in clients:
            db.close()
    names = tuple(migration.name for migration in migrations.migrations_for(LINE_89))
    assert sorted(applied) == [()] * 7 + [names]


def test_tables_of_rolled_back_setup_are_forgotten(connect: Connect, empty_dsn: str) -> None:
    run_sql(empty_dsn, DRAIVE_TABLES)
    db = connect(empty_dsn)
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.setup()
        db.instructions.define("p", content="x")
        assert db.instructions.history("p")[0].revision == 1
        assert db.memories.count() == 0
        raise ZeroDivisionError
    assert not db.instructions.history("p")
    db.instructions.define("p", content="y")
    assert db.instructions.load("p") == "y"


def test_line_of_rolled_back_setup_is_forgotten(connect: Connect, empty_dsn: str) -> None:
    db = connect(empty_dsn)
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.setup()
        assert db.memories.count() == 0
        raise ZeroDivisionError
    with connect(empty_dsn, draive="0.100") as newer:
        newer.setup()
    assert db.memories.count() == 0


@pytest.mark.parametrize(
    "schema", ["team_a", 'Team "A"\'s; DROP TABLE memories; --', "żółć😀", "select", "%s %(x)s $1"]
)
def test_schemas_are_isolated(connect: Connect, dsn: str, schema: str) -> None:
    apart, public = connect(dsn, schema=schema), connect(dsn)
    with pytest.raises(TableMissing):
        apart.memories.identifiers()
    apart.setup()
    assert apart.setup() == ()
    apart.memory("m").remember(asked("q"), variables={"a": 1})
    apart.memory("m").maintenance(variables={"b": 2})
    apart.memory("m").fork("n")
    apart.configurations.define("limits", {"a": 1})
    apart.instructions.define("greeting", content="Hello")
    apart.memories.import_chat("chat", [{"role": "user", "content": "hi"}])
    assert texts(apart.memory("m").recall(limit=1).context) == ["q"]
    assert len(apart.frames.conversation_log()) == 3
    assert len(apart.frames.sessions()) == 3
    assert apart.memories.identifiers() == ("chat", "m", "n")
    assert public.memories.identifiers() == ()
    assert public.configurations.configurations() == ()
    assert public.instructions.available_instructions() == ()
    names = described(dsn, schema).keys()
    assert names == described(dsn).keys()


def with_path(dsn: str, path: str) -> str:
    return make_conninfo(dsn, options=f"-c search_path={path}")


def test_setup_creates_tables_where_those_of_draive_are(
    connect: Connect, empty_dsn: str, dsn: str
) -> None:
    run_sql(empty_dsn, f"CREATE SCHEMA app; {DRAIVE_TABLES}")
    run_sql(empty_dsn, "INSERT INTO instructions (name, content) VALUES ('p', 'x')")
    db = connect(with_path(empty_dsn, "app,public"))
    with db.transaction():
        assert db.setup()
        assert db.instructions.load("p") == "x"
        db.instructions.define("p", content="y")
    assert described(empty_dsn) == described(dsn)
    assert described(empty_dsn, "app") == {}
    assert db.setup() == ()
    assert db.diagnose().problems == ()
    assert db.diagnose().schema == "public"
    assert db.instructions.remove("p") == 2


def test_setup_refuses_search_path_without_schema(connect: Connect, empty_dsn: str) -> None:
    with pytest.raises(SchemaInvalid, match="there is no schema in the search path; create it"):
        connect(with_path(empty_dsn, "nowhere")).setup()
    assert described(empty_dsn) == {}


def test_setup_keeps_search_path_of_transaction(empty_dsn: str) -> None:
    run_sql(empty_dsn, f"CREATE SCHEMA app; {DRAIVE_TABLES}")
    path = Operation[str](
        "show the search path",
        (Statement("SHOW search_path"),),
        decode=lambda rows: rows[0][0],
    )
    with Client(with_path(empty_dsn, "app,public")) as db, db.transaction():
        assert db.setup()
        assert db._database.run(path) == "app,public"


def test_setup_upgrades_and_repairs_tables_in_later_schema(
    connect: Connect, empty_dsn: str
) -> None:
    run_sql(empty_dsn, DUMP.read_text(encoding="utf-8"))
    run_sql(empty_dsn, "CREATE SCHEMA app")
    db = connect(with_path(empty_dsn, "app,public"))
    assert db.setup()
    run_sql(empty_dsn, "DROP INDEX memories_elements_identifier_created")
    assert db.setup()
    assert described(empty_dsn, "app") == {}
    assert db.diagnose().problems == ()
    assert db.instructions.load("greeting", label="production")
    assert db.instructions.remove("greeting", labelled=True)


def test_setup_refuses_tables_in_several_schemas(connect: Connect, dsn: str) -> None:
    db, app = connect(with_path(dsn, "app,public")), connect(dsn, schema="app")
    assert app.setup()
    assert db.setup() == ()
    run_sql(dsn, "DROP TABLE app.draive_pg_labels")
    with pytest.raises(SchemaInvalid, match="schemas 'app', 'public' of the search path: name one"):
        db.setup()
    assert any("schemas 'app', 'public'" in problem for problem in db.diagnose().problems)
    assert app.setup()
    assert db.diagnose().problems == ()


@pytest.mark.usefixtures("server_roles")
def test_columns_of_an_application_change_no_results(db: Client, sql: psycopg.Connection) -> None:
    for table in ("configurations", "instructions", "memories", "memories_elements"):
        for column in ("author", "current", "label", "labels", "last", "message", "revision"):
            sql.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT DEFAULT 'other'")
    fill(db)
    assert db.frames.configurations()["revision"].tolist() == [1, 1]
    for call in (*READS.values(), *WRITES.values()):
        call(db)


def test_role_without_ddl_privileges_can_use_existing_tables(connect: Connect, dsn: str) -> None:
    role = make_role(
        dsn, "dpg_test_writer", "SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA public"
    )
    db = connect(role)
    assert db.setup() == ()
    db.memory("m").remember(asked("q"), variables={"a": 1})
    assert texts(db.memory("m").recall().context) == ["q"]
    db.instructions.define("greeting", content="Hello")
    assert db.instructions.remove("greeting") == 1


@pytest.mark.usefixtures("server_roles")
def test_setup_without_ddl_privileges_raises_permission_denied(connect: Connect, dsn: str) -> None:
    role = make_role(dsn, "dpg_test_nobody")
    with pytest.raises(PermissionDenied, match=r"^setup: .*permission denied.*\(42501\)") as caught:
        connect(role, schema="team").setup()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    db = connect(role)
    with pytest.raises(PermissionDenied, match=r"recall memory 'm': permission denied"):
        db.memory("m").recall()


def test_changed_migration_is_rejected(connect: Connect, dsn: str) -> None:
    run_sql(dsn, "UPDATE draive_pg_migrations SET checksum = 'other' WHERE version = 2")
    with pytest.raises(SchemaInvalid, match="002_instructions was applied with another text"):
        connect(dsn).setup()


def relations(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        return [
            name
            for (name,) in connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::REGNAMESPACE "
                "UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'team' ORDER BY 1"
            )
        ]


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("CREATE TABLE configurations (key TEXT, value JSONB)", "column identifier is missing"),
        ("CREATE TABLE memories (id BIGINT PRIMARY KEY, user_id TEXT)", "memories: column"),
        ("CREATE TABLE instructions (id INT, body TEXT)", "instructions: column name is missing"),
        (
            "CREATE TABLE memories (identifier TEXT, created TIMESTAMPTZ, who TEXT NOT NULL)",
            "column who is required",
        ),
        ("CREATE VIEW memories_elements AS SELECT 1", "memories_elements is a view"),
        ("CREATE VIEW draive_pg_labels AS SELECT 1", "draive_pg_labels is a view"),
        ("CREATE SEQUENCE draive_pg_revisions", "draive_pg_revisions is a sequence"),
    ],
)
def test_setup_refuses_tables_of_others_and_creates_nothing(
    connect: Connect, empty_dsn: str, statement: LiteralString, part: str
) -> None:
    run_sql(empty_dsn, statement)
    before = relations(empty_dsn)
    db = connect(empty_dsn)
    with pytest.raises(
        SchemaInvalid, match=rf"^setup: nothing was done: .*{part}.*schema"
    ) as caught:
        db.setup()
    assert "\n" not in str(caught.value)
    assert relations(empty_dsn) == before
    assert any(part in problem for problem in db.diagnose().problems)


def test_setup_that_fails_creates_nothing(connect: Connect, empty_dsn: str) -> None:
    run_sql(empty_dsn, "CREATE TABLE memories (identifier TEXT, created TIMESTAMPTZ)")  # no key
    before = relations(empty_dsn)
    with pytest.raises(OperationFailed, match=r"^setup: "):
        connect(empty_dsn).setup()
    assert relations(empty_dsn) == before


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE draive_pg_labels CASCADE",
        "DROP TABLE memories_elements",
        "DROP TABLE draive_pg_removals, draive_pg_configuration_revisions",
        "DROP INDEX memories_variables_identifier_created",
        "DROP TRIGGER draive_pg_notify ON instructions",
        "ALTER TABLE configurations DISABLE TRIGGER draive_pg_notify",
        "UPDATE pg_index SET indisvalid = FALSE "
        "WHERE indexrelid = 'memories_elements_identifier_created'::REGCLASS",
    ],
)
def test_setup_repairs_what_is_gone(
    connect: Connect, dsn: str, sql: psycopg.Connection, statement: LiteralString
) -> None:
    before = described(dsn)
    db = connect(dsn)
    db.instructions.define("p", content="x")
    sql.execute(statement)
    problems = db.diagnose().problems
    assert problems
    assert [problem for problem in problems if "run setup" not in problem] == []
    assert db.setup()
    assert db.setup() == ()
    assert db.diagnose().problems == ()
    assert described(dsn) == before
    db.instructions.label("p", "production", 1)
    assert db.instructions.load("p") == "x"


def test_migrations_are_consecutive_and_without_schema_names() -> None:
    found = migrations.migrations()
    assert [migration.version for migration in found] == sorted({each.version for each in found})
    for migration in found:
        assert "{schema}" not in migration.sql
        assert "public." not in migration.sql
