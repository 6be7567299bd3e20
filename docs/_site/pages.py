"""MkDocs hook: generate the reference pages that come from code and SQL.

The pages are the command line, DataFrame columns, tables and SQL statements, and the changelog and
the contributing guide, which live at the root of the repository.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from draive_pg.cli import app
from draive_pg.frames.definitions import FRAMES

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schema"

DTYPES = {
    "text": "str",
    "integer": "int64",
    "number": "float64",
    "flag": "bool",
    "time": "datetime64[us, UTC]",
    "json": "object",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of ``docs/``."""
    pages = {
        "reference/cli.md": command_line(),
        "reference/columns.md": columns(),
        "reference/tables.md": tables(),
        "reference/statements.md": statements(),
        "changelog.md": root_document("CHANGELOG.md"),
        "contributing.md": root_document("CONTRIBUTING.md"),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def root_document(name: str) -> str:
    """Return a document of the root with its links into ``docs/`` made relative to ``docs/``."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return text.replace("](docs/", "](")


# --- Command line


def command_line() -> str:
    """Return the reference of every command, from the command line's own help."""
    command = typer.main.get_command(app)
    return "# Command line\n\n" + "\n".join(_command(command, "draive-pg", None))


def _command(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=name.rpartition(" ")[2], parent=parent)
    yield f"## `{name}`\n"
    yield _help(command.help or "")
    if not getattr(command, "commands", None):
        yield f"```text\n{command.get_usage(context)}\n```\n".replace("Usage: ", "")
        yield from _parameters(command, context)
    for child_name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _command(child, f"{name} {child_name}", context)


def _help(text: str) -> str:
    """Return help as Markdown: a paragraph that begins with ``\\b`` is preformatted."""
    paragraphs: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if not paragraph.startswith("\b"):
            paragraphs.append(_escaped(" ".join(paragraph.split())))
            continue
        lines = paragraph.removeprefix("\b").strip("\n").split("\n")
        title = lines.pop(0).rstrip(":") if lines[0].rstrip().endswith(":") else ""
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        body = "\n".join(line[indent:] for line in lines)
        paragraphs.append(f"{title}\n\n```sh\n{body}\n```" if title else f"```sh\n{body}\n```")
    return "\n\n".join(paragraphs) + "\n"


def _parameters(command: Any, context: Any) -> Iterator[str]:
    rows = [row for parameter in command.params if (row := parameter.get_help_record(context))]
    if rows:
        yield "| argument or option | meaning |\n|---|---|"
        for flags, meaning in rows:
            yield f"| `{flags}` | {_escaped(' '.join(meaning.split()))} |".replace("\\|", "|")
        yield ""


def _escaped(text: str) -> str:
    return re.sub(r"([<>*_|\[\]])", r"\\\1", text)


# --- Columns


def columns() -> str:
    """Return the columns and dtypes of every DataFrame of `db.frames`."""
    parts = [
        "# DataFrame columns\n",
        "Columns and dtypes are fixed: an empty DataFrame has the same ones. Times are in UTC. "
        "Columns of dtype `object` hold JSON as Python dicts and lists. The methods "
        "that return these DataFrames are described in [DataFrames](frames.md).\n",
    ]
    for frame in FRAMES.values():
        parts += [f"## `{frame.name}`\n", "| column | dtype |\n|---|---|"]
        parts += [f"| `{name}` | `{DTYPES[kind]}` |" for name, kind in frame.columns.items()]
        parts.append("")
    return "\n".join(parts)


# --- SQL


def tables() -> str:
    """Return the migrations with their SQL."""
    parts = [
        "# Tables\n",
        "`setup()` applies these files in order, once each, and records them in "
        "`draive_pg_migrations`. The tables `configurations`, `instructions`, `memories`, "
        "`memories_variables` and `memories_elements` are draive's; everything named `draive_pg_*` "
        "belongs to draive_pg, and draive does not need it.\n",
    ]
    return "\n".join([*parts, *(_sql(path.name, path) for path in sorted(SCHEMA.glob("*.sql")))])


def statements() -> str:
    """Return every named SQL statement as it is sent to PostgreSQL."""
    parts = [
        "# SQL statements\n",
        "These are the statements that draive_pg sends, with their numbered parameters. They are "
        "the files of `schema/statements/`, written by `./dev statements`; a test checks that they "
        "are current.\n",
    ]
    paths = sorted((SCHEMA / "statements").glob("*.sql"))
    return "\n".join([*parts, *(_sql(path.stem, path) for path in paths)])


def _sql(title: str, path: Path) -> str:
    return f"## `{title}`\n\n```sql\n{path.read_text(encoding='utf-8').rstrip()}\n```\n"
