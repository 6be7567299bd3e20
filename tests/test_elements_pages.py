"""Pages of stored elements, and removing or replacing single elements, with both clients."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from draive import ModelInput, MultimodalContent
from psycopg.conninfo import make_conninfo

from draive_pg import (
    Client,
    MemoryExists,
    PermissionDenied,
    StoredDataInvalid,
    StoredDataSkipped,
)
from tests.conftest import Connect
from tests.elements import answered, asked, called, responded

DOCUMENT = {
    "type": "model_input",
    "blocks": [{"type": "content", "parts": [{"text": "plain", "meta": {}}]}],
    "meta": {"id": 1},
}

# Four elements of three times: those of the second time are ordered by their place.
INSERT_TIES = """
INSERT INTO memories_elements (identifier, content, created)
SELECT 'm', jsonb_build_object(
    'type', 'model_input', 'meta', '{}'::JSONB, 'blocks', jsonb_build_array(
        jsonb_build_object('type', 'content', 'parts', jsonb_build_array(
            jsonb_build_object('text', text, 'meta', '{}'::JSONB)
        ))
    )
), created::TIMESTAMPTZ
FROM (VALUES
    ('a', '2026-01-01Z'), ('b', '2026-01-02Z'), ('c', '2026-01-02Z'), ('d', '2026-01-02Z'),
    ('e', '2026-01-02 00:00:00.000001Z'), ('f', '2026-01-03Z')
) AS row (text, created)
"""


def fill(db: Client, number: int) -> None:
    db.memory("m").remember(*(asked(str(n)) for n in range(number)))


def texts(db: Client) -> list[str]:
    return db.memory("m").log()["text"].tolist()


@pytest.fixture
def tied(db: Client, sql: psycopg.Connection) -> Client:
    """A memory of six elements, some with equal times."""
    db.memory("m").maintenance()
    sql.execute(INSERT_TIES)
    return db


def test_elements_are_newest_in_order(db: Client) -> None:
    fill(db, 5)
    page = db.memory("m").elements(limit=2)
    assert [stored.position for stored in page] == [3, 4]
    assert [stored.element for stored in page] == [asked("3"), asked("4")]
    assert [stored.created for stored in page] == db.memory("m").log()["created"].tolist()[3:]
    assert page.truncated
    assert not db.memory("m").elements().truncated
    assert len(db.memory("none").elements()) == 0


def test_documents_are_as_stored(db: Client, sql: psycopg.Connection) -> None:
    db.memory("m").remember(DOCUMENT)
    sql.execute(
        "INSERT INTO memories_elements (identifier, content, created) "
        """VALUES ('m', '{"any": ["thing"]}', 'infinity')"""
    )
    first, last = db.memory("m").elements(documents=True)
    assert first.element == DOCUMENT
    assert (last.element, last.created) == ({"any": ["thing"]}, None)
    assert [e.element for e in db.memory("m").elements(after=first.cursor, documents=True)] == [
        {"any": ["thing"]}
    ]
    assert len(db.memory("m").elements(before=last.cursor, documents=True)) == 1


def test_unreadable_element_is_skipped_with_a_warning(db: Client, sql: psycopg.Connection) -> None:
    fill(db, 3)
    sql.execute("""
        UPDATE memories_elements SET content = '{"type": "other"}'
        WHERE content::TEXT LIKE '%"1"%'
    """)
    with pytest.warns(StoredDataSkipped, match="memory 'm', element 1,"):
        page = db.memory("m").elements()
    assert [stored.position for stored in page] == [0, 2]
    with pytest.raises(StoredDataInvalid, match="memory 'm', element 1,"):
        db.memory("m").elements(lenient=False)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 10])
def test_pages_in_both_directions_cover_all_elements(tied: Client, size: int) -> None:
    memory = tied.memory("m")
    backward: list[str] = []
    page = memory.elements(size)
    while page:
        backward = [stored.element.content.to_str() for stored in page] + backward
        page = memory.elements(size, before=page[0].cursor)
    assert backward == list("abcdef")
    first, *_ = memory.elements()
    forward = [first]
    while page := memory.elements(size, after=forward[-1].cursor):
        forward += page
    assert [stored.position for stored in forward] == list(range(6))
    assert [stored.cursor for stored in forward] == [e.cursor for e in memory.elements()]
    middle = memory.elements(after=forward[1].cursor, before=forward[4].cursor)
    assert [stored.position for stored in middle] == [2, 3]


def test_pages_are_stable_while_elements_are_added_removed_and_replaced(db: Client) -> None:
    fill(db, 8)
    memory = db.memory("m")
    newest = memory.elements(2)
    memory.remember(asked("new"))
    memory.replace(newest[0].cursor, asked("replaced"))
    memory.remove_element(1)
    older = memory.elements(3, before=newest[0].cursor)
    assert [stored.element for stored in older] == [asked("3"), asked("4"), asked("5")]
    assert [stored.position for stored in older] == [2, 3, 4]
    newer = memory.elements(after=newest[0].cursor)
    assert [stored.element for stored in newer] == [asked("7"), asked("new")]


def test_invalid_cursors_and_positions_are_refused(db: Client) -> None:
    fill(db, 1)
    memory = db.memory("m")
    for cursor in ("", "first", "12(", "1e5", "infinity'"):
        with pytest.raises(ValueError, match="before must be the cursor of an element"):
            memory.elements(before=cursor)
        with pytest.raises(ValueError, match="position must be the cursor of an element"):
            memory.truncate(cursor)
    for position in ("0", "1", "-1"):  # as times, they are before or after all elements
        with pytest.raises(ValueError, match=f"position must be the cursor .*, not '{position}'"):
            memory.truncate(position)
    for position in (-1, True, 1.5):
        with pytest.raises(ValueError, match="position must be an int of 0 or more"):
            memory.remove_element(position)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="not None"):
        memory.truncate(None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="n must be a positive int"):
        memory.pop(0)
    with pytest.raises(ValueError, match="memory 'm' has no element at 1"):
        memory.remove_element(1)
    with pytest.raises(ValueError, match="memory 'none' has no element at 0"):
        db.memory("none").replace(0, asked("a"))
    assert texts(db) == ["0"]


def test_pop_returns_newest_elements_in_order(db: Client) -> None:
    fill(db, 5)
    assert db.memory("m").pop() == (asked("4"),)
    assert db.memory("m").pop(2) == (asked("2"), asked("3"))
    assert [element["type"] for element in db.memory("m").pop(9, documents=True)] == [
        "model_input"
    ] * 2
    assert db.memory("m").pop() == ()
    assert db.memories.identifiers() == ("m",)


def test_pop_returns_unreadable_element_as_document(db: Client, sql: psycopg.Connection) -> None:
    fill(db, 1)
    sql.execute("""UPDATE memories_elements SET content = '{"type": "other"}'""")
    assert db.memory("m").pop() == ({"type": "other"},)


def test_undo_removes_newest_turn(db: Client) -> None:
    memory = db.memory("m")
    turn = (asked("q"), called("c"), responded("c"), answered("a"))
    memory.remember(answered("greeting"), asked("first"), *turn)
    assert memory.undo() == turn
    assert memory.undo() == (asked("first"),)
    assert memory.undo() == ()
    assert texts(db) == ["greeting"]


def test_truncate_keeps_elements_before_position(tied: Client) -> None:
    memory = tied.memory("m")
    cursor = memory.elements()[3].cursor
    assert memory.truncate(6) == 0
    assert memory.truncate(5) == 1
    assert memory.truncate(cursor) == 2
    assert texts(tied) == ["a", "b", "c"]
    assert memory.truncate(2) == 1
    assert memory.truncate(0) == 2


@pytest.mark.parametrize("time", ["1969-12-31T23:59:59.999995Z", "1970-01-01Z", "0044-03-15Z BC"])
def test_cursor_of_early_time_is_valid(db: Client, sql: psycopg.Connection, time: str) -> None:
    fill(db, 3)
    update = "UPDATE memories_elements SET created = $1::TIMESTAMPTZ WHERE created = $2"
    times = sql.execute("SELECT created FROM memories_elements ORDER BY created").fetchall()
    sql.execute(update, [time, times[0][0]])
    memory = db.memory("m")
    (earliest,) = memory.elements()[:1]
    assert [stored.element for stored in memory.elements(after=earliest.cursor)] == [
        asked("1"),
        asked("2"),
    ]
    memory.replace(earliest.cursor, asked("replaced"))
    assert texts(db) == ["replaced", "1", "2"]
    assert memory.truncate(earliest.cursor) == 3


@pytest.mark.usefixtures("one_server")  # a cursor is not valid any more
def test_truncate_at_cursor_of_removed_element(tied: Client) -> None:
    memory = tied.memory("m")
    cursor = memory.elements()[3].cursor
    memory.truncate(cursor)
    assert memory.truncate(cursor) == 0
    assert texts(tied) == ["a", "b", "c"]


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize("by_cursor", [False, True])
def test_element_is_replaced_in_place(tied: Client, position: int, *, by_cursor: bool) -> None:
    memory = tied.memory("m")
    before = memory.elements()
    place = before[position].cursor if by_cursor else position
    assert memory.replace(place, asked("new")) == before[position].element
    expected = list("abcdef")
    expected[position] = "new"
    assert texts(tied) == expected
    if position in (0, 5):
        assert [e.created for e in memory.elements()] == [e.created for e in before]


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize("by_cursor", [False, True])
def test_element_is_removed(tied: Client, position: int, *, by_cursor: bool) -> None:
    memory = tied.memory("m")
    before = memory.elements()
    place = before[position].cursor if by_cursor else position
    assert memory.remove_element(place) == before[position].element
    assert texts(tied) == [*"abcdef"[:position], *"abcdef"[position + 1 :]]
    if by_cursor and position not in (1, 2, 3):
        with pytest.raises(ValueError, match="has no element at"):
            memory.remove_element(place)


@pytest.mark.parametrize("position", range(6))
def test_element_that_is_gone_is_not_replaced(tied: Client, position: int) -> None:
    memory = tied.memory("m")
    cursor = memory.elements()[position].cursor
    memory.remove_element(cursor)
    with pytest.raises(ValueError, match="has no element at"):
        memory.replace(cursor, asked("new"))
    assert texts(tied) == [*"abcdef"[:position], *"abcdef"[position + 1 :]]


def test_clear_keeps_variables_on_request(db: Client) -> None:
    memory = db.memory("m")
    memory.remember(asked("a"), asked("b"), variables={"n": 1})
    assert memory.clear(keep_variables=True) == 2
    assert memory.recall().variables == {"n": 1}
    memory.remember(asked("c"))
    assert memory.clear() == 1
    assert (memory.recall().context, memory.recall().variables) == ((), {})
    assert db.memories.identifiers() == ("m",)


def test_removed_elements_are_kept_with_reason_until_erased(db: Client) -> None:
    memory = db.memory("m")
    fill(db, 6)
    created = memory.log()["created"].tolist()
    memory.pop()
    memory.replace(0, asked("[redacted]"), reason="privacy", author="ada")
    memory.remove_element(1, reason="wrong person")
    memory.pop(erase=True)
    db.memory("other").remember(asked("x"))
    db.memory("other").truncate(0)
    frame = db.frames.removed_elements("m")
    assert frame["action"].tolist() == ["remove", "replace", "remove"]
    assert frame["created"].tolist() == [created[5], created[0], created[1]]
    assert frame["reason"].fillna("").tolist() == ["", "privacy", "wrong person"]
    assert frame["author"].fillna("").tolist() == ["", "ada", ""]
    assert [ModelInput.from_mapping(each) for each in frame["content"]] == [
        asked("5"),
        asked("0"),
        asked("1"),
    ]
    db.memories.erase("m", dry_run=False)
    assert db.frames.removed_elements()["identifier"].tolist() == ["other"]
    db.memories.remove("other")
    db.memories.erase("other", dry_run=False)
    assert len(db.frames.removed_elements()) == 0


def test_removed_elements_move_with_a_renamed_memory(db: Client) -> None:
    fill(db, 2)
    db.memory("m").remove_element(1, reason="a name")
    before = db.frames.removed_elements("m")
    db.memory("m").rename("n")
    after = db.frames.removed_elements("n")
    assert after.drop(columns="identifier").equals(before.drop(columns="identifier"))
    db.memory("other").remember(asked("x"))
    with pytest.raises(MemoryExists):
        db.memory("n").rename("other")
    assert len(db.frames.removed_elements("n")) == 1
    db.memories.erase("n", dry_run=False)
    assert len(db.frames.removed_elements()) == 0


def test_edit_in_failed_transaction_changes_nothing(db: Client) -> None:
    fill(db, 2)
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.memory("m").pop()
        db.memory("m").replace(0, asked("new"))
        raise ZeroDivisionError
    assert texts(db) == ["0", "1"]
    assert len(db.frames.removed_elements()) == 0


def test_elements_that_cannot_be_stored_replace_nothing(db: Client) -> None:
    fill(db, 1)
    for element, message in (
        (ModelInput.of(MultimodalContent.of("\0")), "NUL"),
        ({"type": "model_input", "blocks": 1}, "element is no element: blocks must be a list"),
        ({"type": "other"}, "element is no element: type must be"),
    ):
        with pytest.raises(ValueError, match=message):
            db.memory("m").replace(0, element)
        with pytest.raises(ValueError, match=message.replace("element is", r"items\[0\] is")):
            db.memory("m").remember(element)
    with pytest.raises(TypeError, match="must be a ModelInput"):
        db.memory("m").replace(0, 1)  # pyright: ignore[reportArgumentType]
    assert texts(db) == ["0"]


def test_turns_are_read_in_pages(connect: Connect, empty_dsn: str) -> None:
    db = connect(empty_dsn, draive="0.118")
    db.setup()
    db.memories.import_chat("m", [{"role": "user", "content": "hi"}])
    (stored,) = db.memory("m").elements(documents=True)
    assert stored.element["blocks"][0]["parts"][0]["text"] == "hi"
    assert db.memory("m").elements(documents=True, before=stored.cursor) == ()


def test_concurrent_pops_and_writes_lose_and_double_nothing(dsn: str) -> None:
    popped: list[str] = []
    with Client(dsn, max_size=8) as db:
        fill(db, 40)
        barrier = threading.Barrier(8)

        def work(worker: int) -> None:
            barrier.wait()
            for n in range(10):
                if worker % 2:
                    db.memory("m").remember(asked(f"{worker}/{n}"), answered(f"{worker}/{n}"))
                else:
                    popped.extend(e.content.to_str() for e in db.memory("m").pop(2))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        expected = [*map(str, range(40))]
        expected += [f"{worker}/{n}" for worker in (1, 3, 5, 7) for n in range(10) for _ in "qa"]
        assert sorted([*popped, *texts(db)]) == sorted(expected)
        assert len(popped) == 80
        log = db.memory("m").log()
        assert log["created"].is_monotonic_increasing
        assert log["created"].is_unique


def test_concurrent_truncates_and_undos_remove_whole_batches(dsn: str) -> None:
    with Client(dsn, max_size=8) as db:
        fill(db, 2)
        barrier = threading.Barrier(8)

        def work(worker: int) -> int:
            barrier.wait()
            removed = 0
            for _ in range(10):
                if worker % 4 == 0:
                    removed += db.memory("m").truncate(2)
                elif worker % 4 == 1:
                    removed += len(db.memory("m").undo())
                else:
                    db.memory("m").remember(asked("q"), called("c"), responded("c"), answered("a"))
            return removed

        with ThreadPoolExecutor(8) as threads:
            removed = sum(threads.map(work, range(8)))
        types = [stored.element.type for stored in db.memory("m").elements()]
        assert removed + len(types) == 2 + 40 * 4
        assert removed == len(db.frames.removed_elements())
        kept = types[len(types) % 4 :]
        assert kept == ["model_input", "model_output"] * (len(kept) // 2)


def test_edit_without_rights_changes_nothing(
    server_roles: None, dsn: str, sql: psycopg.Connection, connect: Connect
) -> None:
    db = connect(dsn)
    fill(db, 1)
    sql.execute("CREATE ROLE dpg_test_edit LOGIN PASSWORD 'secret'")
    sql.execute("GRANT SELECT, DELETE, INSERT ON memories, memories_elements TO dpg_test_edit")
    limited = connect(make_conninfo(dsn, user="dpg_test_edit", password="secret"))
    with pytest.raises(PermissionDenied):
        limited.memory("m").pop()
    assert texts(db) == ["0"]
