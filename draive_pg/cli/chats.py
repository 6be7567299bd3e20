"""``draive-pg import``: import chat logs of other tools."""

import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from draive_pg import ChatInvalid, DraivePGError, MemoryExists, OperationFailed
from draive_pg.chat.files import Conversation, read
from draive_pg.cli.options import AsJson, Dsn, Schema, opened
from draive_pg.cli.output import echo, one_line, print_json
from draive_pg.display.progress import progress, watched
from draive_pg.display.text import escaped

if TYPE_CHECKING:
    from tqdm import tqdm

# Classes of SQLSTATE for invalid data: the next conversation may be valid.
DATA_ERRORS = ("22", "54")

SUMMARY = (
    "{conversations:,} conversations ({elements:,} elements), skipped {skipped:,}, "
    "failed {failed:,}, "
    "in {seconds:.1f} s"
)

# Write the messages of a conversation under an identifier, and return the number of elements.
type Write = Callable[[str, Sequence[Mapping[str, Any]]], int]

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Import chat logs of other tools."
)


@app.command()
def chat(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="JSON or JSON Lines, also gzipped.")
    ],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Prefix of all identifiers.")] = "",
    append: Annotated[
        bool,
        typer.Option("--append", help="Append to memories that have elements; do not skip them."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything, write nothing; needs no database."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import OpenAI-style chat logs: one memory per conversation.

    A file contains conversations or messages, as JSON or JSON Lines. A conversation is a list of
    messages ({"role": "user", "content": "Hi"}), or an object with such a list. Its identifier is
    that of the object (identifier, id, conversation_id, thread_id, session_id), else it is derived
    from the file name.

    Each conversation is written completely or not at all. A conversation whose memory has elements
    is skipped, so an import can be repeated. Invalid conversations are reported, the others are
    imported; the exit code is 1 if anything failed. Files written by draive-pg memories export are
    imported by draive-pg memories import.

    The embedded PostgreSQL creates its tables itself. On another server, run draive-pg setup first.

    \b
    Examples:
      draive-pg import chat logs.jsonl
      draive-pg import chat exports/*.json.gz --prefix support/
      draive-pg import chat logs.jsonl --dry-run
    """
    started = time.monotonic()
    bar = progress(sum(map(_size, files)), "Importing", "B", wanted=watched())
    with _writer(dsn, schema, append=append, dry_run=dry_run) as write, bar:
        run = Import(write, prefix=prefix, append=append, bar=bar)
        run.files(files)
    counts = asdict(run.counts) | {"seconds": round(time.monotonic() - started, 3)}
    if as_json:
        print_json(counts)
    else:
        echo(("Would import " if dry_run else "Imported ") + SUMMARY.format_map(counts))
    raise typer.Exit(1 if run.counts.failed else 0)


@dataclass(slots=True)
class Counts:
    """Numbers of conversations by result."""

    conversations: int = 0
    elements: int = 0
    skipped: int = 0
    failed: int = 0


class Import:
    """An import of conversations from files into memories."""

    def __init__(self, write: Write, *, prefix: str, append: bool, bar: "tqdm[Any]") -> None:
        self.counts = Counts()
        self._write = write
        self._prefix = prefix
        self._append = append
        self._bar = bar
        self._sources: dict[str, Path] = {}

    def files(self, paths: Sequence[Path]) -> None:
        """Import all files, and report invalid conversations."""
        try:
            for path in paths:
                self._file(path)
        except DraivePGError as error:
            if self.counts.conversations:
                error.add_note(f"conversations imported before: {self.counts.conversations}")
            raise

    def _file(self, path: Path) -> None:
        try:
            entries = read(path)
        except ChatInvalid as error:
            entries = [error]
        for entry in entries:
            self._entry(entry, path)
            self._bar.update(_size(path) / len(entries))

    def _entry(self, entry: Conversation | ChatInvalid, path: Path) -> None:
        if isinstance(entry, ChatInvalid):
            self._report(one_line(entry))
            return
        try:
            self.counts.elements += self._conversation(entry, path)
            self.counts.conversations += 1
        except MemoryExists:
            self.counts.skipped += 1
        except (OperationFailed, TypeError, ValueError) as error:
            if isinstance(error, OperationFailed) and not _is_data_error(error):
                raise
            self._report(f"{entry.where}: {one_line(error)}")

    def _conversation(self, conversation: Conversation, path: Path) -> int:
        identifier = f"{self._prefix}{conversation.identifier}"
        if not self._append:
            # Otherwise it would be skipped as already imported.
            if source := self._sources.get(identifier):
                raise ChatInvalid(f"its identifier {identifier!r:.80} is in {str(source)!r} too")
            self._sources[identifier] = path
        return self._write(identifier, conversation.messages)

    def _report(self, message: str) -> None:
        self.counts.failed += 1
        self._bar.write(f"draive-pg: {escaped(message)}", file=sys.stderr)


@contextmanager
def _writer(
    dsn: str | None, schema: str | None, *, append: bool, dry_run: bool
) -> Generator[Write]:
    if dry_run:
        yield _checked
        return
    with opened(dsn, schema) as db:
        yield partial(db.memories.import_chat, append=append)


def _checked(identifier: str, messages: Sequence[Mapping[str, Any]]) -> int:
    from draive_pg.chat.messages import convert
    from draive_pg.operations.conversations import write as memory

    memory.import_chat(identifier, messages, append=False)  # checks everything
    return len(convert(messages).elements)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_data_error(error: OperationFailed) -> bool:
    return error.sqlstate is not None and error.sqlstate.startswith(DATA_ERRORS)
