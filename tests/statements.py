"""The SQL of the package as files: ``./dev statements`` writes ``schema/statements``."""

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from draive_pg import frames, operations
from draive_pg.lines.line import LINE_89, LINE_118, Line
from draive_pg.operations.conversations.relations import OLDEST_LINE, relations
from draive_pg.operations.operation import (
    QUERIES,
    ByLine,
    Cached,
    Operation,
    Query,
    Relations,
    Request,
    Statement,
    Workflow,
    qualified,
)

FOLDER = Path(__file__).parent.parent / "schema" / "statements"


def sent(statement: Statement, relations: Relations = OLDEST_LINE) -> str:
    """Return the SQL of a statement as it is sent, for tables of the search path."""
    return qualified(relations.apply(statement).sql, None).decode()


def first_operation(request: Request[Any] | None, line: Line = LINE_89) -> Operation[Any]:
    """Return the first operation of a request to the tables of a line."""
    match request:
        case Workflow():
            return first_operation(request.first, line)
        case ByLine():
            return first_operation(request.build(line), line)
        case Cached():
            return request.operation()
        case _:
            return cast("Operation[Any]", request)


TURNS = relations(LINE_118, LINE_118.stores[:1])


def rendered() -> Mapping[str, str]:
    """Return the text of each file by its name: parameters, then the statement as it is sent."""
    for package in (operations, frames):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return {f"{name}.sql": _text(query) for name, query in sorted(QUERIES.items())}


def _relations(query: Query) -> Relations:
    return TURNS if query.name.startswith("turns.") else OLDEST_LINE


def _text(query: Query) -> str:
    parameters = [f"-- ${number} {name}" for number, name in enumerate(query.parameters, 1)]
    return "\n".join([*parameters, sent(Statement(query.sql), _relations(query)).strip()]) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    files = rendered()
    for stale in {path.name for path in FOLDER.glob("*.sql")} - {*files}:
        (FOLDER / stale).unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
