"""`setup` for each line of draive, and for databases with tables of several lines."""

import psycopg
import pytest

from draive_pg import Client, SchemaInvalid
from draive_pg.lines.line import LINE_89, LINE_99, LINE_118, LINES, Line
from draive_pg.operations.admin.migrations import migrations_for
from tests.schema import DRAIVE_TABLES, run_sql, set_up

OURS = {
    "draive_pg_migrations",
    "draive_pg_folder_bases",
    "draive_pg_removed",
    "draive_pg_removed_elements",
    "draive_pg_keys",
    "draive_pg_ttl",
    "draive_pg_annotations",
    "draive_pg_configuration_labels",
    "draive_pg_configuration_removals",
    "draive_pg_configuration_revisions",
}
PROMPTS = {
    "instructions": {
        "instructions",
        "draive_pg_labels",
        "draive_pg_removals",
        "draive_pg_revisions",
    },
    "templates": {
        "templates",
        "draive_pg_template_labels",
        "draive_pg_template_removals",
        "draive_pg_template_revisions",
    },
}
MEMORIES = {"memories", "memories_elements", "memories_variables"}
STORES = {
    "memories": MEMORIES,
    "uuid_memories": MEMORIES,
    "conversation_memory": {"conversation_memory"},
    "agent_memory": {"agent_memory"},
}

# As draive 0.118 and haiway 0.59 create them.
TABLES_118 = """
CREATE TABLE configurations (
    identifier TEXT NOT NULL, name TEXT NOT NULL, content JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (identifier, created)
);
CREATE INDEX configurations_idx ON configurations (identifier, created DESC);
CREATE TABLE templates (
    identifier TEXT NOT NULL, description TEXT DEFAULT NULL, content TEXT NOT NULL,
    variables JSONB NOT NULL DEFAULT '{}'::jsonb, meta JSONB NOT NULL DEFAULT '{}'::jsonb,
    created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (identifier, created)
);
CREATE TABLE conversation_memory (
    thread_id TEXT NOT NULL, identifier UUID NOT NULL, turn TEXT NOT NULL, payload JSONB NOT NULL,
    created TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (thread_id, identifier)
);
"""


def tables(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        return {
            name
            for (name,) in connection.execute(
                "SELECT relname::TEXT FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = 'public'::REGNAMESPACE"
            )
        }


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_setup_creates_tables_of_line_and_ours(empty_dsn: str, line: Line) -> None:
    assert set_up(empty_dsn, line) == tuple(each.name for each in migrations_for(line))
    stores = set[str]().union(*(STORES[store] for store in line.stores))
    assert tables(empty_dsn) == OURS | {"configurations"} | PROMPTS[line.prompts] | stores
    assert set_up(empty_dsn, line) == ()
    assert set_up(empty_dsn) == ()  # the line is that of the tables
    with Client(empty_dsn) as db:
        assert db.diagnose().problems == ()


def test_setup_adopts_database_of_draive_0_118(empty_dsn: str) -> None:
    run_sql(empty_dsn, TABLES_118)
    set_up(empty_dsn)
    assert tables(empty_dsn) >= {"draive_pg_template_labels", "draive_pg_configuration_labels"}
    assert not tables(empty_dsn) & {"instructions", "memories", "draive_pg_labels"}
    with Client(empty_dsn) as db:
        assert db.templates.define("t", content="x").revision == 1
        assert db.configurations.define("c", {"x": 1}).revision == 1
        assert db.diagnose().problems == ()


def test_tables_of_two_lines_share_a_schema(empty_dsn: str) -> None:
    set_up(empty_dsn, LINE_89)
    added = set_up(empty_dsn, LINE_118)
    numbers = ["014", "015", "016", "018", "020", "021", "022", "023", "024", "025", "026", "029"]
    assert [name[:3] for name in added] == numbers
    assert set_up(empty_dsn) == ()
    with Client(empty_dsn, draive="0.118") as db:
        db.instructions.define("a", content="x")
        db.templates.define("a", content="y")
        assert db.diagnose().problems == ()


def test_other_tables_of_the_same_names_are_left_alone(empty_dsn: str) -> None:
    run_sql(empty_dsn, DRAIVE_TABLES)
    run_sql(empty_dsn, "CREATE TABLE templates (id INT PRIMARY KEY, html TEXT)")
    set_up(empty_dsn)
    assert not tables(empty_dsn) & {"draive_pg_template_labels"}
    with Client(empty_dsn) as db:
        assert db.diagnose().problems == ()
    with pytest.raises(SchemaInvalid, match="templates: column identifier is missing"):
        set_up(empty_dsn, LINE_118)


def test_memories_of_another_line_are_refused(empty_dsn: str) -> None:
    set_up(empty_dsn, LINE_89)
    before = tables(empty_dsn)
    with pytest.raises(SchemaInvalid, match=r"are of draive 0\.87 to 0\.89, not of draive 0\.93"):
        set_up(empty_dsn, LINE_99)
    assert tables(empty_dsn) == before


def test_configurations_without_class_get_a_name(empty_dsn: str) -> None:
    set_up(empty_dsn, LINE_89)
    run_sql(empty_dsn, "INSERT INTO configurations VALUES ('app.Limits', '{}')")
    set_up(empty_dsn, LINE_118)
    for values in ("'chat', '{}', 'Chat'", "'chat', '{}', NULL", "'other', '{}', NULL"):
        run_sql(
            empty_dsn, f"INSERT INTO configurations (identifier, content, name) VALUES ({values})"
        )
    with psycopg.connect(empty_dsn) as connection:
        rows = connection.execute("SELECT identifier, name FROM configurations ORDER BY created")
        names = rows.fetchall()
    assert names == [("app.Limits", "Limits"), *[("chat", "Chat")] * 2, ("other", "other")]
