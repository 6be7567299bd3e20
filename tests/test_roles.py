"""Roles with least privilege, created by the SQL of docs/how-to/roles.md."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from draive_pg import Client, PermissionDenied, RevisionLabelled, TableMissing
from draive_pg.lines.line import LINE_89
from draive_pg.operations.admin.migrations import migrations_for
from tests.conftest import Connect
from tests.every_call import READS, WRITES, fill
from tests.fault_server import assert_fails
from tests.markdown_blocks import fences
from tests.server import wait_until

DOCUMENT = Path(__file__).parent.parent / "docs" / "how-to" / "roles.md"
DUMP = Path(__file__).parent / "data" / "version_0_1_0.sql"
ROLES = ("owner", "writer", "reader")

MAKE_ROLES, GRANT_BEFORE, GRANT_AFTER, REVOKE, PROTECT = (
    # Other names, because a server may have the roles of the document.
    re.sub(r"\bdraive_(owner|writer|reader)\b", r"dpg_roles_\1", code)
    for _, language, code in fences(DOCUMENT.read_text(encoding="utf-8"))
    if language == "sql"
)

type As = Callable[[str], Client]


@pytest.fixture
def admin(server_roles: None, empty_dsn: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a database with roles, and a schema without tables."""
    with psycopg.connect(empty_dsn, autocommit=True) as admin:
        admin.execute(MAKE_ROLES.encode())
        for role in ROLES:
            admin.execute(f"ALTER ROLE dpg_roles_{role} PASSWORD 'secret'".encode())
        yield admin


@pytest.fixture
def connect_as(admin: psycopg.Connection, connect: Connect, empty_dsn: str) -> As:
    def connect_as(role: str, **options: object) -> Client:
        dsn = make_conninfo(empty_dsn, user=f"dpg_roles_{role}", password="secret")
        return connect(dsn, schema="draive", cache_limit=0, **options)

    return connect_as


@pytest.fixture(params=["granted before", "granted after"])
def granted(request: pytest.FixtureRequest, connect_as: As, admin: psycopg.Connection) -> None:
    """Tables of the owner, with privileges granted before or after their creation."""
    if request.param == "granted before":
        admin.execute(GRANT_BEFORE.encode())
    connect_as("owner").setup()
    if request.param == "granted after":
        admin.execute("GRANT USAGE ON SCHEMA draive TO dpg_roles_writer, dpg_roles_reader")
        admin.execute(GRANT_AFTER.encode())
    admin.execute(REVOKE.encode())


def assert_denied(call: Callable[[], object], asked: str) -> None:
    error = assert_fails(PermissionDenied, call, operation=asked, sqlstate="42501")
    assert str(error).endswith(
        "; connect as a role with the privilege, or ask the owner of the tables to GRANT it"
    )
    assert "secret" not in str(error)


@pytest.mark.usefixtures("granted")
def test_reader_can_read_everything_and_write_nothing(connect_as: As) -> None:
    fill(connect_as("owner"))
    reader = connect_as("reader")
    for call in READS.values():
        call(reader)
    for name, call in WRITES.items():
        assert_denied(lambda call=call: call(reader), name)
    assert len(reader.frames.conversation_log()) == 1
    assert reader.setup() == ()


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize("role", ["writer", "owner"])
def test_writer_and_owner_can_read_and_write_everything(connect_as: As, role: str) -> None:
    db = connect_as(role)
    fill(db)
    for call in (*READS.values(), *WRITES.values()):
        call(db)
    with db.transaction():
        fill(db)
    assert db.memories.identifiers() == ("chat", "m", "n")
    assert db.setup() == ()


@pytest.mark.usefixtures("granted")
def test_writer_without_label_privileges_can_define(
    connect_as: As, admin: psycopg.Connection
) -> None:
    fill(connect_as("owner"))
    admin.execute("REVOKE INSERT, DELETE ON draive.draive_pg_labels FROM dpg_roles_writer")
    writer = connect_as("writer")
    assert writer.instructions.define("greeting", content="Hey", author="bo").revision == 2
    move = lambda: writer.instructions.label("greeting", "production")  # noqa: E731
    assert_denied(move, "label instructions 'greeting'")
    release = lambda: writer.release(  # noqa: E731
        prompts={"greeting": "Ho"}, labels={"production": ["greeting"]}
    )
    assert_denied(release, "label instructions 'greeting'")
    assert writer.instructions.load("greeting", label="production") == "Hello"
    assert writer.instructions.load("greeting") == "Hey"
    with pytest.raises(RevisionLabelled):
        writer.instructions.remove("greeting")
    assert writer.instructions.remove("greeting", labelled=True) == 2


@pytest.mark.usefixtures("granted")
def test_row_level_security_protects_label(connect_as: As, admin: psycopg.Connection) -> None:
    fill(connect_as("owner"))
    admin.execute(PROTECT.encode())
    writer = connect_as("writer")
    assert writer.instructions.define("greeting", content="Hey").revision == 2
    assert_denied(
        lambda: writer.instructions.label("greeting", "production"), "label instructions 'greeting'"
    )
    assert_denied(
        lambda: writer.instructions.unlabel("greeting", "production"),
        "remove a label of instructions 'greeting'",
    )
    assert writer.instructions.label("greeting", "staging").revision == 2
    assert writer.instructions.remove("greeting", labelled=True) == 1
    assert writer.instructions.load("greeting", label="production") == "Hello"
    assert connect_as("owner").instructions.unlabel("greeting", "production") is True


@pytest.mark.usefixtures("granted")
def test_only_owner_can_apply_migrations(connect_as: As, admin: psycopg.Connection) -> None:
    admin.execute("DELETE FROM draive.draive_pg_migrations WHERE version = 5")
    names = tuple(each.name for each in migrations_for(LINE_89)[5:])
    for role in ("writer", "reader"):
        assert_denied(connect_as(role).setup, f"setup: apply {names[0]} to {names[-1]}")
    assert connect_as("owner").setup() == names
    assert connect_as("writer").setup() == ()


def test_reader_without_tables_is_told_to_run_setup(
    connect_as: As, admin: psycopg.Connection
) -> None:
    admin.execute(GRANT_BEFORE.encode())
    reader = connect_as("reader")
    with pytest.raises(TableMissing, match="create the tables with setup"):
        reader.memories.identifiers()
    assert_denied(
        reader.setup, f"setup: apply 000_migrations to {migrations_for(LINE_89)[-1].name}"
    )


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize("role", ["reader", "writer"])
def test_live_client_needs_no_other_privilege(
    connect: Connect, connect_as: As, empty_dsn: str, role: str
) -> None:
    dsn = make_conninfo(empty_dsn, user=f"dpg_roles_{role}", password="secret")
    db, owner = connect(dsn, schema="draive", live=True), connect_as("owner")

    for number in range(3):
        assert db.configurations.load_raw("limits") in (None, {"n": number - 1})
        owner.configurations.define("limits", {"n": number})
        wait_until(lambda number=number: db.configurations.load_raw("limits") == {"n": number})


@pytest.mark.usefixtures("server_roles")
def test_upgrade_gives_new_tables_the_grants_of_older_ones(
    connect: Connect, empty_dsn: str
) -> None:
    granted = "instructions, configurations, draive_pg_revisions, draive_pg_labels"
    with psycopg.connect(empty_dsn, autocommit=True) as admin:
        admin.execute(DUMP.read_bytes())
        admin.execute("CREATE ROLE \"dpg_roles_a b\" LOGIN PASSWORD 'secret'")
        admin.execute(f'GRANT SELECT, INSERT, DELETE ON {granted} TO "dpg_roles_a b"'.encode())
    connect(empty_dsn).setup()
    writer = connect(make_conninfo(empty_dsn, user="dpg_roles_a b", password="secret"))
    writer.configurations.define("limits", {"tokens": 3}, author="ada")
    writer.configurations.label("limits", "production", 1)
    assert writer.configurations.revision("limits", "production").content["tokens"] == 1
    assert writer.configurations.remove("limits", labelled=True) == 3
    assert writer.instructions.rename("greeting", "hello").name == "hello"


@pytest.mark.usefixtures("server_roles")
def test_setup_grants_nothing_on_tables_with_revoked_grants(connect: Connect, dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE ROLE dpg_roles_reader LOGIN PASSWORD 'secret'")
        granted = "instructions, configurations, draive_pg_revisions, draive_pg_labels"
        admin.execute(f"GRANT SELECT ON {granted} TO dpg_roles_reader".encode())
        admin.execute("REVOKE ALL ON draive_pg_configuration_labels FROM PUBLIC")
        admin.execute("DROP INDEX memories_variables_identifier_created")
    assert connect(dsn).setup()
    reader = connect(make_conninfo(dsn, user="dpg_roles_reader", password="secret"))
    assert reader.instructions.labels() == ()
    with pytest.raises(PermissionDenied):
        reader.configurations.labels()
