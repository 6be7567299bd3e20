"""Every read and every write of a client, by the name of the operation in errors."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from draive import Configuration

from draive_pg import Client
from tests.elements import asked

NOW = datetime.now(UTC) + timedelta(days=1)  # later than the clock of any server
EXPORTED = Path(__file__).parent / "data" / "exported_memory.jsonl"


class Limits(Configuration):
    """A configuration class."""

    tokens: int = 1


def export_memories(db: Client) -> object:
    """Export all memories to a temporary file."""
    with tempfile.TemporaryDirectory() as folder:
        return db.memories.export_memories(Path(folder) / "memories.jsonl.gz")


def report_memories(db: Client) -> object:
    with tempfile.TemporaryDirectory() as folder:
        return db.memories.report(Path(folder) / "memories.html")


def export_sessions(db: Client) -> int:
    with tempfile.TemporaryDirectory() as top:
        return db.frames.export("sessions", Path(top) / "sessions.parquet")


READS: dict[str, Callable[[Client], object]] = {
    "list memories": lambda db: (db.memories.identifiers(), db.memories.list()),
    "list recent memories": lambda db: db.memories.list(order="last", descending=True),
    "list stale memories": lambda db: db.memories.list(order="last"),
    "find memories": lambda db: (db.memories.find(), db.memories.find("m", meta={"a": 1})),
    "count memories": lambda db: db.memories.count(),
    "read frame search": lambda db: db.memories.search("q", variables={"n": 1}),
    "read elements of memory 'm'": lambda db: db.memory("m").elements(1),
    "show memory 'm'": lambda db: db.memory("m").show(),
    "list times to live": lambda db: db.memories.ttls(),
    "prune expired memories, dry": lambda db: db.memories.prune(expired=True, dry_run=True),
    "prune memories, dry": lambda db: db.memories.prune(keep=1, dry_run=True),
    "erase memories, dry": lambda db: db.memories.erase("m"),
    "export memories": export_memories,
    "report memories": report_memories,
    "recall memory 'm'": lambda db: db.memory("m").recall(limit=1),
    "recall it leniently": lambda db: db.memory("m").recall(limit=1, lenient=True),
    "list configurations": lambda db: db.configurations.configurations(),
    "diagnose: look at the server": lambda db: db.diagnose(),
    "read the newest configurations": lambda db: db.configurations.list(),
    "load configuration 'limits'": lambda db: db.configurations.load_raw("limits"),
    "load configuration 'limits' as of a time": lambda db: db.configurations.load_raw(
        "limits", as_of=NOW
    ),
    "load configuration 'limits' by number": lambda db: db.configurations.load_raw(
        "limits", revision=1
    ),
    "read the history of configuration 'limits'": lambda db: db.configurations.history("limits"),
    "load configuration 'Limits'": lambda db: db.configurations.load(Limits),
    "list instructions": lambda db: db.instructions.available_instructions(),
    "load instructions 'greeting'": lambda db: db.instructions.load("greeting"),
    "resolve 'greeting'": lambda db: db.instructions.resolve("greeting"),
    "list labelled instructions": lambda db: db.instructions.available_instructions(
        label="production"
    ),
    "load labelled instructions": lambda db: db.instructions.load("greeting", label="production"),
    "load instructions as of a time": lambda db: db.instructions.load("greeting", as_of=NOW),
    "read the history of instructions 'greeting'": lambda db: db.instructions.history("greeting"),
    "read a revision of instructions 'greeting'": lambda db: db.instructions.revision(
        "greeting", 1
    ),
    "compare revisions of instructions 'greeting'": lambda db: db.instructions.diff("greeting", 1),
    "search instructions": lambda db: db.instructions.search("hello", current=True),
    "list labels": lambda db: db.instructions.labels(),
    "read the label history of instructions 'greeting'": lambda db: db.instructions.label_history(
        "greeting", "production"
    ),
    "read frame conversation_log": lambda db: db.frames.conversation_log(),
    "read memory 'm' as a chat": lambda db: db.memory("m").chat(),
    "read the log of a memory": lambda db: db.memory("m").log(),
    "read frame tool_calls": lambda db: db.frames.tool_calls(),
    "read frame sessions": lambda db: db.frames.sessions(),
    "read frame removed_elements": lambda db: db.frames.removed_elements(),
    "read frame annotations": lambda db: db.frames.annotations(),
    "list annotations": lambda db: db.annotations.list(),
    "read frame variables": lambda db: db.frames.variables(),
    "read frame instruction_revisions": lambda db: db.frames.instruction_revisions(),
    "read frame configurations": lambda db: db.frames.configurations(),
    "analyse turns": lambda db: db.analysis.turns(),
    "analyse live instructions": lambda db: db.analysis.live_instructions(),
    "read chunks of a frame": lambda db: list(db.frames.chunks("conversation_log")),
    "export frame sessions": export_sessions,
}

WRITES: dict[str, Callable[[Client], object]] = {
    "remember in memory 'm'": lambda db: db.memory("m").remember(asked("q"), variables={"n": 1}),
    "maintain memory 'm'": lambda db: db.memory("m").maintenance(variables={"new": 1}),
    "fork memory 'm'": lambda db: db.memory("m").fork("n"),
    "annotate memory 'm'": lambda db: db.annotations.add("m", name="helpful", id="a"),
    "remove annotations of memory 'm'": lambda db: db.annotations.remove("m", "a"),
    "replace an element of memory 'm'": lambda db: db.memory("m").replace(0, asked("new")),
    "remove an element of memory 'm'": lambda db: db.memory("m").remove_element(0),
    "truncate memory 'm'": lambda db: db.memory("m").truncate(0),
    "pop from memory 'm'": lambda db: db.memory("m").pop(),
    "undo a turn of memory 'm'": lambda db: db.memory("m").undo(),
    "clear memory 'n'": lambda db: db.memory("n").clear(),
    "import chat into memory 'chat'": lambda db: db.memories.import_chat(
        "chat", [{"role": "user", "content": "hi"}]
    ),
    "rename memory 'm'": lambda db: db.memory("m").rename("r").rename("m"),
    f"import '{EXPORTED.name}', lines 1 to 1": lambda db: db.memories.import_memories(EXPORTED),
    "set a time to live": lambda db: db.memories.set_ttl(timedelta(1), prefix="x"),
    "prune memories": lambda db: db.memories.prune(timedelta(0), prefix="m", dry_run=False),
    "remove memory 'm'": lambda db: db.memories.remove("m"),
    "erase memories": lambda db: db.memories.erase("exported", dry_run=False),
    "define configuration 'limits'": lambda db: db.configurations.define("limits", {"a": 1}),
    "remove configuration 'limits'": lambda db: db.configurations.remove("limits"),
    "define instructions 'greeting'": lambda db: db.instructions.define("greeting", content="Hi"),
    "restore instructions 'greeting'": lambda db: db.instructions.restore(
        "greeting", 1, message="why", author="who"
    ),
    "label instructions 'greeting'": lambda db: db.instructions.label("greeting", "staging"),
    "remove a label of instructions 'greeting'": lambda db: db.instructions.unlabel(
        "greeting", "staging"
    ),
    "define instructions 'released'": lambda db: db.release(
        prompts={"released": "Hi"}, configurations={"released": {}}, labels={"new": ["released"]}
    ),
    "remove instructions 'greeting'": lambda db: db.instructions.remove("greeting", labelled=True),
}


def fill(db: Client) -> None:
    """Write the rows that the reads return."""
    db.memory("m").remember(asked("q"), variables={"n": 1})
    db.configurations.define("limits", {"a": 1})
    db.configurations.define(Limits(tokens=2))
    db.instructions.define("greeting", content="Hello")
    db.instructions.label("greeting", "production")
