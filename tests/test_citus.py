"""Tables that Citus distributes: the same results, on any node; run on the DSN of a coordinator.

The other tests of memories run on distributed tables, too, where the server is a coordinator.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from draive_pg import Client, DraivePGError, SchemaInvalid
from tests.cluster import distribute, nodes
from tests.conftest import Connect
from tests.elements import asked, texts
from tests.every_call import READS, WRITES, fill

pytestmark = pytest.mark.citus


@pytest.fixture
def workers(dsn: str) -> list[str]:
    """The database of the test on each worker; without a cluster, the test is skipped."""
    _, *workers = nodes(dsn)
    if not workers:
        pytest.skip("$DRAIVE_PG_TEST_DSN names no coordinator of a Citus cluster")
    return workers


@pytest.fixture
def shards(dsn: str, workers: list[str]) -> dict[str, str]:
    """Two identifiers of memories by the workers that store them."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            """
            SELECT nodeport::TEXT, min(name)
            FROM generate_series(1, 99) AS number, format('m%s', number) AS name
            JOIN citus_shards ON shardid = get_shard_id_for_distribution_column('memories', name)
            GROUP BY 1
            """
        ).fetchall()
    assert len(rows) == len(workers)
    return dict(rows)


@pytest.mark.slow
def test_all_calls_work_on_distributed_tables(
    connect: Connect, workers: list[str], dsn: str
) -> None:
    db = connect(dsn)
    fill(db)
    failed: dict[str, str] = {}
    for name, call in {**READS, **WRITES}.items():
        try:
            call(db)
        except DraivePGError as error:
            failed[name] = str(error)
    assert failed == {}


def test_writers_through_all_nodes_are_serialised(
    connect: Connect, workers: list[str], dsn: str
) -> None:
    clients = [connect(server) for server in (dsn, *workers) for _ in range(2)]

    def write(client: Client) -> None:
        for _ in range(5):
            client.memory("shared").remember(*[asked(f"{id(client)}")] * 20)

    if isinstance(clients[0], Client):
        with ThreadPoolExecutor(len(clients)) as pool:
            list(pool.map(write, clients))
    else:
        for client in clients:
            write(client)
    with psycopg.connect(dsn) as connection:
        ((count, times),) = connection.execute(
            "SELECT count(*), count(DISTINCT created) FROM memories_elements"
        ).fetchall()
    assert count == times == len(clients) * 5 * 20
    written = texts(clients[0].memory("shared").recall().context)
    assert sum(first != second for first, second in pairwise(written)) <= len(clients) * 5


def test_lock_of_a_memory_is_taken_where_it_is_stored(
    connect: Connect, workers: list[str], shards: dict[str, str], dsn: str
) -> None:
    with ExitStack() as stack:
        for server in workers:
            identifier = shards[f"{conninfo_to_dict(server)['port']}"]
            connection = stack.enter_context(psycopg.connect(server))
            connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('memories/' || %s, 0))",
                (identifier,),
            )
        for identifier in shards.values():
            with pytest.raises(TimeoutError):
                connect(dsn, timeout=0.3).memory(identifier).remember(asked("q"))


def test_setup_on_a_worker_is_refused(connect: Connect, workers: list[str]) -> None:
    with pytest.raises(SchemaInvalid, match="is a worker of a Citus cluster: connect to the coord"):
        connect(workers[0]).setup()


def test_setup_applies_migrations_to_distributed_tables(
    connect: Connect, workers: list[str], dsn: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM draive_pg_migrations")
    db = connect(dsn)
    assert "023_recent_memories" in db.setup()
    assert not db.diagnose().problems


def test_diagnosis_has_sizes_of_all_nodes(connect: Connect, workers: list[str], dsn: str) -> None:
    db = connect(dsn)
    sizes = {table.name: table.bytes or 0 for table in db.diagnose().tables}
    db.memory("m").remember(*[asked("q" * 1_000)] * 100)
    after = {table.name: table.bytes or 0 for table in db.diagnose().tables}
    assert after["memories_elements"] > sizes["memories_elements"]


def test_table_that_is_not_distributed_is_a_problem(
    connect: Connect, workers: list[str], dsn: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT undistribute_table('draive_pg_keys')")
    db = connect(dsn)
    assert db.diagnose().problems == (
        "not distributed, unlike memories: draive_pg_keys: apply schema/citus/distribute.sql again",
    )
    distribute(dsn)
    assert not db.diagnose().problems


def test_rows_are_kept_when_tables_are_distributed(
    connect: Connect, workers: list[str], dsn: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT undistribute_table('memories', cascade_via_foreign_keys => true)"
        )
    connect(dsn).memory("m").remember(asked("q"), variables={"n": 1})
    distribute(dsn)
    recalled = connect(dsn).memory("m").recall()
    assert texts(recalled.context) == ["q"]
    assert recalled.variables == {"n": 1}


def test_worker_takes_writes_and_reads_of_memories(
    connect: Connect, workers: list[str], dsn: str
) -> None:
    worker = connect(make_conninfo(workers[0]))
    worker.memory("m").remember(asked("q"))
    assert texts(connect(dsn).memory("m").recall().context) == ["q"]
