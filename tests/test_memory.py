"""One memory, with both clients."""

import re
import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from draive import ArtifactContent, ModelInput, ModelOutput, MultimodalContent, ResourceContent
from draive.parameters import DataModel

from draive_pg import Client, MemoryExists, MemoryMissing, StoredDataInvalid
from tests.elements import answered, asked, called, move_times, responded, texts, thought


def test_new_memory_is_empty(db: Client) -> None:
    recalled = db.memory("new").recall()
    assert (recalled.context, recalled.variables) == ((), {})
    assert db.memories.identifiers() == ()


def test_first_write_creates_memory(db: Client) -> None:
    db.memory("new").remember(asked("hi"), answered("hello"), variables={"mood": "good"})
    recalled = db.memory("new").recall()
    assert texts(recalled.context) == ["hi", "hello"]
    assert recalled.variables == {"mood": "good"}
    assert db.memories.identifiers() == ("new",)


def test_elements_round_trip(db: Client) -> None:
    elements = (
        ModelInput.of(
            MultimodalContent.of("see", ResourceContent.of(b"\x89PNG\x00", mime_type="image/png")),
            meta={"a": [1, 2.5, True, None, {"b": "ż😀"}]},
        ),
        called("c1", "c2", query={"deep": [1, {"x": None}]}),
        responded("c1", "c2", text="both"),
        thought("because", "so"),
    )
    db.memory("all").remember(*elements)
    assert db.memory("all").recall().context == elements


def test_variables_round_trip_with_types(db: Client) -> None:
    variables = {
        "i": 2,
        "b": True,
        "f": 2.0,
        "big": 2**53 + 1,
        "e": 1e16,
        "n": None,
        "l": [1, {"x": 1}],
    }
    db.memory("typed").remember(variables=variables)
    recalled = db.memory("typed").recall().variables
    assert recalled == variables
    assert [type(recalled[key]) for key in variables] == [
        type(value) for value in variables.values()
    ]


def test_variables_are_replaced_by_each_snapshot(db: Client) -> None:
    memory = db.memory("vars")
    memory.remember(variables={"a": 1})
    memory.remember(asked("hi"))
    assert memory.recall().variables == {"a": 1}
    memory.remember(variables={"b": 2})
    assert memory.recall().variables == {"b": 2}
    memory.remember(variables={})
    assert memory.recall().variables == {}


def test_remember_without_arguments_writes_nothing(db: Client) -> None:
    db.memory("none").remember()
    assert db.memories.identifiers() == ()


def test_maintenance_creates_memory_and_seeds_missing_variables(
    db: Client, sql: psycopg.Connection
) -> None:
    memory = db.memory("kept")
    memory.maintenance()
    assert db.memories.identifiers() == ("kept",)
    assert memory.recall().variables == {}
    memory.maintenance(variables={"a": 1})
    memory.remember(variables={"a": 5})
    for _ in range(3):
        memory.maintenance(variables={"a": 1, "b": 2})
    assert memory.recall().variables == {"a": 5, "b": 2}
    assert sql.execute("SELECT count(*) FROM memories_variables").fetchone() == (3,)


TURNS = (
    asked("q1"),
    answered("a1"),
    asked("q2"),
    called("c1"),
    responded("c1"),
    called("c2"),
    responded("c2"),
    answered("a2"),
)


@pytest.mark.parametrize(
    ("limit", "first"),
    [(None, "q1"), (100, "q1"), (8, "q1"), (7, "q2"), (6, "q2"), (5, "q2"), (2, "q2"), (1, "q2")],
)
def test_limit_returns_newest_whole_turns(db: Client, limit: int | None, first: str) -> None:
    db.memory("turns").remember(*TURNS)
    start = 0 if first == "q1" else 2
    assert db.memory("turns").recall(limit=limit).context == TURNS[start:]
    assert db.memory("turns", recall_limit=limit).recall().context == TURNS[start:]


def test_limit_of_call_overrides_recall_limit(db: Client) -> None:
    db.memory("turns").remember(*TURNS)
    assert db.memory("turns", recall_limit=1).recall(limit=8).context == TURNS


def test_turn_longer_than_limit_is_recalled_whole(db: Client) -> None:
    turn = (asked("q"), *(part for n in range(30) for part in (called(f"{n}"), responded(f"{n}"))))
    db.memory("long").remember(asked("old"), answered("older"), *turn, answered("a"))
    assert db.memory("long", recall_limit=20).recall().context == (*turn, answered("a"))


@pytest.mark.parametrize(
    ("stored", "recalled"),
    [
        ((answered("greeting"), asked("q"), answered("a")), slice(1, 3)),
        ((answered("alone"),), slice(0, 0)),
        ((responded("lost"), answered("a"), asked("q")), slice(2, 3)),
        ((asked("q"), called("c1")), slice(0, 1)),
        ((asked("q"), called("c1", "c2"), responded("c1")), slice(0, 1)),
        ((asked("q"), responded("never asked")), slice(0, 1)),
        ((asked("q"),), slice(0, 1)),
        ((asked("q"), answered("a"), responded("stray")), slice(0, 2)),
        ((asked("q"), called("c"), responded("c"), responded("stray")), slice(0, 3)),
        ((asked("q"), called("c", "c"), responded("c", "c")), slice(0, 1)),
        ((asked("q"), called("c", "c"), responded("c"), responded("c")), slice(0, 1)),
        ((asked("q"), called("c"), responded("c", "c")), slice(0, 1)),
        ((asked("q"), called("c"), responded("c"), responded("c")), slice(0, 3)),
    ],
)
def test_recalled_context_is_complete_turns(
    db: Client, stored: tuple[ModelInput | ModelOutput, ...], recalled: slice
) -> None:
    db.memory("odd").remember(*stored)
    for limit in (None, 1, 2, 10):
        assert db.memory("odd").recall(limit=limit).context == stored[recalled]
    assert len(db.memory("odd").log()) == len(stored)


def test_unanswered_tool_request_is_not_recalled(db: Client) -> None:
    db.memory("gap").remember(asked("q1"), called("c1"), asked("q2"), answered("a2"))
    assert texts(db.memory("gap").recall().context) == ["q1", "q2", "a2"]


def test_rows_with_equal_times_are_in_one_order(db: Client, sql: psycopg.Connection) -> None:
    db.memory("ties").maintenance()
    for number in range(12):
        element = (asked if number % 2 == 0 else answered)(str(number))
        sql.execute(
            "INSERT INTO memories_elements VALUES ('ties', $1, '2026-01-01Z')", (element.to_json(),)
        )
    assert texts(db.memory("ties").recall().context) == [str(number) for number in range(12)]
    assert texts(db.memory("ties").recall(limit=4).context) == ["8", "9", "10", "11"]
    assert texts(db.memory("ties").recall(limit=3).context) == ["10", "11"]
    assert list(db.memory("ties").log().text) == [str(number) for number in range(12)]


def test_new_elements_are_in_order_beside_one_with_an_infinite_time(
    db: Client, sql: psycopg.Connection
) -> None:
    db.memory("m").remember(asked("old"))
    db.memory("m").remember(answered("infinite"))
    sql.execute(
        "UPDATE memories_elements SET created = 'infinity' WHERE content ->> 'type' = $1",
        ("model_output",),
    )
    db.memory("m").remember(answered("a1"), asked("q2"))
    db.memory("m").remember(answered("a2"))
    assert list(db.memory("m").log().text) == ["old", "a1", "q2", "a2", "infinite"]
    finite = "SELECT count(*) FROM memories_elements WHERE isfinite(created)"
    assert sql.execute(finite).fetchone() == (4,)


def test_order_is_independent_of_clocks(db: Client, sql: psycopg.Connection) -> None:
    memory = db.memory("clocks")
    memory.remember(asked("q1"), answered("a1"), variables={"n": 1})
    for table in ("memories_elements", "memories_variables"):
        move_times(sql, table, timedelta(hours=1), "clocks")
    memory.remember(asked("q2"), answered("a2"), variables={"n": 2})
    memory.remember(asked("q3"))
    assert texts(memory.recall().context) == ["q1", "a1", "q2", "a2", "q3"]
    assert memory.recall().variables == {"n": 2}
    created = list(memory.log().created)
    assert created == sorted(set(created))


def test_concurrent_batches_are_contiguous(db: Client, dsn: str) -> None:
    def write(writer: int) -> None:
        with Client(dsn) as own:
            for batch in range(5):
                own.memory("busy").remember(*(asked(f"{writer} {batch} {n}") for n in range(20)))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    log = db.memory("busy").log()
    assert len(log) == 4 * 5 * 20
    assert log.created.is_unique
    batches = [text.rsplit(" ", 1) for text in log.text]
    for start in range(0, len(batches), 20):
        names, numbers = zip(*batches[start : start + 20], strict=True)
        assert len(set(names)) == 1
        assert numbers == tuple(str(n) for n in range(20))


def test_ten_concurrent_writers_create_one_memory(db: Client, dsn: str) -> None:
    barrier = threading.Barrier(10)

    def write(number: int) -> None:
        with Client(dsn) as own:
            own.memories.identifiers()
            barrier.wait(30)
            own.memory("fresh").remember(asked(str(number)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(texts(db.memory("fresh").recall().context)) == [str(n) for n in range(10)]


def test_writers_to_other_memories_do_not_block(db: Client, dsn: str) -> None:
    with Client(dsn) as other, other.transaction():
        other.memory("held").remember(asked("not yet committed"))
        db.memory("free").remember(asked("q"))
        assert texts(db.memory("free").recall().context) == ["q"]
        assert db.memory("held").recall().context == ()


class Receipt(DataModel):
    total: int


def test_artifact_round_trips_as_in_draive(db: Client) -> None:
    element = ModelInput.of(MultimodalContent.of(ArtifactContent.of(Receipt(total=3))))
    db.memory("artifact").remember(element)
    assert db.memory("artifact").recall().context == (ModelInput.from_json(element.to_json()),)


@pytest.mark.parametrize(
    "content",
    ['{"type": "model_poem", "blocks": []}', "7", "null", '{"type": "model_input", "blocks": 7}'],
)
def test_unreadable_element_is_named_in_error(
    db: Client, sql: psycopg.Connection, content: str
) -> None:
    db.memory("bad").remember(asked("q"))
    for created, named in {
        "infinity": "inf seconds after 1970",
        "2030-02-03 04:05:06.7Z": "2030-02-03 04:05:06.700000+00:00",
    }.items():
        sql.execute("INSERT INTO memories_elements VALUES ('bad', $1, $2)", (content, created))
        with pytest.raises(StoredDataInvalid, match=re.escape(f"'bad', element of {named},")):
            db.memory("bad").recall()
    assert len(db.memory("bad").log()) == 3


@pytest.mark.parametrize("stored", ["5", "null", '"x"', "[1]"])
def test_non_object_variables_are_named_in_error(
    db: Client, sql: psycopg.Connection, stored: str
) -> None:
    db.memory("bad").remember(asked("q"))
    sql.execute(
        "INSERT INTO memories_variables (identifier, variables) VALUES ('bad', $1)", (stored,)
    )
    with pytest.raises(StoredDataInvalid, match="newest variables of memory 'bad' are no object"):
        db.memory("bad").recall()
    db.memory("bad").maintenance(variables={"a": 1})
    assert db.memory("bad").recall().variables == {"a": 1}


def test_fork_copies_all_and_is_independent(db: Client) -> None:
    db.memory("old").remember(*TURNS, variables={"a": 1})
    copy = db.memory("old", recall_limit=3).fork("new")
    assert (copy.identifier, copy.recall_limit) == ("new", 3)
    assert copy.recall(limit=100) == db.memory("old").recall()
    assert list(copy.log().created) == list(db.memory("old").log().created)
    copy.remember(asked("more"))
    assert len(copy.log()) == len(TURNS) + 1
    assert len(db.memory("old").log()) == len(TURNS)


def test_fork_rejects_existing_target_and_missing_source(db: Client) -> None:
    with pytest.raises(MemoryMissing, match="'none'"):
        db.memory("none").fork("new")
    db.memory("old").remember(asked("q"))
    db.memory("taken").maintenance()
    with pytest.raises(MemoryExists, match="'taken' exists already"):
        db.memory("old").fork("taken")
    assert db.memories.identifiers() == ("old", "taken")
    assert len(db.memory("taken").log()) == 0


def test_remove_deletes_all_rows_of_one_memory(db: Client, sql: psycopg.Connection) -> None:
    for identifier in ("one", "two"):
        db.memory(identifier).remember(asked("q"), variables={"a": 1})
    assert db.memory("one").remove() is True
    assert db.memory("one").remove() is False
    assert db.memories.identifiers() == ("two",)
    assert db.memories.remove("two") is True
    for table in ("memories", "memories_elements", "memories_variables"):
        assert sql.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize("limit", [0, -1, 2.5, "3", True, 2**63])
def test_invalid_limit_is_rejected(db: Client, limit: Any) -> None:
    with pytest.raises(ValueError, match="limit must be a positive int or None"):
        db.memory("any").recall(limit=limit)
    with pytest.raises(ValueError, match="recall_limit must be a positive int or None"):
        db.memory("any", recall_limit=limit)


@pytest.mark.parametrize(
    ("items", "variables", "error", "says"),
    [
        (("text",), None, TypeError, r"items\[0\] must be a ModelInput or a ModelOutput"),
        ((asked("ok"), None), None, TypeError, r"items\[1\] must be"),
        (
            (asked("ok"), asked("a\0")),
            None,
            ValueError,
            r"items\[1\]\.blocks\[0\]\.parts\[0\]\.text",
        ),
        ((called("c", x=["\udfff"]),), None, ValueError, r"arguments\.x\[0\] contains a lone"),
        ((asked("ok", score=float("nan")),), None, ValueError, r"meta\.score is nan"),
        ((asked("ok"),), {"a": float("inf")}, ValueError, r"variables\.a is inf"),
        ((asked("ok"),), [1], TypeError, "variables must be a mapping"),
    ],
)
def test_invalid_items_are_rejected_and_nothing_is_written(
    db: Client, items: tuple[Any, ...], variables: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        db.memory("refused").remember(*items, variables=variables)
    assert db.memories.identifiers() == ()


@pytest.mark.parametrize("identifier", [7, None, b"x"])
def test_identifier_must_be_str(db: Client, identifier: Any) -> None:
    with pytest.raises(TypeError, match="identifier must be a str"):
        db.memory(identifier)


@pytest.mark.parametrize("identifier", ["", "a'b\"c;--", "%s %(x)s {y} $1", "😀\n\t", "é" * 1000])
def test_any_text_is_accepted_as_identifier(db: Client, identifier: str) -> None:
    db.memory(identifier).remember(asked("q"))
    assert texts(db.memory(identifier).recall().context) == ["q"]
    assert db.memories.identifiers() == (identifier,)
    assert list(db.frames.sessions(identifier).identifier) == [identifier]


def test_repr_does_no_io() -> None:
    with Client("host=nowhere.invalid") as db:
        assert repr(db.memory("a", recall_limit=3)) == "Memory('a', recall_limit=3)"
        assert len(repr(db.memory("x" * 10_000))) < 120
