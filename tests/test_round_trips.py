"""Round trips of each call, counted by a proxy, with both clients.

Clients wait for the response to each S (Sync) or Q (Query). No message may follow before it: a
pooler would take it for the beginning of another transaction, and wait for its end.
"""

from collections.abc import Callable, Iterator

import pytest

from draive_pg import Client, RevisionMissing
from tests.conftest import Connect
from tests.elements import answered, asked
from tests.recording_proxy import RecordingProxy, recording


@pytest.fixture
def wire(dsn: str) -> Iterator[RecordingProxy]:
    with recording(dsn) as wire:
        yield wire


@pytest.fixture
def through(connect: Connect, wire: RecordingProxy) -> Client:
    """A client with an open, recorded connection."""
    db = connect(wire.dsn, cache_limit=0)
    db.instructions.history("greeting")  # and detects the tables of draive_pg
    db.configurations.history("limits")
    db.memories.count()  # and detects the tables of conversations
    db.memories.erase("none", dry_run=False)  # and that of removed elements
    db.memory("filled").remember(asked("q"))
    wire.take_sent()
    return db


READ = "PBDES"
WRITE = "PBDE" * 4 + "S"  # begin, lock, write, commit

CALLS: dict[str, tuple[Callable[[Client], object], str]] = {
    "identifiers": (lambda db: db.memories.identifiers(), READ),
    "recall": (lambda db: db.memory("m").recall(), READ),
    "recall of the newest": (lambda db: db.memory("m").recall(limit=3), READ),
    "remember one": (lambda db: db.memory("m").remember(asked("q")), WRITE),
    "remember many": (
        lambda db: db.memory("m").remember(*(asked("q"), answered("a")) * 250, variables={"a": 1}),
        "PBDE" * 5 + "S",  # elements and variables
    ),
    "remember once": (lambda db: db.memory("m").remember(asked("q"), key="k"), "PBDE" * 5 + "S"),
    "read elements": (lambda db: db.memory("m").elements(20), READ),
    "pop": (lambda db: db.memory("m").pop(), WRITE),
    "undo": (lambda db: db.memory("m").undo(), WRITE),
    "truncate": (lambda db: db.memory("m").truncate(1), WRITE),
    "remove an element": (lambda db: db.memory("filled").remove_element(0), WRITE),
    "replace an element": (lambda db: db.memory("filled").replace(0, asked("new")), WRITE),
    "clear": (lambda db: db.memory("m").clear(), WRITE),
    "maintenance": (lambda db: db.memory("m").maintenance(variables={"a": 1}), WRITE),
    "remove": (lambda db: db.memory("m").remove(), "PBDE" * 5 + "S"),
    "import": (
        lambda db: db.memories.import_chat("chat", [{"role": "user", "content": "hi"}] * 100),
        WRITE,
    ),
    "show": (lambda db: db.memory("m").show(), READ),
    "search": (lambda db: db.memories.search("q"), "Q"),
    "list memories": (lambda db: db.memories.list(), READ),
    "count memories": (lambda db: db.memories.count(), READ),
    "erase": (lambda db: db.memories.erase("m", dry_run=False), "PBDE" * 8 + "S"),
    "annotate": (lambda db: db.annotations.add("filled", name="helpful"), WRITE),
    "define a prompt": (lambda db: db.instructions.define("greeting", content="Hello"), WRITE),
    "load a prompt": (lambda db: db.instructions.resolve("greeting", default=""), READ),
    "list prompts": (lambda db: db.instructions.available_instructions(), READ),
    "load a labelled prompt": (
        lambda db: db.instructions.resolve("greeting", label="production", default=""),
        READ,
    ),
    "the history of a prompt": (lambda db: db.instructions.history("greeting"), READ),
    "search prompts": (lambda db: db.instructions.search("hello"), READ),
    "list labels": (lambda db: db.instructions.labels(), READ),
    "remove a label": (lambda db: db.instructions.unlabel("greeting", "production"), WRITE),
    "define a configuration": (lambda db: db.configurations.define("limits", {"a": 1}), WRITE),
    "load a configuration": (lambda db: db.configurations.load_raw("limits"), READ),
    "a frame": (lambda db: db.frames.sessions(), "Q"),
    "nothing to remember": (lambda db: db.memory("m").remember(), ""),
}


@pytest.mark.parametrize(("call", "sent"), CALLS.values(), ids=CALLS)
def test_call_takes_one_round_trip(
    through: Client, wire: RecordingProxy, call: Callable[[Client], object], sent: str
) -> None:
    call(through)
    assert wire.take_sent() == sent


def test_transaction_adds_round_trips_to_begin_and_commit(
    through: Client, wire: RecordingProxy
) -> None:
    with through.transaction():
        through.memory("m").remember(asked("q"))
        through.instructions.define("greeting", content="Hello")
    assert wire.take_sent() == "Q" + ("PBDE" * 2 + "S") * 2 + "Q"


def test_release_takes_one_round_trip_per_item_and_three_more(
    through: Client, wire: RecordingProxy
) -> None:
    through.release(
        prompts={"a": "1", "b": "2"}, configurations={"c": {}}, labels={"production": ["a", "b"]}
    )
    assert wire.take_sent() == "Q" + "PBDES" + ("PBDE" * 2 + "S") * 5 + "Q"


def test_failed_write_is_rolled_back(through: Client, wire: RecordingProxy) -> None:
    with pytest.raises(Exception, match="54000"):
        through.memory("".join(map(chr, range(0x4E00, 0x7000)))).remember(asked("q"))
    assert wire.take_sent() in (
        WRITE + "Q",
        WRITE.replace("PBDES", "S") + "Q",
    )  # seen early or late
    through.memory("m").remember(asked("q"))
    assert wire.take_sent() == WRITE


def test_a_missing_label_is_read_once(through: Client, wire: RecordingProxy) -> None:
    through.configurations.define("limits", {})
    wire.take_sent()
    with pytest.raises(RevisionMissing, match="no label 'missing'"):
        through.configurations.load_raw("limits", label="missing")
    assert wire.take_sent() == READ * 2  # the revision, and for the message what there is
