"""Search in turns finds what search in elements finds, and reads no more turns than it needs."""

import json
from collections.abc import Iterator

import psycopg
import pytest

from draive_pg import Client
from draive_pg.frames.search import SearchCriteria, search_query
from draive_pg.lines.line import LINE_89, LINE_118, present_stores
from draive_pg.operations.conversations.relations import relations
from tests.elements import answered, asked, called, responded, thought
from tests.schema import set_up
from tests.statements import sent

SAID = [
    asked('He said "hi" [twice]'),
    called("c1"),
    responded("c1", text="only the tool said this"),
    thought("a secret thought", "Zażółć 100% of C:\\new\tfolder"),
    asked("first line\nsecond_line 😀"),
    called("c2"),
    responded("c2"),
    answered("he SAID nothing"),
]
NEEDLES = [
    "SAID",
    '"said nothing"',
    "hi",
    "[twice]",
    "[",
    "ZAŻÓŁĆ",
    "100%",
    "c:\\new",
    "second_line",
    "😀",
    "secret",
    "tool",
    "said -nothing",
    '"line\nsecond"',
    '"[twice] first"',
]


@pytest.fixture
def both(empty_dsn: str) -> Iterator[tuple[Client, Client]]:
    """Clients of the same conversation as elements and as turns."""
    set_up(empty_dsn, LINE_89)
    with Client(empty_dsn, draive="0.89") as old, Client(empty_dsn, draive="0.118") as new:
        old.memory("m").remember(*SAID)
        old.memory("other").remember(asked("hello"))
        new.setup()
        old.convert("0.118", dry_run=False)
        yield old, new


def test_search_in_turns_finds_the_same_elements(both: tuple[Client, Client]) -> None:
    old, new = both
    for needle in NEEDLES:
        expected = old.memories.search(needle, match="substring")
        found = new.memories.search(needle, match="substring")
        assert found.equals(expected), needle
        assert found.attrs == expected.attrs


FILL = """
INSERT INTO conversation_memory (thread_id, identifier, turn, payload, created)
SELECT
    'm' || number % 50,
    gen_random_uuid(),
    'user',
    jsonb_build_object('content', $1::JSONB, 'meta', '{}'::JSONB),
    TIMESTAMPTZ '2026-01-01Z' + number * INTERVAL '1 second'
FROM generate_series(1, 3000) AS number
"""


def test_search_in_turns_stops_at_its_limit(empty_dsn: str) -> None:
    set_up(empty_dsn, LINE_118)
    query = search_query(
        SearchCriteria("word", "substring", "simple", None, None), {"limit": 5}
    ).statement
    lines = relations(LINE_118, present_stores(LINE_118, {"conversation_memory": "uuid"}))
    for reading in (lines, relations(LINE_118, LINE_118.stores)):
        with psycopg.connect(empty_dsn, cursor_factory=psycopg.RawCursor) as connection:
            content = json.dumps([{"type": "content", "parts": [{"text": "a word " * 20}]}])
            connection.execute(FILL, (content,))
            connection.execute("ANALYZE conversation_memory")
            connection.execute("SET work_mem = '64kB'")  # as if there were many turns
            connection.execute("SELECT pg_stat_force_next_flush()")
            connection.commit()
            found = connection.execute(sent(query, reading).encode(), query.parameters)
            assert found.rowcount == 5
            ((read,),) = connection.execute(
                "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
                " WHERE relname = 'conversation_memory'"
            ).fetchall()
            connection.execute("TRUNCATE conversation_memory")
        assert read < 1500  # of 3000, with the elements that are counted for positions
