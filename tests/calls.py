"""What a client can be asked, by what errors call it: each read, and each write."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from draive import Configuration

from draive_pg import Client
from tests.elements import asked

__all__ = ("READS", "WRITES", "Limits", "fill")


class Limits(Configuration):
    """A configuration of draive's."""

    tokens: int = 1


def exported(db: Client) -> int:
    with tempfile.TemporaryDirectory() as top:
        return db.frames.export("sessions", Path(top) / "sessions.parquet")


READS: dict[str, Callable[[Client], object]] = {
    "list memories": lambda db: db.memories.identifiers(),
    "recall memory 'm'": lambda db: db.memory("m").recall(limit=1),
    "recall it leniently": lambda db: db.memory("m").recall(limit=1, lenient=True),
    "list configurations": lambda db: db.configurations.configurations(),
    "load configuration 'limits'": lambda db: db.configurations.load_raw("limits"),
    "load configuration 'Limits'": lambda db: db.configurations.load(Limits),
    "list instructions": lambda db: db.instructions.available_instructions(),
    "load instructions 'greeting'": lambda db: db.instructions.load("greeting"),
    "resolve 'greeting'": lambda db: db.instructions.resolve("greeting"),
    "read frame conversation_log": lambda db: db.frames.conversation_log(),
    "read the log of a memory": lambda db: db.memory("m").log(),
    "read frame tool_calls": lambda db: db.frames.tool_calls(),
    "read frame sessions": lambda db: db.frames.sessions(),
    "read frame variables": lambda db: db.frames.variables(),
    "read frame instruction_revisions": lambda db: db.frames.instruction_revisions(),
    "read frame configurations": lambda db: db.frames.configurations(),
    "read chunks of a frame": lambda db: list(db.frames.chunks("conversation_log")),
    "export frame sessions": exported,
}

WRITES: dict[str, Callable[[Client], object]] = {
    "remember in memory 'm'": lambda db: db.memory("m").remember(asked("q"), variables={"n": 1}),
    "maintain memory 'm'": lambda db: db.memory("m").maintenance(variables={"new": 1}),
    "fork memory 'm'": lambda db: db.memory("m").fork("n"),
    "import chat into memory 'chat'": lambda db: db.memories.import_chat(
        "chat", [{"role": "user", "content": "hi"}]
    ),
    "remove memory 'm'": lambda db: db.memories.remove("m"),
    "define configuration 'limits'": lambda db: db.configurations.define("limits", {"a": 1}),
    "remove configuration 'limits'": lambda db: db.configurations.remove("limits"),
    "define instructions 'greeting'": lambda db: db.instructions.define("greeting", content="Hi"),
    "remove instructions 'greeting'": lambda db: db.instructions.remove("greeting"),
}


def fill(db: Client) -> None:
    """Write what the reads read."""
    db.memory("m").remember(asked("q"), variables={"n": 1})
    db.configurations.define("limits", {"a": 1})
    db.configurations.define(Limits(tokens=2))
    db.instructions.define("greeting", content="Hello")
