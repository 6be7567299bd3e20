"""``draive-pg import``: what other tools keep, brought into the tables."""

import json
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
from draive_pg.cli.options import Dsn, Schema, one_line, opened
from draive_pg.display.progress import progress, watched

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ("app",)

# Classes of SQLSTATE that blame the data, not the server: what comes next may yet be written.
DATA_FAULTS = ("22", "54")

SUMMARY = (
    "{conversations:,} conversations ({elements:,} elements), skipped {skipped:,}, "
    "failed {failed:,}, "
    "in {seconds:.1f} s"
)

# Writes the messages of one conversation under an identifier, and returns how many elements.
type Write = Callable[[str, Sequence[Mapping[str, Any]]], int]

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Chat logs of other tools, brought in."
)


@app.command()
def chat(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="JSON or JSON Lines, also gzipped.")
    ],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Put before each conversation's identifier.")
    ] = "",
    append: Annotated[
        bool,
        typer.Option("--append", help="Write after what a memory holds already, not skip it."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Read and check all, write nothing; needs no database."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counts as one JSON object.")
    ] = False,
) -> None:
    """Import OpenAI-style chat logs: one memory per conversation.

    A file holds conversations or messages, as JSON or JSON Lines. A conversation is a list of
    messages ({"role": "user", "content": "Hi"}), or an object with such a list. Its identifier is
    the object's own (identifier, id, conversation_id, thread_id, session_id), else made of the
    name of the file.

    Each conversation is written whole or not at all. One whose memory has elements already is
    skipped, so an import can be repeated. What cannot be read is reported, and the others are
    imported: the exit code is 1 if anything failed. Files of draive-pg memories export come in by
    draive-pg memories import.

    The embedded PostgreSQL gets its tables by itself. On a server somebody makes them, once, with
    the command setup.

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
        typer.echo(json.dumps(counts))
    else:
        typer.echo(("Would import " if dry_run else "Imported ") + SUMMARY.format_map(counts))
    raise typer.Exit(1 if run.counts.failed else 0)


@dataclass(slots=True)
class Counts:
    """What became of the conversations."""

    conversations: int = 0
    elements: int = 0
    skipped: int = 0
    failed: int = 0


class Import:
    """Conversations on their way from files into memories."""

    def __init__(self, write: Write, *, prefix: str, append: bool, bar: "tqdm[Any]") -> None:
        self.counts = Counts()
        self._write = write
        self._prefix = prefix
        self._append = append
        self._bar = bar
        self._sources: dict[str, Path] = {}

    def files(self, paths: Sequence[Path]) -> None:
        """Import all files, and report those conversations that cannot be."""
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
            if isinstance(error, OperationFailed) and not _blames_data(error):
                raise
            self._report(f"{entry.where}: {one_line(error)}")

    def _conversation(self, conversation: Conversation, path: Path) -> int:
        identifier = f"{self._prefix}{conversation.identifier}"
        if not self._append:
            # Else it would be skipped, as if it had been imported before.
            if source := self._sources.get(identifier):
                raise ChatInvalid(f"its identifier {identifier!r:.80} is in {str(source)!r} too")
            self._sources[identifier] = path
        return self._write(identifier, conversation.messages)

    def _report(self, message: str) -> None:
        self.counts.failed += 1
        self._bar.write(f"draive-pg: {message}", file=sys.stderr)


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

    memory.import_chat(identifier, messages, append=False)  # refuses all that cannot be written
    return len(convert(messages).elements)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _blames_data(error: OperationFailed) -> bool:
    return error.sqlstate is not None and error.sqlstate.startswith(DATA_FAULTS)
