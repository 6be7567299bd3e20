"""The adapters of each draive use only the tables of that draive, not those of ``setup``."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest

from draive_pg.adapters.database import NO_CONVERSATIONS, ScopeDatabase
from draive_pg.database.cache import Cache
from draive_pg.errors import SchemaInvalid
from draive_pg.lines.line import LINE_103
from draive_pg.operations.admin.draive_tables import create
from draive_pg.operations.conversations import agents, recall, turns, write
from draive_pg.operations.conversations.relations import OLDEST_LINE, lock_memory, relations
from draive_pg.operations.documents import load, read, remove, templates
from draive_pg.operations.documents.kind import CONFIGURATIONS, TEMPLATES
from draive_pg.operations.documents.selectors import NEWEST, select
from draive_pg.operations.operation import Operation, Relations, Request
from tests.draive_scope import psycopg_pool, run_in_scope
from tests.elements import asked
from tests.test_stores import DATA

THREAD = UUID(int=1)
LABEL = select(label="production")
TEMPLATE = templates.Declaration("a", None, {}, {})

# The requests of the adapters by the tables that each has.
REQUESTS: dict[str, tuple[Relations, Sequence[Request[Any]]]] = {
    "agent_memory": (
        NO_CONVERSATIONS,
        [agents.remember("a", THREAD, "[]"), agents.recall("a", THREAD)],
    ),
    "conversation_memory": (
        relations(LINE_103, LINE_103.stores),
        [
            Operation(
                "remember", (lock_memory("m"), turns.REMEMBER_TURNS(identifier="m", turns="[]"))
            ),
            turns.recall("m", None, lenient=False),
            turns.fetch("m", 1, THREAD),
        ],
    ),
    "templates": (
        NO_CONVERSATIONS,
        [
            templates.append_template(TEMPLATE, content="x"),
            templates.declarations(before="a", limit=2),
            load.load_text(TEMPLATES, "a", NEWEST, required=False),
            load.load_text(TEMPLATES, "a", LABEL, required=False),
            load.preload((TEMPLATES,), "production"),
        ],
    ),
    "configurations": (
        NO_CONVERSATIONS,
        [
            read.names(CONFIGURATIONS),
            read.names_of_class("A"),
            load.load_raw("a", NEWEST, required=False),
            load.load_raw("a", LABEL, required=False),
            load.preload((CONFIGURATIONS,), None),
            remove.remove_all(CONFIGURATIONS, "a"),
        ],
    ),
}
MEMORIES: Sequence[Request[Any]] = [
    write.remember("m", [asked("hi")], {"a": 1}),
    write.maintain("m", {"a": 2}),
    recall.recall("m", None),
    recall.recall_leniently("m", 1),
]


def run(dsn: str, relations: Relations, *requests: Request[Any]) -> list[Any]:
    """Return the results of requests of adapters on the tables of a database."""
    database = ScopeDatabase(Cache(0, 1.0), None, relations=relations)

    async def body() -> list[Any]:
        return [await database.run(request) for request in requests]

    return run_in_scope(psycopg_pool(dsn), body())


@pytest.mark.parametrize("table", REQUESTS)
def test_adapters_need_only_their_own_table(empty_dsn: str, table: str) -> None:
    used, requests = REQUESTS[table]
    run(empty_dsn, used, create(table), *requests)
    with psycopg.connect(empty_dsn) as connection:
        found = connection.execute("SELECT relname FROM pg_stat_user_tables").fetchall()
    assert found == [(table,)]


def test_adapters_of_memories_need_only_the_tables_of_draive(empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute((DATA / "draive_0_89_5.sql").read_bytes())
    *_, recalled, leniently = run(empty_dsn, OLDEST_LINE, *MEMORIES)
    assert (len(recalled.context), len(leniently.context)) == (1, 1)


def test_adapters_without_conversations_refuse_statements_about_them(empty_dsn: str) -> None:
    with pytest.raises(SchemaInvalid):
        run(empty_dsn, NO_CONVERSATIONS, Operation("lock", (lock_memory("m"),)))
