"""Exports of the log to folders of Parquet files: parts, interruptions, and additions.

On a server of its own: an export leaves what was written since the oldest open transaction of the
server to the next one.
"""

import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow.parquet
import pytest
from psycopg.conninfo import make_conninfo

from draive_pg import Client, FileInvalid, OperationFailed, SchemaInvalid, StoredDataSkipped
from draive_pg.embedded import Server
from draive_pg.frames import partitions
from tests.cli_runner import Shell
from tests.conftest import Connect
from tests.databases import Databases
from tests.elements import answered, asked, called
from tests.server import FAST, scratch_directory

DATA = Path(__file__).parent / "data"
INSTALL = "pip install --group bench"


@pytest.fixture(scope="module")
def own_databases() -> Iterator[Databases]:
    """Databases of a server without other sessions."""
    top = scratch_directory()
    server = Server(top / "data", settings={**FAST, "max_prepared_transactions": "1"}).start()
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE tables")
    with Client(make_conninfo(server.uri(), dbname="tables")) as db:
        db.setup()
    databases = Databases([server.uri()], "tables")
    yield databases
    databases.drop()
    server.stop(force=True)
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def dsn(own_databases: Databases) -> str:
    return own_databases.provide()


def fill(dsn: str) -> None:
    """Write 12 elements of 4 memories in 3 months."""
    with Client(dsn) as db, psycopg.connect(dsn) as connection:
        for number in range(4):
            db.memory(f"m{number}").remember(asked("a", n=number), called("c"), answered("b"))
        connection.execute(
            "UPDATE memories_elements SET created = created - date_trunc('day', now())"
            " + TIMESTAMPTZ '2026-01-31T23:59:59Z'"
            " + substr(identifier, 2)::INT * INTERVAL '20 days'"
        )


def rows_of(folder: Path) -> pd.DataFrame:
    """Return the rows of all files of a folder, in order."""
    tables = [pyarrow.parquet.ParquetFile(file).read() for file in parts_of(folder)]
    rows = pyarrow.concat_tables(tables).to_pandas()
    rows["tools"] = rows.tools.map(tuple).astype("object")
    return rows.sort_values(["identifier", "position"], ignore_index=True)


def parts_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def names_of(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in parts_of(folder)]


def log_of(db: Client) -> pd.DataFrame:
    return db.frames.conversation_log(documents="text")


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "_manifest.json").read_text())


@pytest.mark.parametrize("unit", ["month", "day"])
def test_parts_of_periods_have_the_rows_of_the_frame(
    db: Client, dsn: str, tmp_path: Path, unit: Any
) -> None:
    fill(dsn)
    folder = tmp_path / "new" / "log"
    assert db.frames.export("conversation_log", folder, partition_by=unit) == 12
    log = log_of(db)
    pd.testing.assert_frame_equal(rows_of(folder), log)
    text = log.created.dt.strftime("%Y-%m" if unit == "month" else "%Y-%m-%d")
    assert names_of(folder) == [f"{unit}={each}/part-0.parquet" for each in sorted(set(text))]
    for part in manifest_of(folder)["runs"][0]["parts"]:
        assert part["bytes"] == (folder / part["path"]).stat().st_size
        assert part["rows"] == pyarrow.parquet.read_metadata(folder / part["path"]).num_rows
    assert not list(folder.rglob(".draive_pg-*"))


def test_parts_are_compressed_with_statistics_and_native_types(
    db: Client, dsn: str, tmp_path: Path
) -> None:
    fill(dsn)
    db.frames.export("conversation_log", tmp_path, partition_by=100)
    (file,) = parts_of(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    metadata = pyarrow.parquet.read_metadata(file)
    schema = pyarrow.parquet.read_schema(file)
    group = metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    log = log_of(db)
    statistics = columns["created"].statistics
    assert (statistics.min, statistics.max) == (log.created.min(), log.created.max())
    assert str(schema.field("created").type) == "timestamp[us, tz=UTC]"
    assert str(schema.field("tools").type).startswith("list<")


def test_parts_of_rows_have_whole_memories(db: Client, dsn: str, tmp_path: Path) -> None:
    fill(dsn)
    assert db.frames.export("conversation_log", tmp_path, partition_by=5) == 12
    pd.testing.assert_frame_equal(rows_of(tmp_path), log_of(db))
    read = [pyarrow.parquet.read_table(file) for file in parts_of(tmp_path)]
    assert [set(part["identifier"].to_pylist()) for part in read] == [{"m0", "m1"}, {"m2", "m3"}]


def test_filters_and_columns_apply_to_every_part(db: Client, dsn: str, tmp_path: Path) -> None:
    fill(dsn)
    filters: dict[str, Any] = {
        "since": "2026-02-15",
        "until": datetime(2026, 3, 25),
        "prefix": "m",
        "role": "output",
        "columns": ["identifier", "position", "text"],
    }
    rows = db.frames.export("conversation_log", tmp_path, partition_by="month", **filters)
    expected = db.frames.conversation_log(**filters)
    assert rows == len(expected) == 4
    read = pyarrow.concat_tables(
        pyarrow.parquet.ParquetFile(file).read() for file in parts_of(tmp_path)
    )
    pd.testing.assert_frame_equal(read.to_pandas(), expected)
    db.memory("m9").remember(asked("no"), answered("late"))
    assert (
        db.frames.export(
            "conversation_log",
            tmp_path,
            since="last",
            until="2026-03-25",
            **{key: value for key, value in filters.items() if key not in ("since", "until")},
        )
        == 0
    )


def test_interrupted_export_is_resumed_with_the_missing_parts(
    db: Client, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(dsn)
    log = log_of(db)
    original, called_ = partitions.collecting, list[Path]()

    def collecting(query: Any, file: Path, *args: Any, **options: Any) -> Any:
        called_.append(file)
        if len(called_) == 2:
            raise OSError("no space left")
        return original(query, file, *args, **options)

    monkeypatch.setattr(partitions, "collecting", collecting)
    with pytest.raises(OSError, match="no space left"):
        db.frames.export("conversation_log", tmp_path, partition_by="month")
    (first,) = parts_of(tmp_path)
    before = first.stat().st_mtime_ns
    db.memory("m0").remember(asked("later"))  # of the next export
    with pytest.raises(FileInvalid, match="has an export with partition_by 'month' instead of 'da"):
        db.frames.export("conversation_log", tmp_path, partition_by="day")
    written = db.frames.export("conversation_log", tmp_path, partition_by="month")
    assert written == 12 - pyarrow.parquet.read_metadata(first).num_rows
    assert first.stat().st_mtime_ns == before
    pd.testing.assert_frame_equal(rows_of(tmp_path), log)
    assert db.frames.export("conversation_log", tmp_path, since="last") == 1
    pd.testing.assert_frame_equal(rows_of(tmp_path), log_of(db))


def test_complete_export_is_not_repeated(db: Client, dsn: str, tmp_path: Path) -> None:
    fill(dsn)
    db.frames.export("conversation_log", tmp_path, partition_by="month")
    with pytest.raises(FileInvalid, match="has a complete export: add what is new with since='la"):
        db.frames.export("conversation_log", tmp_path, partition_by="month")
    with pytest.raises(FileInvalid, match=r"has an export with filters \{\} instead of \{'role'"):
        db.frames.export("conversation_log", tmp_path, since="last", role="input")
    with pytest.raises(FileInvalid, match="has an export with columns"):
        db.frames.export("conversation_log", tmp_path, since="last", columns=["text"])
    assert len(rows_of(tmp_path)) == 12


@pytest.mark.parametrize("by", ["month", 2])
def test_last_adds_each_element_once(db: Client, dsn: str, tmp_path: Path, by: Any) -> None:
    fill(dsn)
    assert db.frames.export("conversation_log", tmp_path, partition_by=by, since="last") == 12
    count = len(parts_of(tmp_path))
    assert db.frames.export("conversation_log", tmp_path, since="last") == 0
    db.memory("m0").remember(asked("new"))
    db.memory("m9").remember(asked("newer"))
    assert db.frames.export("conversation_log", tmp_path, since="last", partition_by=by) == 2
    assert db.frames.export("conversation_log", tmp_path, since="last") == 0
    assert len(parts_of(tmp_path)) == count + 1
    pd.testing.assert_frame_equal(rows_of(tmp_path), log_of(db))


@pytest.mark.parametrize("by", ["month", 2])
@pytest.mark.parametrize("savepoint", [False, True])
def test_late_commit_of_an_earlier_element_is_neither_missed_nor_doubled(
    db: Client, dsn: str, tmp_path: Path, by: Any, *, savepoint: bool
) -> None:
    fill(dsn)
    with psycopg.connect(dsn) as late:
        late.execute("SELECT pg_current_xact_id()")
        if savepoint:  # its rows have a transaction number of their own
            late.execute("SAVEPOINT one")
        late.execute(
            "INSERT INTO memories_elements SELECT 'm0', content, '2026-01-01Z'"
            " FROM memories_elements LIMIT 1"
        )
        db.memory("m1").remember(asked("committed meanwhile"))
        with pytest.warns(StoredDataSkipped, match="1 row of transactions that are newer than"):
            rows = db.frames.export("conversation_log", tmp_path, partition_by=by)
        assert rows == 12
        with pytest.warns(StoredDataSkipped, match="1 row of"):
            assert db.frames.export("conversation_log", tmp_path, since="last") == 0
        late.commit()
    assert db.frames.export("conversation_log", tmp_path, since="last") == 2
    read, log = rows_of(tmp_path), log_of(db)
    keys = ["identifier", "created", "text"]
    pd.testing.assert_frame_equal(
        read[keys].sort_values(keys, ignore_index=True),
        log[keys].sort_values(keys, ignore_index=True),
    )


def test_open_transaction_of_another_database_is_not_waited_for(
    db: Client, dsn: str, tmp_path: Path
) -> None:
    fill(dsn)
    with psycopg.connect(make_conninfo(dsn, dbname="postgres")) as other:
        other.execute("SELECT pg_current_xact_id()")
        db.memory("m1").remember(asked("later"))
        assert db.frames.export("conversation_log", tmp_path, partition_by="month") == 13
        other.execute("PREPARE TRANSACTION 'without a session'")
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as other:
        assert db.frames.export("conversation_log", tmp_path, since="last") == 0
        other.execute("ROLLBACK PREPARED 'without a session'")
    assert db.frames.export("conversation_log", tmp_path, since="last") == 0
    assert len(rows_of(tmp_path)) == 13


def test_transaction_that_has_written_must_commit_before_an_export(
    db: Client, connect: Connect, dsn: str, tmp_path: Path
) -> None:
    sync = Client(dsn)
    with sync, sync.transaction():
        sync.memory("m").remember(asked("not committed"))
        with pytest.raises(OperationFailed, match="commit first what this transaction has written"):
            sync.frames.export("conversation_log", tmp_path, partition_by="day")
    assert parts_of(tmp_path) == []


def test_export_of_another_database_is_not_added_to(db: Client, dsn: str, tmp_path: Path) -> None:
    fill(dsn)
    db.frames.export("conversation_log", tmp_path, partition_by="month")
    manifest = manifest_of(tmp_path)
    newer = manifest["runs"][0] | {"written_before": manifest["runs"][0]["written_before"] + 1000}
    changed: list[dict[str, Any]] = [
        {"runs": [newer]},
        *({"database": manifest["database"] | {key: "7"}} for key in manifest["database"]),
    ]
    for change in changed:
        (tmp_path / "_manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(FileInvalid, match="of another database, or of this one before it was"):
            db.frames.export("conversation_log", tmp_path, since="last")


def test_folder_of_other_files_is_not_written_to(db: Client, dsn: str, tmp_path: Path) -> None:
    fill(dsn)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "_manifest.json").write_text("{")
    for name, reason in {
        "other": "has files that no export wrote",
        "other/file": "is not a folder",
        "broken": "is not a manifest",
    }.items():
        with pytest.raises(FileInvalid, match=reason):
            db.frames.export("conversation_log", tmp_path / name, partition_by="month")
    with pytest.raises(ValueError, match="has no export to add to: give partition_by"):
        db.frames.export("conversation_log", tmp_path / "none", since="last")
    with (
        partitions.Folder(tmp_path / "used").opened(),
        pytest.raises(FileInvalid, match="is in use by another export"),
    ):
        db.frames.export("conversation_log", tmp_path / "used", partition_by="month")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"partition_by": "week"}, "partition_by must be 'month', 'day' or a number of rows"),
        ({"partition_by": 0}, "rows must be a positive int"),
        ({"partition_by": True}, "rows must be a positive int"),
        ({"partition_by": "day", "limit": 3}, "limit and partition_by exclude each other"),
        ({"partition_by": "day", "format": "csv"}, "partition_by is for Parquet"),
        ({"partition_by": "day", "role": "nobody"}, "role must be"),
        ({"since": "last", "spreadsheet": True}, "partition_by is for Parquet"),
    ],
)
def test_wrong_arguments_are_rejected_before_a_folder_is_created(
    db: Client, tmp_path: Path, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        db.frames.export("conversation_log", tmp_path / "log", **arguments)
    with pytest.raises(ValueError, match="frame sessions is written to one file"):
        db.frames.export("sessions", tmp_path / "log", partition_by="day")
    assert not (tmp_path / "log").exists()


def test_element_without_a_finite_time_has_no_period(db: Client, dsn: str, tmp_path: Path) -> None:
    fill(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "UPDATE memories_elements SET created = 'infinity' WHERE identifier = 'm3'"
        )
    with pytest.raises(Exception, match="3 rows have a time that is in no month: give a number of"):
        db.frames.export("conversation_log", tmp_path, partition_by="month")
    assert db.frames.export("conversation_log", tmp_path, partition_by=100) == 12


def test_no_rows_are_no_files(db: Client, tmp_path: Path) -> None:
    assert db.frames.export("conversation_log", tmp_path, partition_by="month") == 0
    assert list(tmp_path.iterdir()) == []
    db.memory("m").remember(asked("first"))
    assert db.frames.export("conversation_log", tmp_path, partition_by="month", since="last") == 1


@pytest.mark.parametrize("release", ["0_99_1", "0_103_0", "0_118_0"])
def test_every_line_is_exported_and_what_is_tracked_is_added_to(
    connect: Connect, own_databases: Databases, tmp_path: Path, release: str
) -> None:
    dsn = own_databases.provide()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA line; SET search_path TO line")
        connection.execute((DATA / f"draive_{release}.sql").read_bytes())
    db = connect(dsn, schema="line")
    db.frames.export("conversation_log", tmp_path, partition_by="month")
    pd.testing.assert_frame_equal(rows_of(tmp_path), log_of(db))
    if release == "0_118_0":  # it has the context of an agent
        with pytest.raises(SchemaInvalid, match="not known what is new in them"):
            db.frames.export("conversation_log", tmp_path, since="last")
    else:
        assert db.frames.export("conversation_log", tmp_path, since="last") == 0


def test_command_exports_and_adds(shell: Shell, dsn: str, tmp_path: Path) -> None:
    fill(dsn)
    folder = tmp_path / "log"
    options = (folder, "--dsn", dsn, "--partition-by")
    done = shell("export", "conversation_log", *options, "month")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Exported 12 rows to {folder} in ")
    with Client(dsn) as db:
        db.memory("m0").remember(asked("new"))
    done = shell("export", "conversation_log", folder, "--dsn", dsn, "--since", "last", "--json")
    assert json.loads(done.out)["rows"] == 1
    done = shell("export", "conversation_log", *options, "100")
    assert done.code == 1
    assert "has an export with partition_by 'month' instead of 100" in done.err
    assert shell("export", "conversation_log", *options, "week").code == 2


@pytest.mark.filterwarnings("ignore")  # of the engines
@pytest.mark.parametrize(
    "engine", ["duckdb", "polars", "dask", pytest.param("spark", marks=pytest.mark.slow)]
)
def test_engine_reads_the_folder(dsn: str, tmp_path: Path, engine: str) -> None:
    fill(dsn)
    with Client(dsn) as db:
        db.frames.export("conversation_log", tmp_path, partition_by="month")
        db.memory("m9").remember(called("c", tool="count"))
        db.frames.export("conversation_log", tmp_path, since="last")
        log = log_of(db)
    counts, speakers, months, tools = READERS[engine](tmp_path)
    assert counts == len(log)
    assert speakers == log.groupby("speaker").size().to_dict()
    assert months == set(log.created.dt.strftime("%Y-%m"))
    assert tools == [["find"]] * 4 + [["count"]]


type Read = tuple[int, dict[str, int], set[str], list[list[str]]]


def read_with_duckdb(folder: Path) -> Read:
    duckdb = pytest.importorskip("duckdb", reason=INSTALL)
    log = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true)"
    return (
        len(duckdb.sql(f"SELECT identifier FROM {log}").fetchall()),
        dict(duckdb.sql(f"SELECT speaker, count(*) FROM {log} GROUP BY speaker").fetchall()),
        {month for (month,) in duckdb.sql(f"SELECT DISTINCT month FROM {log}").fetchall()},
        [
            tools
            for (tools,) in duckdb.sql(
                f"SELECT tools FROM {log} WHERE len(tools) > 0 ORDER BY created"
            ).fetchall()
        ],
    )


def read_with_polars(folder: Path) -> Read:
    pl = pytest.importorskip("polars", reason=INSTALL)
    log = pl.scan_parquet(folder / "**/*.parquet", hive_partitioning=True).collect()
    return (
        len(log),
        dict(log.group_by("speaker").len().rows()),
        set(log["month"]),
        log.filter(pl.col("tools").list.len() > 0).sort("created")["tools"].to_list(),
    )


def read_with_dask(folder: Path) -> Read:
    dd = pytest.importorskip("dask.dataframe", reason=INSTALL)
    log = dd.read_parquet(folder)
    assert log.npartitions == len(parts_of(folder))
    read = log.compute(scheduler="sync")
    return _read_frame(read)


def read_with_spark(folder: Path) -> Read:
    sql = pytest.importorskip("pyspark.sql", reason=INSTALL)
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    session = (
        sql.SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    rows = [row.asDict() for row in session.read.parquet(str(folder)).collect()]
    session.stop()
    return _read_frame(pd.DataFrame(rows))


def _read_frame(log: pd.DataFrame) -> Read:
    used = log[log.tools.map(len) > 0].sort_values("created")
    return (
        len(log),
        {str(speaker): len(rows) for speaker, rows in log.groupby("speaker")},
        set(log.month.astype(str)),
        [list(tools) for tools in used.tools],
    )


READERS = {
    "duckdb": read_with_duckdb,
    "polars": read_with_polars,
    "dask": read_with_dask,
    "spark": read_with_spark,
}
