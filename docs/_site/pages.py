"""MkDocs hook: generate the reference pages that come from code and SQL.

The pages are the command line, DataFrame columns, tables and SQL statements, and the changelog and
the contributing guide, which live at the root of the repository.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from draive_pg.cli import app
from draive_pg.frames import FRAMES

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schema"

DTYPES = {
    "text": "str",
    "integer": "int64",
    "index": "Int64",
    "float": "float64",
    "boolean": "bool",
    "timestamp": "datetime64[us, UTC]",
    "texts": "object",
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
    summary, *paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    examples = [each for each in paragraphs if "\bExamples:" in re.sub(r"\s", "", each)]
    children = getattr(command, "commands", {})
    in_group = parent is not None and parent.parent is not None
    yield f"{'###' if in_group else '##'} `{name}`\n"
    yield _paragraph(summary)
    if not children:
        yield f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    yield from (_paragraph(each) for each in paragraphs if each not in examples)
    yield from _parameters(command, context)
    yield from map(_paragraph, examples)
    for child_name, child in sorted(children.items()):
        yield from _command(child, f"{name} {child_name}", context)


def _paragraph(text: str) -> str:
    """Return a paragraph of help as Markdown: one that begins with ``\\b`` is preformatted."""
    if not text.startswith("\b"):
        return _escaped(" ".join(text.split())) + "\n"
    lines = text.removeprefix("\b").strip("\n").split("\n")
    title = f"{lines.pop(0).strip()}\n\n" if lines[0].rstrip().endswith(":") else ""
    code = textwrap.dedent("\n".join(lines))
    return f"{title}```sh\n{code}\n```\n"


def _parameters(command: Any, context: Any) -> Iterator[str]:
    rows = [row for parameter in command.params if (row := parameter.get_help_record(context))]
    if rows:
        yield "| argument or option | meaning |\n|---|---|"
        for flags, meaning in rows:
            yield f"| `{flags}` | {_escaped(' '.join(meaning.split()))} |"
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
