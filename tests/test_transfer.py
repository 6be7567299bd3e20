"""Export and import of memories: round trips, idempotence, and failures."""

import asyncio
import gzip
import json
import os
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from draive import ModelInput, ModelOutput
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import (
    AsyncClient,
    Client,
    ExportInvalid,
    MemoryExists,
    MemoryMissing,
    OperationFailed,
    TableMissing,
    atomic_file,
)
from draive_pg.operations.conversations import export_format, transfer
from tests.conftest import Connect
from tests.elements import answered, asked, called, responded
from tests.server import wait_for_lock_waiters
from tests.strategies import elements, names, variables

FILES = pytest.mark.parametrize("name", ["memories.jsonl", "memories.jsonl.gz"])

CONTENT = """
SELECT identifier, 0 AS kind, created, NULL AS document FROM memories
UNION ALL SELECT identifier, 1, created, variables::TEXT FROM memories_variables
UNION ALL SELECT identifier, 2, created, content::TEXT FROM memories_elements
ORDER BY 1, 2, 3, 4
"""


def content(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(CONTENT).fetchall()


def fill(db: Client) -> None:
    db.memory("visits/1").remember(
        asked("q", channel="web"),
        called("c1", size=1.10, n=10**40),
        responded("c1"),
        variables={"i": 1, "f": 1.0, "b": True},
    )
    db.memory("visits/1").remember(answered('ż 😀 \u2028 \\ " \n'), variables={})
    db.memory("visits/2").remember(asked("q2"))
    db.memory("empty 'ż\n\"").maintenance()


def other(db: Client, connect: Connect, dsn: str) -> Client:
    """Return a client of another schema in the same database."""
    elsewhere = connect(dsn, schema="elsewhere")
    elsewhere.setup()
    return elsewhere


def rows(sql: psycopg.Connection, schema: str) -> list[tuple[Any, ...]]:
    sql.execute(f"SET search_path = {schema}".encode())
    return content(sql)


@FILES
def test_export_and_import_round_trip_and_are_idempotent(
    db: Client, connect: Connect, dsn: str, sql: psycopg.Connection, tmp_path: Path, name: str
) -> None:
    fill(db)
    path = tmp_path / name
    done = db.memories.export_memories(path)
    assert (done.path, done.memories, done.elements, done.variables) == (path, 3, 5, 2)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    elsewhere = other(db, connect, dsn)
    came = elsewhere.memories.import_memories(path)
    assert (came.memories, came.elements, came.variables, came.unchanged) == (3, 5, 2, 0)
    assert rows(sql, "elsewhere") == rows(sql, "public")
    assert elsewhere.memory("visits/1").recall() == db.memory("visits/1").recall()
    again = elsewhere.memories.import_memories(str(path))
    assert (again.memories, again.elements, again.unchanged) == (0, 0, 3)
    assert rows(sql, "elsewhere") == rows(sql, "public")


def test_export_has_one_memory_per_line(db: Client, tmp_path: Path) -> None:
    fill(db)
    db.memories.export_memories(tmp_path / "m.jsonl")
    lines = (tmp_path / "m.jsonl").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    documents = [json.loads(line) for line in lines]
    assert [document["identifier"] for document in documents] == list(db.memories.identifiers())
    assert documents[1]["elements"][0]["content"] == asked("q", channel="web").to_mapping()
    assert documents[1]["elements"][0]["created"].endswith("Z")
    assert [each["content"] for each in documents[1]["variables"]] == [
        {"i": 1, "f": 1.0, "b": True},
        {},
    ]


@pytest.mark.parametrize(
    ("chosen", "goes"),
    [
        ({"identifiers": "visits/1"}, ["visits/1"]),
        ({"identifiers": ["visits/2", "visits/1"]}, ["visits/1", "visits/2"]),
        ({"prefix": "visits/"}, ["visits/1", "visits/2"]),
        ({"prefix": "none"}, []),
        ({"identifiers": []}, []),
    ],
)
def test_export_filters(
    db: Client, tmp_path: Path, chosen: dict[str, Any], goes: list[str]
) -> None:
    fill(db)
    assert db.memories.export_memories(tmp_path / "m.jsonl", **chosen).memories == len(goes)
    lines = (tmp_path / "m.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert [json.loads(line)["identifier"] for line in lines] == goes


@given(
    st.dictionaries(
        names,
        st.lists(st.lists(elements(with_artifacts=True), max_size=3) | variables, max_size=3),
        max_size=3,
    )
)
def test_arbitrary_memories_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    imported_into: Client,
    sql: psycopg.Connection,
    memories: dict[str, list[list[ModelInput | ModelOutput] | dict[str, Any]]],
) -> None:
    with Client(sql.info.dsn) as db:
        for identifier in db.memories.identifiers():
            db.memory(identifier).remove()
            imported_into.memory(identifier).remove()
        for identifier, writes in memories.items():
            db.memory(identifier).maintenance()
            for write in writes:
                if isinstance(write, dict):
                    db.memory(identifier).remember(variables=write)
                else:
                    db.memory(identifier).remember(*write)
        path = tmp_path_factory.mktemp("any") / "m.jsonl"
        db.memories.export_memories(path)
        assert imported_into.memories.import_memories(path).memories == len(memories)
        assert imported_into.memories.import_memories(path).unchanged == len(memories)
        assert rows(sql, "elsewhere") == rows(sql, "public")


@pytest.fixture
def imported_into(dsn: str) -> Any:
    with Client(dsn, schema="elsewhere") as elsewhere:
        elsewhere.setup()
        yield elsewhere


def test_unreadable_rows_and_infinite_timestamps_round_trip(
    db: Client, connect: Connect, dsn: str, sql: psycopg.Connection, tmp_path: Path
) -> None:
    fill(db)
    for document, moment in (
        ("7", "infinity"),
        ("[1.10]", "-infinity"),
        ("{}", "1999-01-01Z"),
        ("8", "0044-03-15 12:00:00.5+01 BC"),
    ):
        sql.execute("INSERT INTO memories_elements VALUES ('visits/2', $1, $2)", (document, moment))
        sql.execute(
            "INSERT INTO memories_elements VALUES ('visits/2', $1, $2)", (f"[{document}]", moment)
        )
    sql.execute("ALTER DATABASE " + sql.info.dbname + " SET timezone = 'Asia/Kolkata'")  # pyright: ignore
    db = connect(dsn)
    db.memories.export_memories(tmp_path / "m.jsonl")
    elsewhere = other(db, connect, dsn)
    elsewhere.memories.import_memories(tmp_path / "m.jsonl")
    count = "SELECT created::TEXT, content::TEXT FROM memories_elements ORDER BY created, ctid"
    results = []
    for schema in ("public", "elsewhere"):
        sql.execute(f"SET search_path = {schema}".encode())
        results.append(sql.execute(count.encode()).fetchall())
    assert results[0] == results[1]
    assert elsewhere.memories.import_memories(tmp_path / "m.jsonl").unchanged == 3


def test_import_keeps_existing_memory_with_other_content(
    db: Client, connect: Connect, dsn: str, tmp_path: Path
) -> None:
    fill(db)
    db.memories.export_memories(tmp_path / "m.jsonl")
    elsewhere = other(db, connect, dsn)
    elsewhere.memory("visits/1").remember(asked("mine"))
    with pytest.raises(MemoryExists, match=r"1 memories .*'visits/1'.* 2 imported, 0 unchanged"):
        elsewhere.memories.import_memories(tmp_path / "m.jsonl")
    assert len(elsewhere.memories.identifiers()) == 3
    assert list(elsewhere.memory("visits/1").log().text) == ["mine"]
    elsewhere.memory("visits/1").rename("mine")
    done = elsewhere.memories.import_memories(tmp_path / "m.jsonl")
    assert (done.memories, done.unchanged) == (1, 2)


def test_import_names_memory_that_draive_creates_meanwhile(
    db: Client, dsn: str, tmp_path: Path
) -> None:
    fill(db)
    db.memories.export_memories(tmp_path / "m.jsonl")
    db.memory("visits/1").remove()
    with psycopg.connect(dsn) as draive, ThreadPoolExecutor() as threads:
        draive.execute("INSERT INTO memories (identifier) VALUES ('visits/1')")

        def commit() -> None:
            wait_for_lock_waiters(dsn, at_least=1)
            draive.commit()

        committed = threads.submit(commit)
        with pytest.raises(
            MemoryExists, match=r"1 memories .*'visits/1'.* 0 imported, 2 unchanged"
        ):
            db.memories.import_memories(tmp_path / "m.jsonl")
        committed.result()
    assert len(db.memory("visits/1").log()) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda db: db.memory("visits/1").remember(asked("more")),
        lambda db: db.memory("visits/1").remember(variables={"more": 1}),
        lambda db: db.memory("visits/2").remember(variables={"more": 1}),
        lambda db: db.memory("empty 'ż\n\"").remember(asked("more")),
    ],
)
def test_import_detects_any_difference(
    db: Client, tmp_path: Path, change: Callable[[Client], None]
) -> None:
    fill(db)
    db.memories.export_memories(tmp_path / "m.jsonl")
    assert db.memories.import_memories(tmp_path / "m.jsonl").unchanged == 3
    change(db)
    with pytest.raises(MemoryExists, match="0 imported, 2 unchanged"):
        db.memories.import_memories(tmp_path / "m.jsonl")


def test_duplicate_memory_in_file_is_compared_with_first(db: Client, tmp_path: Path) -> None:
    fill(db)
    path = tmp_path / "m.jsonl"
    db.memories.export_memories(path, "visits/1")
    line = path.read_text(encoding="utf-8")
    path.write_text(line + line + line.replace('"web"', '"mail"'), encoding="utf-8")
    db.memory("visits/1").remove()
    with pytest.raises(MemoryExists, match=r"'visits/1'.* 1 imported, 1 unchanged"):
        db.memories.import_memories(path)
    assert len(db.memory("visits/1").log()) == 4


@FILES
def test_interrupted_import_can_be_resumed(
    db: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(transfer, "MAX_ELEMENTS", 3)
    for number in range(20):
        db.memory(f"m{number:02}").remember(asked(f"q {number}"))
    path, broken = tmp_path / name, tmp_path / f"broken-{name}"
    db.memories.export_memories(path)
    log = db.frames.conversation_log()
    whole = path.read_bytes()
    broken.write_bytes(whole[: len(whole) * 2 // 3])
    db.memories.erase(prefix="m", dry_run=False)
    with pytest.raises(ExportInvalid, match=rf"{broken.name}, (line|after line) \d+"):
        db.memories.import_memories(broken)
    there = db.memories.count()
    assert 0 < there < 20
    done = db.memories.import_memories(path)
    assert (done.memories, done.unchanged) == (20 - there, there)
    assert db.frames.conversation_log().equals(log)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "line 1: not a memory: not JSON"),
        ("nonsense", "line 1: not a memory: not JSON"),
        ('{"id": "x", "messages": []}', "line 1: not a memory in the export format"),
        ('{"identifier": 7, "created": "x", "elements": [], "variables": []}', "not a memory"),
        (
            '{"identifier": "x", "created": "x", "elements": [{"created": 7, "content": 1}],'
            ' "variables": []}',
            "not a memory",
        ),
        ('{"identifier": "x", "created": "x", "elements": [7], "variables": []}', "not a memory"),
        ('{"identifier": "\\u0000", "created": "", "elements": [], "variables": []}', "NUL"),
    ],
)
def test_invalid_line_is_rejected_with_its_number(
    db: Client, tmp_path: Path, line: str, says: str
) -> None:
    (tmp_path / "m.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(ExportInvalid, match=f"m.jsonl, .*{says}"):
        db.memories.import_memories(tmp_path / "m.jsonl")
    assert db.memories.count() == 0


@pytest.mark.parametrize("time", ["now", "today", "epoch", "2026-01-01T00:00:00", "x", ""])
@pytest.mark.parametrize("place", ["created", "elements", "variables"])
def test_time_that_is_not_exact_is_rejected(
    db: Client, tmp_path: Path, time: str, place: str
) -> None:
    row = {"created": "2026-01-01T00:00:00Z", "content": {}}
    memory: dict[str, Any] = {"identifier": "x", "created": row["created"]}
    memory |= {"elements": [row], "variables": [row]}
    memory[place] = time if place == "created" else [row | {"created": time}]
    (tmp_path / "m.jsonl").write_text(json.dumps(memory))
    with pytest.raises(ExportInvalid, match=f"line 1: created must be a time .* not '{time}'"):
        db.memories.import_memories(tmp_path / "m.jsonl")
    assert db.memories.count() == 0


@pytest.mark.parametrize("bad", ['"created": "2026-02-30Z"', '"content": "\\u0000"'])
def test_value_invalid_in_postgresql_imports_nothing(db: Client, tmp_path: Path, bad: str) -> None:
    element = {"created": "2026-01-01Z", "content": "ok"}
    name = bad.split(":")[0].strip('"')
    written = json.dumps(element).replace(json.dumps({name: element[name]})[1:-1], bad)
    (tmp_path / "m.jsonl").write_text(
        f'{{"identifier": "x", "created": "2026-01-01Z", "variables": [], "elements": [{written}]}}'
    )
    with pytest.raises(OperationFailed, match=r"import 'm.jsonl', lines 1 to 1: .*\(22"):
        db.memories.import_memories(tmp_path / "m.jsonl")
    assert db.memories.count() == 0


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_line_is_read_up_to_a_limit(
    db: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"m.jsonl{suffix}"
    db.memory("m").remember(asked("q"))
    db.memories.export_memories(path)
    line = gzip.decompress(path.read_bytes()) if suffix else path.read_bytes()
    pack = gzip.compress if suffix else bytes
    monkeypatch.setattr(export_format, "MAX_SENT", 1_000)
    path.write_bytes(pack(line.rstrip().ljust(999) + b"\n" + b" " * 2_000))
    with pytest.raises(ExportInvalid, match="line 2: larger than 1,000 bytes"):
        db.memories.import_memories(path)


def test_invalid_gzip_file_is_rejected(db: Client, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl.gz").write_text("plain")
    with pytest.raises(ExportInvalid, match=r"m.jsonl.gz, after line 0: the file is incomplete"):
        db.memories.import_memories(tmp_path / "m.jsonl.gz")


def test_failed_export_keeps_existing_file(db: Client, tmp_path: Path) -> None:
    fill(db)
    path = tmp_path / "m.jsonl"
    path.write_text("before")
    with pytest.raises(MemoryMissing, match=r"export to 'm.jsonl': there is no memory 'none'$"):
        db.memories.export_memories(path, ["visits/1", "none"])
    with pytest.raises(MemoryMissing, match=r"'a' \(2 are missing in all\)$"):
        db.memories.export_memories(path, ["b", "a"])
    assert [file.name for file in tmp_path.iterdir()] == ["m.jsonl"]
    assert path.read_text() == "before"
    with pytest.raises(FileNotFoundError, match=r"none/m\.jsonl'$"):
        db.memories.export_memories(tmp_path / "none" / "m.jsonl")
    with pytest.raises(FileNotFoundError):
        db.memories.import_memories(tmp_path / "none.jsonl")
    for call in (db.memories.export_memories, db.memories.import_memories):
        with pytest.raises(TypeError, match="path must be a str or a Path, not int"):
            call(7)  # pyright: ignore[reportArgumentType]


def test_export_replaces_regular_files_only_and_follows_links(db: Client, tmp_path: Path) -> None:
    fill(db)
    pipe, link, path = tmp_path / "pipe", tmp_path / "link.jsonl", tmp_path / "m.jsonl"
    os.mkfifo(pipe)
    for other in (pipe, tmp_path):
        with pytest.raises(ValueError, match="exists and is not a regular file"):
            db.memories.export_memories(other)
    assert pipe.is_fifo()
    path.write_text("before")
    link.symlink_to(path)
    assert db.memories.export_memories(link).path == link
    assert link.is_symlink()
    assert path.read_bytes().count(b"\n") == 3
    link.unlink()
    db.memories.export_memories(link)
    assert link.stat().st_mode & 0o777 == 0o600


def test_export_rejected_by_server_leaves_no_file(
    connect: Connect, empty_dsn: str, tmp_path: Path
) -> None:
    with pytest.raises(TableMissing) as caught:
        connect(empty_dsn).memories.export_memories(tmp_path / "m.jsonl.gz")
    assert list(tmp_path.iterdir()) == []  # although the traceback is still referenced
    assert caught.value.sqlstate == "42P01"


def test_export_is_deterministic(db: Client, tmp_path: Path) -> None:
    fill(db)
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        db.memories.export_memories(tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).count(b"\n") == 3


def test_memory_usage_of_export_and_import_is_bounded(
    db: Client, tmp_path: Path, sql: psycopg.Connection
) -> None:
    sql.execute("INSERT INTO memories SELECT 'm' || n FROM generate_series(1, 400) AS n")
    sql.execute(
        "INSERT INTO memories_elements SELECT 'm' || (n % 400 + 1), jsonb_build_object('x',"
        " repeat(md5(n::TEXT), 100)) FROM generate_series(1, 10000) AS n"
    )
    tracemalloc.start()
    try:
        done = db.memories.export_memories(tmp_path / "m.jsonl")
        assert done.elements == 10_000
        size = (tmp_path / "m.jsonl").stat().st_size
        assert size > 30_000_000
        assert tracemalloc.get_traced_memory()[1] < size * 0.8
        tracemalloc.reset_peak()
        assert db.memories.import_memories(tmp_path / "m.jsonl").unchanged == 400
        assert tracemalloc.get_traced_memory()[1] < size * 1.6
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_export_keeps_permissions_of_replaced_file(db: Client, tmp_path: Path) -> None:
    fill(db)
    path = tmp_path / "m.jsonl"
    path.touch(mode=0o600)
    db.memories.export_memories(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size > 0


@FILES
def test_event_loop_runs_during_exports_and_imports(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Count iterations of the event loop while threads write and read the file."""
    loop_thread = threading.get_ident()
    in_threads: list[str] = []

    def outside_the_loop(function: Any) -> Any:
        def called(*arguments: Any, **options: Any) -> Any:
            assert threading.get_ident() != loop_thread, function.__name__
            in_threads.append(function.__name__)
            return function(*arguments, **options)

        return called

    for module, function in (
        (transfer, "_write_lines"),
        (export_format, "_line"),
        (atomic_file.os, "fsync"),
    ):
        monkeypatch.setattr(module, function, outside_the_loop(getattr(module, function)))

    async def transfers() -> list[int]:
        async with AsyncClient(dsn) as db:
            for number in range(4):
                await db.memories.import_chat(
                    f"m{number}", [{"role": "user", "content": "x" * 1_000_000}] * 2
                )
            turns, stop = 0, False

            async def count() -> None:
                nonlocal turns
                while not stop:
                    turns += 1
                    await asyncio.sleep(0)

            counting = asyncio.create_task(count())
            path = tmp_path / name
            assert (await db.memories.export_memories(path)).elements == 8
            exported = turns
            await db.memories.erase(prefix="m", dry_run=False)
            assert (await db.memories.import_memories(path)).elements == 8
            imported = turns - exported
            stop = True
            await counting
        return [exported, imported]

    turns_of = asyncio.run(transfers())
    assert {"_write_lines", "_line", "fsync"} <= {*in_threads}
    assert min(turns_of) > 10
