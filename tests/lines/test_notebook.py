"""One notebook on the conversations of every line of draive, whichever draive is installed."""

from pathlib import Path

import psycopg
import pytest

from tests.jupyter_kernel import kernels

DATA = Path(__file__).parent.parent / "data"
RELEASES = ("0_89_5", "0_92_1", "0_99_1", "0_103_0", "0_118_0")

# Each shows the same for the same conversation. The arguments of tools are left out, because draive
# 0.100 to 0.115 stored ints as floats.
CELLS = (
    "from draive_pg import Client\n\ndb = Client()\nvisit = db.memories.identifiers()[0]",
    "db.frames.sessions(visit)[['elements', 'turns', 'tool_calls', 'failures', 'question']]",
    "db.frames.conversation_log(visit)[['position', 'speaker', 'text', 'reasoning', 'tools']]",
    "db.frames.tool_calls(visit)[['tool', 'response', 'handling', 'failed']]",
    "db.memories.search('42', match='substring')[['position', 'excerpt']].head(1)",
    "db.memories.search(error=True)[['position', 'excerpt']].head(1)",
    "[(each.elements, each.first < each.last) for each in db.memories.list(limit=1)]",
    "db.analysis.tools(visit)[['tool', 'calls', 'failures', 'failure_rate']]",
    "db.analysis.turns(visit)[['question', 'answer']]",
    "'It is 42.' in str(db.memory(visit).show())",
    "[(message['role'], message.get('content')) for message in db.memory(visit).chat()]",
    "db.memories.export_chats('chats.jsonl', identifiers=visit).conversations",
    "db.frames.export('conversation_log', 'log.parquet', identifier=visit)",
)


@pytest.mark.slow
def test_notebook_shows_the_same_for_conversations_of_every_line(
    empty_dsn: str, tmp_path: Path
) -> None:
    shown: dict[str, list[str]] = {}
    with kernels() as start:
        kernel = start(DRAIVE_PG_DSN=empty_dsn)
        kernel.run(f"import os\nos.chdir({str(tmp_path)!r})")
        kernel.run("from draive_pg.display import progress\nprogress.DELAY = 60  # no bars")
        for release in RELEASES:
            schema = f"draive_{release}"
            with psycopg.connect(empty_dsn, autocommit=True) as connection:
                connection.execute(f"CREATE SCHEMA {schema}; SET search_path TO {schema}".encode())
                connection.execute((DATA / f"{schema}.sql").read_bytes())
            kernel.run(f"os.environ['DRAIVE_PG_SCHEMA'] = {schema!r}")
            shown[release] = [kernel.run(cell) for cell in CELLS]
    expected = shown[RELEASES[0]]
    assert any("It is 42." in text for text in expected)
    for release in RELEASES:
        assert shown[release] == expected, release
