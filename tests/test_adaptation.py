"""Adapters that an application registers with psycopg for its own statements."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from draive import InstructionsRepository
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.pq import Format
from psycopg.types.json import JsonbDumper
from psycopg.types.string import StrDumper

from draive_pg import Client
from draive_pg.adapters import Postgres, PostgresInstructionsRepository, PostgresModelMemory
from tests.conftest import Connect
from tests.draive_scope import psycopg_pool, run_in_scope
from tests.elements import asked
from tests.every_call import READS, WRITES, fill


class AsNumber(Dumper):
    oid = psycopg.adapters.types["numeric"].oid

    def dump(self, obj: float) -> bytes:
        return str(obj).encode()


class EmptyAsNull(StrDumper):
    def dump(self, obj: str) -> Any:
        return super().dump(obj) if obj else None


class Raw(Loader):
    def load(self, data: Any) -> bytes:
        return bytes(data)


class BinaryRaw(Raw):
    format = Format.BINARY


@pytest.fixture
def of_application(monkeypatch: pytest.MonkeyPatch) -> AdaptersMap:
    """The global adapters of psycopg, with many changes by an application."""
    adapters = AdaptersMap(psycopg.adapters)
    monkeypatch.setattr("psycopg.postgres.adapters", adapters)
    monkeypatch.setattr("psycopg.adapters", adapters)
    for kind in (dict, list):
        adapters.register_dumper(kind, JsonbDumper)
    for kind in (int, float):
        adapters.register_dumper(kind, AsNumber)
    adapters.register_dumper(str, EmptyAsNull)
    for name in ("bool", "int4", "int8", "jsonb", "numeric", "text", "timestamptz"):
        adapters.register_loader(name, Raw)
        adapters.register_loader(name, BinaryRaw)
    return adapters


@pytest.mark.usefixtures("of_application")
def test_adapters_of_application_change_no_results(connect: Connect, dsn: str) -> None:
    db = connect(dsn)
    fill(db)
    db.instructions.define("empty", content="", message="")
    assert db.instructions.load("empty") == ""
    for call in (*READS.values(), *WRITES.values()):
        call(db)
    assert db.frames.conversation_log("chat")["text"].tolist() == ["hi"]
    assert db.instructions.history("empty")[0].created.tzinfo is UTC
    assert db.diagnose().problems == ()


@pytest.mark.usefixtures("of_application")
def test_adapters_of_application_change_no_results_on_its_connection(dsn: str) -> None:
    with psycopg.connect(dsn) as owned, Client(pool=owned) as db:
        fill(db)
        assert db.memories.identifiers() == ("m",)
        assert len(db.frames.tool_calls(tool=["a"])) == 0
        assert db.configurations.load_raw("limits") == {"a": 1}


@pytest.mark.usefixtures("of_application")
def test_adapters_of_application_change_no_results_of_a_service(dsn: str) -> None:
    async def body() -> None:
        await InstructionsRepository.define("greeting", content="Hello")
        (found,) = await InstructionsRepository.available_instructions()
        assert found.name == "greeting"
        await PostgresModelMemory("m").remember(asked("q"), variables={"x": 0.1})
        assert (await PostgresModelMemory("m").recall()).variables == {"x": 0.1}
        row = await Postgres.fetch_one("SELECT now() AS now, $1::INT[] AS numbers", [1, None])
        assert row is not None
        assert isinstance(row["now"], datetime)
        assert row["numbers"] == [1, None]

    run_in_scope(psycopg_pool(dsn), body(), PostgresInstructionsRepository())


@pytest.mark.usefixtures("of_application")
def test_statements_of_application_use_its_adapters(dsn: str) -> None:
    with Client(dsn) as db, db.transaction() as tx:
        tx.memory("m").remember(asked("q"))
        row = tx.connection.execute("SELECT %s, 1", ([1],)).fetchone()
        assert row == (b"[1]", b"1")
