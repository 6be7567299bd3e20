"""``draive-pg demo``: show the features of the package on sample conversations."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from draive_pg.client import Client
from draive_pg.display import terminal
from draive_pg.samples import support

if TYPE_CHECKING:
    from draive import ModelInput, ModelOutput
    from pandas import DataFrame

WIDTH = 100
MAX_TEXT = 240  # characters shown of one text
OFTEN = 5  # calls of a tool whose failures are compared

TOUR = Path("notebooks/tour.ipynb")

PROMPT = "demo.welcome"
REVISIONS = (
    "Hello {customer}, how can I help you?",
    "Hello {customer}! Welcome to {shop}. What can I do for your bicycle today?",
)
ARGUMENTS = {"customer": "Ada", "shop": "Brambleford Bikes"}


def run(db: Client, opened_by: str) -> None:
    """Import the sample conversations that are missing, and show the features.

    Parameters
    ----------
    db : Client
        The client, preferably with a schema of its own.
    opened_by : str
        Python code that opens the same database.
    """
    page = Page()
    show_import(db, page)
    with suppress(ImportError):  # of draive, whose objects it shows
        show_recall(db, page)
    show_sessions(db, page)
    show_tools(db, page)
    show_prompt(db, page)
    show_next(db, page, opened_by)


def show_import(db: Client, page: "Page") -> None:
    """Import the conversations that are missing, and show their numbers."""
    with Console(stderr=True).status("Importing the sample conversations ..."):
        db.setup()
        done = db.memories.import_chats(support())
        sessions = db.frames.sessions()
    page.part(
        "Import conversations",
        "draive_pg keeps the conversations, prompts and configurations of draive in PostgreSQL. It "
        f"comes with {done.imported + done.unchanged} chat logs of a bicycle shop's support "
        f"assistant: {done.imported} were imported now, {done.unchanged} were there already. "
        "Each chat log becomes a memory, and its messages the elements of that memory.",
    )
    page.code("db.memories.import_chats(path)")
    counted = sessions[["elements", "turns", "tool_calls", "n_chars"]].sum().to_frame().T
    counted.insert(0, "memories", len(sessions))
    page.table(counted)


def show_recall(db: Client, page: "Page") -> None:
    """Show the end of a conversation as a model gets it."""
    (identifier,) = db.frames.sessions(limit=1)["identifier"]
    recalled = db.memory(identifier).recall(limit=6)
    page.part(
        "Recall a conversation",
        "recall() returns context for a model: the newest elements, starting with a turn of the "
        "user, with a response to each tool call.",
    )
    page.code(f"db.memory({identifier!r}).recall(limit=6)")
    page.lines(line for element in recalled.context for line in _spoken(element))
    page.say("The system message is stored as a variable of the memory:")
    page.lines((name, str(value)) for name, value in (recalled.variables or {}).items())


def show_sessions(db: Client, page: "Page") -> None:
    """Show the first rows of a DataFrame."""
    sessions = db.frames.sessions()
    page.part(
        "All conversations as a DataFrame",
        "For analysis there are pandas DataFrames. This one has a row for each of the "
        f"{len(sessions)} memories; here are its first rows, and some of its "
        f"{len(sessions.columns)} columns.",
    )
    page.code("db.frames.sessions()")
    page.table(sessions[["identifier", "elements", "turns", "tool_calls", "n_chars"]].head())


def show_tools(db: Client, page: "Page") -> None:
    """Show which tools fail, computed from a DataFrame."""
    calls = db.frames.tool_calls()
    failures = calls[calls["failed"]]
    tools = (
        calls.groupby("tool", as_index=False)
        .agg(calls=("call", "size"), failures=("failed", "sum"), failure_rate=("failed", "mean"))
        .sort_values(["failure_rate", "calls", "tool"], ascending=[False, False, True])
        .round(2)
    )
    frequent = tools[tools["calls"] >= OFTEN]
    page.part(
        "Which tools fail?",
        f"Another DataFrame has a row for each tool call, with its answer. Of {len(calls)} calls "
        f"{len(failures)} failed, and {calls['response'].isna().sum()} were never answered; failed "
        "means here that the answer begins with an error. "
        f"Of the {len(frequent)} tools that were called at least {OFTEN} times, these failed most "
        "often:",
    )
    page.code("db.frames.tool_calls()")
    page.table(frequent.head(6))
    page.say("The first of these failures:")
    page.table(failures[["identifier", "tool", "response"]].head(3))


def show_prompt(db: Client, page: "Page") -> None:
    """Define two revisions of a prompt, unless they exist, and resolve it."""
    for content in REVISIONS[len(db.frames.instruction_revisions(PROMPT)) :]:
        db.instructions.define(PROMPT, content=content)
    page.part(
        "A prompt and its revisions",
        "Each definition of a prompt adds a revision. The newest revision is current, and all "
        "are kept.",
    )
    page.code("db.instructions.define(name, content=...)", "db.frames.instruction_revisions()")
    columns = ["name", "revision", "current", "content"]
    page.table(db.frames.instruction_revisions(PROMPT, columns=columns))
    page.say("resolve() replaces the placeholders of a prompt:")
    page.code(
        f"arguments = {ARGUMENTS}",
        f"db.instructions.resolve({PROMPT!r}, arguments=arguments)",
    )
    page.lines([("resolved", db.instructions.resolve(PROMPT, arguments=ARGUMENTS))])


def show_next(db: Client, page: "Page", opened_by: str) -> None:
    """Show where the data is, and what to do next."""
    page.part("Next", "Everything above was read from this database, and stays there:")
    page.code(repr(db))
    page.say(f"Open it in {_program('python')} or in a notebook:")
    page.code(
        "from draive_pg import Client",
        f"db = {opened_by}",
        "db.frames.conversation_log()",
    )
    if TOUR.exists():  # in a clone
        page.say("The same and more is in a notebook. Install Jupyter, and open it:")
        page.code(
            f"{_program('python')} -m pip install -e '.[notebook]'",
            f"{_program('jupyter')} lab {TOUR}",
        )
    page.say("Import chat logs of your own, and see what else there is:")
    page.code(
        f"{_program('draive-pg')} import chats FILE",
        f"{_program('draive-pg')} --help",
    )


class Page:
    """The output: coloured at a terminal, plain in a pipe."""

    def __init__(self) -> None:
        self._console = Console(markup=False, emoji=False, highlight=False)
        if not self._console.is_terminal or self._console.width > WIDTH:
            self._console.width = WIDTH

    def part(self, title: str, text: str) -> None:
        """Print a heading and an introduction."""
        self._print(Rule(Text(title, style="bold"), align="left", style="dim"))
        self._console.print(text)

    def say(self, text: str) -> None:
        """Print a paragraph."""
        self._print(text)

    def code(self, *lines: str) -> None:
        """Print code; lines are not wrapped, so that they can be copied."""
        text = "\n".join(f"    {line}" for line in lines)
        self._print(Text(text, style="cyan"), soft_wrap=True)

    def lines(self, lines: Iterable[tuple[str, str]]) -> None:
        """Print pairs of a label and a text."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column()
        for name, text in lines:
            grid.add_row(name, _shortened(text))
        self._print(Padding.indent(grid, 4))

    def table(self, frame: "DataFrame") -> None:
        """Print a DataFrame."""
        rows = [
            [_shortened(str(value)) if isinstance(value, str | bool) else value for value in row]
            for row in frame.itertuples(index=False)
        ]
        self._print(Padding.indent(terminal.table([str(name) for name in frame], rows), 4))

    def _print(self, shown: RenderableType, *, soft_wrap: bool = False) -> None:
        self._console.print()
        self._console.print(shown, soft_wrap=soft_wrap)


def _spoken(element: "ModelInput | ModelOutput") -> Iterator[tuple[str, str]]:
    """Yield the speaker and the text of each part of an element."""
    if text := element.content.to_str():
        yield ("user" if element.type == "model_input" else "assistant"), text
    if element.type == "model_input":
        for response in element.tools:
            yield "tool", f"{response.tool} answers {response.content.to_str()}"
    else:
        for request in element.tools:
            arguments = ", ".join(f"{key}={value!r}" for key, value in request.arguments.items())
            yield "assistant", f"calls {request.tool}({arguments})"


def _shortened(text: str) -> str:
    return shorten(text, MAX_TEXT, placeholder=" ...")


def _program(name: str) -> str:
    """Return the command that runs a program installed with this package."""
    path = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    return name if found and Path(found) == path else os.path.relpath(path)
