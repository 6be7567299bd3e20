"""Convert a database from one line of draive to another."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from draive_pg.display.progress import progress, watched
from draive_pg.errors import TableMissing
from draive_pg.lines.line import MEMORIES, TABLES, Line, line_of
from draive_pg.models.conversion import Conversion
from draive_pg.operations.admin.migrations import missing_tables
from draive_pg.operations.conversations.relations import find
from draive_pg.operations.convert import conversations, documents
from draive_pg.operations.convert.conversations import WRITE, convert_conversations
from draive_pg.operations.convert.documents import convert_documents
from draive_pg.operations.convert.report import Report
from draive_pg.operations.documents.kind import CONFIGURATIONS, KINDS, DocumentKind
from draive_pg.operations.estimate import estimate
from draive_pg.operations.operation import LINE, Call, Operation, Query, Request, Steps, workflow

SAME = "both lines have the same tables: copy them with export and import_file"
KIND_BY_TABLE: Mapping[str, DocumentKind[Any, Any]] = {kind.table: kind for kind in KINDS}
NAMES = [*{tables[0] for tables in TABLES.values()}, *KIND_BY_TABLE]


@workflow
def convert(
    to: str,
    *,
    source: str | None,
    schema: str | None,
    target_schema: str | None,
    run_on_target: Callable[[Operation[Any]], Any] | None,
    dry_run: bool,
) -> Steps[Conversion]:
    """Convert conversations, prompts and configurations.

    Parameters
    ----------
    to, source : str
        Releases of draive; a source of None is that of the database.
    schema, target_schema : str | None
        The schemas of the source and the target.
    run_on_target : callable | None
        Runs an operation on the target; blocking. None: the target is in the database and the
        schema of the source.
    dry_run : bool
        Whether to write nothing.
    """
    target = line_of(to)
    if target.stores[0] not in WRITE:
        raise ValueError(f"conversations of {target} are read-only: convert to another release")
    is_same = run_on_target is None

    def on_target(operation: Operation[Any]) -> Request[Any]:
        return Call(partial(run_on_target, operation)) if run_on_target else operation

    line = None if source is None else line_of(source)
    if line is None:
        line = yield LINE
    yield find(schema, line)  # which raises if its tables are of another line
    yield on_target(find(target_schema, target))
    missing = yield missing_tables(schema, NAMES)
    lacking = yield on_target(missing_tables(target_schema, NAMES))
    report = Report()
    parts: list[tuple[Query, Steps[None]]] = []  # the list of each part, and its conversion
    for store in line.stores:
        if TABLES[store][0] in missing:
            continue
        if store in target.stores or {store, *target.stores} <= {*MEMORIES}:
            if not is_same:
                report.refuse("conversations", "*", SAME)
            continue
        is_new = _is_lacking(TABLES[target.stores[0]][0], lacking, target, dry_run=dry_run)
        steps = convert_conversations(
            store, target.stores[0], on_target, report, is_new=is_new, dry_run=dry_run
        )
        parts.append((conversations.LIST[store], steps))
    for subject, kind, new in (
        ("prompts", KIND_BY_TABLE[line.prompts], KIND_BY_TABLE[target.prompts]),
        ("configurations", CONFIGURATIONS, CONFIGURATIONS),
    ):
        if kind.table in missing or (is_same and kind is new):
            continue
        is_new = _is_lacking(new.table, lacking, target, dry_run=dry_run)
        steps = convert_documents(
            subject, kind, new, on_target, report, is_new=is_new, dry_run=dry_run
        )
        parts.append((documents.LIST[kind], steps))
    total: int | None = None
    if watched():
        total = yield from _total([query for query, _ in parts])
    with progress(total, "Converting", " documents") as report.bar:
        for _, steps in parts:
            yield from steps
    return report.conversion(line, target, dry_run=dry_run)


def _total(lists: Iterable[Query]) -> Steps[int]:
    """Return how many conversations and documents there are, by the planner's estimate."""
    total = 0
    for query in lists:
        total += yield estimate("convert: estimate", query(after=None, limit=None))
    return total


def _is_lacking(table: str, lacking: Collection[str], target: Line, *, dry_run: bool) -> bool:
    """Return whether a table of the target is missing; raise TableMissing if it is needed."""
    if table in lacking and not dry_run:
        raise TableMissing(
            f"convert to {target}: the target has no table {table!r}: run "
            f"setup() of Client(draive={target.name!r}), or draive-pg setup with "
            f"$DRAIVE_PG_DRAIVE={target.name}"
        )
    return table in lacking
