"""Export of the conversation log to a folder of Parquet files, which later exports add to.

Each export takes the elements of a range of transactions. Its end is the oldest transaction that
was in progress when the export began: everything before it was committed or rolled back by then,
so that the rows of a range never change again, except by removal. The next export begins there.
Hence no element is missed or written twice, however late its transaction commits, and parts that
are written after an interruption fit those before it.
"""

import json
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, LiteralString, cast

from draive_pg.atomic_file import replacing
from draive_pg.codec.timestamps import check_timestamp
from draive_pg.codec.validation import check_size, check_texts, shown
from draive_pg.dataframes import parquet
from draive_pg.display.progress import progress as progress_bar
from draive_pg.display.text import plural
from draive_pg.errors import (
    FileInvalid,
    OperationFailed,
    SchemaInvalid,
    StoredDataInvalid,
    StoredDataSkipped,
    warn,
)
from draive_pg.frames.export import Parquet, collecting
from draive_pg.frames.frame import Frame, PartitionBy
from draive_pg.frames.query import Filters, FrameQuery
from draive_pg.frames.read import watching
from draive_pg.operations.conversations.relations import ELEMENTS, WRITES
from draive_pg.operations.copy import Copy
from draive_pg.operations.identity import IDENTITY
from draive_pg.operations.operation import (
    Call,
    Operation,
    Query,
    Row,
    Statement,
    Steps,
    read_rows,
    workflow,
)

if sys.platform != "win32":
    import fcntl

MANIFEST = "_manifest.json"  # engines leave out files whose names begin with an underscore
FORMAT = 1

UNITS: Mapping[PartitionBy, timedelta] = {"month": timedelta(days=31), "day": timedelta(days=1)}

ROW_GROUP = 1 << 17  # rows

# With more memories in a period, reading all of them is as fast as to name those.
MAX_ACTIVE = 100_000

# The transactions of other databases and of autovacuum, as far as the role may see them, do not
# write rows here, so they are not waited for. A standby does not list the open transactions of its
# primary, but knows the oldest.
SNAPSHOT = Query(
    "export.snapshot",
    f"""
SELECT
    coalesce(
        (
            SELECT writer
            FROM pg_snapshot_xip(pg_current_snapshot()) AS writer
            WHERE NOT EXISTS (
                SELECT
                FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
                WHERE lock.locktype = 'transactionid' AND lock.mode = 'ExclusiveLock'
                    AND lock.granted AND lock.transactionid = writer::XID
                    AND (
                        session.datname <> current_database()
                        OR session.backend_type = 'autovacuum worker'
                    )
            )
            ORDER BY writer
            LIMIT 1
        ),
        CASE
            WHEN pg_is_in_recovery() THEN pg_snapshot_xmin(pg_current_snapshot())
            ELSE pg_snapshot_xmax(pg_current_snapshot())
        END
    )::TEXT::INT8,
    pg_snapshot_xmax(pg_current_snapshot())::TEXT::INT8,
    pg_current_xact_id_if_assigned() IS NOT NULL,
    {IDENTITY},
    (
        SELECT string_agg(oid::TEXT, ' ' ORDER BY oid)
        FROM pg_class
        WHERE relname = ANY (ARRAY['memories_elements', 'conversation_memory', 'agent_memory'])
            AND relnamespace = to_regnamespace(
                quote_ident(coalesce(:schema::TEXT, current_schema()::TEXT))
            )
    )
""",
)

UNTRACKED = Query(
    "export.untracked",
    f"SELECT EXISTS (SELECT FROM {ELEMENTS} AS element WHERE writer IS NULL)",
)

ACTIVE = Query(
    "export.active",
    f"""
SELECT DISTINCT identifier
FROM {WRITES} AS written
WHERE created >= :since::TIMESTAMPTZ AND created < :until::TIMESTAMPTZ
LIMIT :limit::INT8
""",
)

# NULL for times that datetime cannot represent.
PERIODS: LiteralString = """
SELECT
    CASE WHEN created >= '0001-01-01Z' AND created < '9999-01-01Z' THEN
        date_trunc('{unit}', created, 'UTC')
    END AS period,
    count(*)
FROM ({rows}) AS part
GROUP BY period
ORDER BY period
"""

RANGES: LiteralString = """
SELECT min(identifier), max(identifier), sum(rows)::INT8 AS rows
FROM (
    SELECT
        identifier,
        count(*) AS rows,
        div(sum(count(*)) OVER (ORDER BY identifier) - count(*), {size}) AS part
    FROM ({rows}) AS part
    GROUP BY identifier
) AS memory
GROUP BY part
ORDER BY part
"""


@workflow
def export_parts(
    frame: Frame,
    path: Path | str,
    filters: Filters,
    partition_by: PartitionBy | None,
    schema: str | None,
    *,
    progress: bool | None,
) -> Steps[int]:
    """Write the parts of an export that are missing, and return the number of rows written.

    Raises
    ------
    TypeError, ValueError
        For a frame that cannot be partitioned, or a wrong argument.
    FileInvalid
        If the folder has another export, or files that no export wrote.
    OperationFailed
        In a transaction that has written.
    SchemaInvalid
        If the tables do not tell which elements are new.
    """
    name = f"export frame {frame.name}"
    adds = filters.get("since") == "last"
    rest: Filters = {**filters}
    if adds:
        del rest["since"]
    _check(frame, rest, partition_by)
    FrameQuery(frame, rest)  # checks them
    folder = Folder(Path(path))
    with ExitStack() as stack:
        yield Call(partial(stack.enter_context, folder.opened()))
        if adds:
            rest["since"] = folder.since()
        parameters = _parameters(frame, rest)
        by = folder.check(parameters, partition_by, adds=adds)
        horizon, following, has_written, database = yield read_rows(
            name, SNAPSHOT(schema=schema), _snapshot, long=True
        )
        if has_written:
            raise OperationFailed(f"{name}: commit first what this transaction has written")
        folder.check_database(database, following)
        written = yield from _write(name, frame, rest, folder, progress=progress)
        if folder.runs and not adds:
            return written
        since = folder.runs[-1]["written_before"] if folder.runs else None
        if since is not None:
            ((untracked,),) = yield _read(name, UNTRACKED())
            if untracked:
                raise SchemaInvalid(
                    f"{name}: draive stores the contexts of agents as a whole, so it is not known "
                    "what is new in them; export all to another folder"
                )
            # A transaction of another database that is not seen as such this time is older.
            horizon = max(horizon, since)
        if horizon < following:
            later = FrameQuery(frame, rest, parameters={"written_since": horizon})
            ((count,),) = yield _read(name, _on("SELECT count(*) FROM ({rows}) AS part", later))
            if count:
                warn(
                    f"{name}: {plural(count, 'row')} of transactions that are newer than one "
                    "still open are left to the next export with since='last'",
                    StoredDataSkipped,
                )
        bounds = {"written_since": since, "written_before": horizon}
        parts = yield _plan(name, frame, rest, bounds, by)
        if parts:
            yield Call(partial(folder.begin, parameters, by, database, {**bounds, "parts": parts}))
            written += yield from _write(name, frame, rest, folder, progress=progress)
        return written


def _write(
    name: str, frame: Frame, filters: Filters, folder: "Folder", *, progress: bool | None
) -> Steps[int]:
    """Write the parts that are missing of the last run, and return the number of rows."""
    run = folder.unfinished()
    if run is None:
        return 0
    missing = [part for part in run["parts"] if not (folder.path / part["path"]).exists()]
    expected = sum(part["rows"] for part in missing)
    bounds = {key: run[key] for key in ("written_since", "written_before")}
    with progress_bar(expected, frame.name, " rows", wanted=progress) as bar:
        for part in missing:
            keys = {key: part[key] for key in ("since", "until", "first", "last") if key in part}
            own: Filters = {**filters}
            if "since" in keys and filters.get("identifier") is None:
                active = yield _read(name, ACTIVE(**keys, limit=MAX_ACTIVE + 1))
                if len(active) <= MAX_ACTIVE:
                    own["identifier"] = [identifier for (identifier,) in active]
            query = FrameQuery(frame, own, parameters={**bounds, **keys})
            file = folder.path / part["path"]
            file.parent.mkdir(mode=0o700, exist_ok=True)
            writer = partial(Parquet, columns=query.columns)
            collect = partial(collecting, query, file, writer, rows=ROW_GROUP)
            yield Copy(name, query.statement, partial(watching, collect, bar), query.fallback)
    yield Call(folder.finish)
    return sum(part["rows"] for part in missing)


class Folder:
    """The folder of an export, and its manifest.

    A part is complete if its file exists, because files are renamed when they are complete.

    Attributes
    ----------
    path : Path
        The folder.
    runs : list
        The exports into it; only the last can be unfinished.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._manifest: dict[str, Any] = {}

    @property
    def runs(self) -> list[dict[str, Any]]:
        return self._manifest.get("runs", [])

    @contextmanager
    def opened(self) -> Generator[None]:
        """Create and lock the folder for a block, and read its manifest."""
        if self.path.exists() and not self.path.is_dir():
            raise FileInvalid(f"{_shown(self.path)} is not a folder")
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self.path):
            try:
                self._manifest = json.loads((self.path / MANIFEST).read_bytes())
            except FileNotFoundError:
                if any(not entry.name.startswith(".") for entry in self.path.iterdir()):
                    raise FileInvalid(
                        f"{_shown(self.path)} has files that no export wrote: give an empty folder"
                    ) from None
            except ValueError:
                raise FileInvalid(f"{_shown(self.path / MANIFEST)} is not a manifest") from None
            else:
                if self._manifest.get("format") != FORMAT:
                    raise FileInvalid(f"{_shown(self.path / MANIFEST)} is not of this version")
            yield

    def since(self) -> str | None:
        """Return the filter ``since`` of the export."""
        return self._manifest.get("filters", {}).get("since")

    def check(
        self, parameters: Mapping[str, Any], by: PartitionBy | None, *, adds: bool
    ) -> PartitionBy:
        """Return by what the export is partitioned, if it can be resumed or added to."""
        by = by or self._manifest.get("partition_by")
        if by is None:
            raise ValueError(f"{_shown(self.path)} has no export to add to: give partition_by")
        for key, value in {**parameters, "partition_by": by}.items():
            if self._manifest and (before := self._manifest[key]) != value:
                raise FileInvalid(
                    f"{_shown(self.path)} has an export with {key} {shown(before)} instead of "
                    f"{shown(value)}: repeat its parameters, or give another folder"
                )
        if self.runs and not self.unfinished() and not adds:
            raise FileInvalid(
                f"{_shown(self.path)} has a complete export: add what is new with since='last', "
                "or give another folder"
            )
        return by

    def check_database(self, database: Mapping[str, str], following: int) -> None:
        """Raise FileInvalid if transactions cannot be compared with those of the last run."""
        if self.runs and (
            self._manifest["database"] != database or self.runs[-1]["written_before"] > following
        ):
            raise FileInvalid(
                f"{_shown(self.path)} has an export of another database, or of this one before it "
                "was restored, upgraded or promoted: export all to another folder"
            )

    def unfinished(self) -> dict[str, Any] | None:
        """Return the last run, if it is not finished."""
        return self.runs[-1] if self.runs and self.runs[-1]["finished"] is None else None

    def begin(
        self,
        parameters: Mapping[str, Any],
        by: PartitionBy,
        database: Mapping[str, str],
        run: Mapping[str, Any],
    ) -> None:
        """Add a run to the manifest, with the paths of its parts."""
        number = sum(len(each["parts"]) for each in self.runs)
        for part in run["parts"]:
            if by in UNITS:
                part["path"] = f"{by}={part.pop('period')}/part-{len(self.runs)}.parquet"
            else:
                part["path"] = f"part-{number}.parquet"
                number += 1
        runs = [*self.runs, {"started": _now(), "finished": None, **run}]
        self._manifest = {
            "format": FORMAT,
            **parameters,
            "partition_by": by,
            "database": database,
            "runs": runs,
        }
        self._save()

    def finish(self) -> None:
        """Record the rows and bytes of the parts of the last run."""
        run = self.runs[-1]
        for part in run["parts"]:
            file = self.path / part["path"]
            part["rows"] = parquet().read_metadata(file).num_rows
            part["bytes"] = file.stat().st_size
        run["finished"] = _now()
        self._save()

    def _save(self) -> None:
        with replacing(self.path / MANIFEST) as file:
            file.write(json.dumps(self._manifest, indent=1, ensure_ascii=False).encode())


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Let no other process export into the folder, where the file system supports locks."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FileInvalid(f"{_shown(folder)} is in use by another export") from None
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(descriptor)


def _check(frame: Frame, filters: Filters, by: PartitionBy | None) -> None:
    """Raise TypeError or ValueError for a frame or arguments that cannot be partitioned."""
    if "written_before" not in frame.ordered.filters:
        raise ValueError(f"frame {frame.name} is written to one file; leave out partition_by")
    if filters.get("limit") is not None:
        raise ValueError("limit and partition_by exclude each other")
    if by is not None and by not in UNITS and (isinstance(by, str) or check_size(by, "rows") < 1):
        raise ValueError(f"partition_by must be 'month', 'day' or a number of rows, not {by!r:.60}")


def _parameters(frame: Frame, filters: Filters) -> Mapping[str, Any]:
    """Return what each run of an export has in common, as JSON."""
    given = {key: value for key, value in filters.items() if value is not None}
    for key in ("identifier", "tool"):
        if key in given:
            given[key] = check_texts(filters.get(key), key)
    for key in ("since", "until"):
        if (time := check_timestamp(given.get(key), key)) is not None:
            given[key] = time.astimezone(UTC).isoformat()
    given.pop("columns", None)
    return {
        "frame": frame.name,
        "columns": dict(FrameQuery(frame, filters).columns),
        "filters": json.loads(json.dumps(given, default=list)),
    }


def _plan(
    name: str, frame: Frame, filters: Filters, bounds: Mapping[str, int | None], by: PartitionBy
) -> Operation[list[dict[str, Any]]]:
    """Return the parts with the rows of a range of transactions."""
    key, template = "identifier", RANGES.replace("{size}", str(by))
    if by in UNITS:
        key, template = "created", PERIODS.replace("{unit}", str(by))
    query = FrameQuery(frame, {**filters, "columns": [key]}, parameters=bounds)
    since, until = (check_timestamp(filters.get(each), each) for each in ("since", "until"))

    def part(*row: Any) -> dict[str, Any]:
        if by not in UNITS:
            return dict(zip(("first", "last", "rows"), row, strict=True))
        start, rows = row
        if start is None:
            raise StoredDataInvalid(
                f"{name}: {plural(rows, 'row')} have a time that is in no {by}: give a number of "
                "rows as partition_by"
            )
        start = start.astimezone(UTC)
        end = start + UNITS[by]
        if by == "month":
            end = end.replace(day=1)
        return {
            "period": f"{start:%Y-%m}" if by == "month" else f"{start:%Y-%m-%d}",
            "since": max(start, since or start).isoformat(),
            "until": min(end, until or end).isoformat(),
            "rows": rows,
        }

    return read_rows(
        name,
        _on(template, query),
        lambda rows: [part(*row) for row in rows],
        fallback=query.fallback,
        long=True,
    )


def _on(template: str, query: FrameQuery) -> Statement:
    """Return a statement on the rows of a query."""
    sql = template.replace("{rows}", query.statement.sql)
    return Statement(cast("LiteralString", sql), query.statement.parameters)


def _read(name: str, statement: Statement) -> Operation[Sequence[Row]]:
    return read_rows(name, statement, list, long=True)


def _snapshot(rows: Sequence[Row]) -> tuple[int, int, bool, Mapping[str, str]]:
    ((horizon, following, has_written, *database),) = rows
    names = ("system", "timeline", "database", "tables")
    return horizon, following, has_written, dict(zip(names, map(str, database), strict=True))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _shown(path: Path) -> str:
    return f"{str(path)!r:.200}"
