"""Embeddings with pgvector: what is computed, found, and removed with the elements."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draive_pg import Client, EmbeddingModel, OperationFailed
from draive_pg.lines.line import LINE_89, LINE_118, Line
from draive_pg.operations.conversations.embeddings import READ_MISSING
from draive_pg.operations.conversations.relations import relations
from tests.conftest import Connect
from tests.schema import set_up
from tests.server import wait_for_lock_waiters
from tests.statements import sent

CHAT = (
    ("user", "the red bike is broken"),
    ("assistant", "so sorry"),
    ("user", "my parcel never came"),
    ("assistant", "so sorry"),
)


class Letters:
    """A model with one dimension per letter, which counts its calls and texts."""

    def __init__(self, letters: str = "abcdefghijklmnopqrstuvwxyz") -> None:
        self.letters = letters
        self.batches: list[list[str]] = []

    def __call__(self, texts: list[str]) -> list[list[float]]:
        self.batches.append(texts)
        return [[text.count(letter) + 0.01 for letter in self.letters] for text in texts]


BOTH_LAYOUTS = pytest.mark.parametrize("line", [LINE_89, LINE_118], ids=str)


@pytest.fixture
def line() -> Line:
    return LINE_89


@pytest.fixture
def chats(connect: Connect, empty_dsn: str, line: Line) -> Client:
    """Two equal memories, where pgvector is available."""
    with psycopg.connect(empty_dsn) as sql:
        query = "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"
        if sql.execute(query).fetchone() == (0,):
            pytest.skip("THE SERVER HAS NO PGVECTOR: nothing of embeddings is tested")
    set_up(empty_dsn, line)
    db = connect(empty_dsn, draive=line.name)
    for identifier in ("m", "n"):
        db.memories.import_chat(
            identifier, [{"role": role, "content": text} for role, text in CHAT]
        )
    return db


def table_of(line: Line) -> str:
    """Return the table of the elements."""
    return "conversation_memory" if line.has_turns else "memories_elements"


def embeddings_of(line: Line) -> str:
    """Return the table of the embeddings."""
    return "draive_pg_turn_embeddings" if line.has_turns else "draive_pg_embeddings"


def stored(db: Client, line: Line = LINE_89) -> list[str]:
    """Return the memory of each embedding."""
    frame = db.sql(f"SELECT identifier FROM {embeddings_of(line)} ORDER BY 1")
    return [*frame["identifier"]]


def test_only_missing_embeddings_are_computed_once_per_text(chats: Client) -> None:
    letters = Letters()
    model = EmbeddingModel("letters", letters)
    assert chats.memories.embed(model, batch=2) == 3
    assert [len(batch) for batch in letters.batches] == [2, 1]
    assert stored(chats) == ["m"] * 3 + ["n"] * 3
    chats.memories.import_chat("m", [{"role": "user", "content": "new"}], append=True)
    assert chats.memories.embed(model) == 1
    assert letters.batches[2:] == [["new"]]
    assert chats.memories.embed(EmbeddingModel("other", letters), prefix="n") == 3


def test_interrupted_call_is_continued(chats: Client) -> None:
    letters, done = Letters(), 0

    def failing(texts: list[str]) -> list[list[float]]:
        nonlocal done
        done += 1
        if done == 2:
            raise RuntimeError("no quota")
        return letters(texts)

    with pytest.raises(RuntimeError, match="no quota"):
        chats.memories.embed(EmbeddingModel("letters", failing), batch=2)
    assert len(stored(chats)) == 4
    assert chats.memories.embed(EmbeddingModel("letters", failing), batch=2) == 1


@BOTH_LAYOUTS
@pytest.mark.parametrize("created", ["2026-01-01Z", "infinity"])
def test_texts_of_one_time_are_read_in_several_parts(
    chats: Client, empty_dsn: str, line: Line, created: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("draive_pg.operations.conversations.embeddings.READ", 3)
    texts = [f"text {number}" for number in range(12)]
    chats.memories.import_chat("o", [{"role": "user", "content": text} for text in texts])
    with psycopg.connect(empty_dsn) as sql:
        sql.execute(f"UPDATE {table_of(line)} SET created = '{created}'".encode())
    letters = Letters()
    assert chats.memories.embed(EmbeddingModel("letters", letters), identifier="o") == 12
    assert sorted(text for batch in letters.batches for text in batch) == sorted(texts)


@BOTH_LAYOUTS
def test_each_batch_reads_its_own_elements(chats: Client, line: Line) -> None:
    """Otherwise the time is quadratic in the length of a memory."""
    chat = [{"role": "user", "content": f"text {number}"} for number in range(400)]
    chats.memories.import_chat("o", chat)
    with chats.transaction() as tx:
        assert tx.memories.embed(EmbeddingModel("letters", Letters()), batch=10) == 403
        read = tx.sql(
            "SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_xact_user_tables "
            f"WHERE relname = '{table_of(line)}'"
        )
    assert max(read["rows"]) < 4 * 403


@pytest.mark.parametrize("line", [LINE_118], ids=str)
def test_removal_does_not_read_other_memories(chats: Client, empty_dsn: str) -> None:
    chat = [{"role": "user", "content": f"text {number}"} for number in range(300)]
    chats.memories.import_chat("o", chat)
    chats.memories.embed(EmbeddingModel("letters", Letters()))
    with psycopg.connect(empty_dsn) as sql:
        sql.execute(
            "INSERT INTO conversation_memory (thread_id, identifier, turn, payload) "
            """SELECT 't' || n % 1000, gen_random_uuid(), 'user', '{"content": [], "meta": {}}' """
            "FROM generate_series(1, 20000) AS n"
        )
        sql.commit()
        sql.execute("DELETE FROM conversation_memory WHERE thread_id = 'o'")
        read = sql.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables "
            "WHERE relname = 'conversation_memory'"
        ).fetchone()
    assert read is not None
    assert read[0] < 2_000


@BOTH_LAYOUTS
def test_embeddings_are_looked_up_by_digest(chats: Client, empty_dsn: str, line: Line) -> None:
    """Without statistics, the planner would join all elements of a memory with its embeddings."""
    chats.memories.embed(EmbeddingModel("letters", Letters()))
    statement = READ_MISSING(**{**dict.fromkeys(READ_MISSING.parameters), "model": "letters"})
    with psycopg.connect(empty_dsn, cursor_factory=psycopg.RawCursor) as sql:
        query = f"EXPLAIN {sent(statement, relations(line, line.stores))}".encode()
        plan = "\n".join(row for (row,) in sql.execute(query, statement.parameters))
    assert re.search(r"Index Cond: .*identifier = .*digest = ", plan), plan


@BOTH_LAYOUTS
def test_nearest_elements_are_found_with_the_filters_of_search(chats: Client) -> None:
    model = EmbeddingModel("letters", Letters())
    chats.memories.embed(model)
    found = chats.memories.search(near="where is my parcel", model=model, limit=2)
    assert [*zip(found["identifier"], found["position"], strict=True)] in (
        [("m", 2), ("n", 2)],
        [("n", 2), ("m", 2)],
    )
    assert found.attrs["truncated"] is True
    assert found["distance"].is_monotonic_increasing
    assert [*found.columns] == [*chats.memories.search("parcel").columns, "distance"]
    said = chats.memories.search(
        near="where is my parcel", model=model, speaker="assistant", identifier="m", limit=None
    )
    assert [*said["excerpt"]] == ["so sorry", "so sorry"]
    words = chats.memories.search("bike", near="where is my parcel", model=model)
    assert [*words["excerpt"]] == ["the red [[bike]] is broken"] * 2


@BOTH_LAYOUTS
def test_embeddings_are_removed_with_the_elements(chats: Client, line: Line) -> None:
    model = EmbeddingModel("letters", Letters())
    chats.memories.embed(model)
    chats.memories.erase("m", dry_run=False)
    assert stored(chats, line) == ["n"] * 3
    chats.memory("n").undo()  # one of two elements with the same text stays
    assert len(stored(chats, line)) == 2
    chats.memory("n").rename("o")
    assert stored(chats, line) == []
    chats.memories.embed(model)
    chats.memories.prune(keep=1, dry_run=False)
    assert stored(chats, line) == ["o"] * 2
    chats.memory("o").clear()
    assert stored(chats, line) == []


@BOTH_LAYOUTS
def test_truncate_removes_embeddings(chats: Client, empty_dsn: str, line: Line) -> None:
    """Otherwise a search finds them first, and no elements."""
    model = EmbeddingModel("letters", Letters())
    chats.memories.embed(model)
    with psycopg.connect(empty_dsn) as sql:
        sql.execute(f"TRUNCATE {table_of(line)}".encode())
    assert stored(chats, line) == []
    chats.memories.import_chat("o", [{"role": "user", "content": "new"}])
    chats.memories.embed(model)
    assert [*chats.memories.search(near="parcel", model=model, limit=1)["identifier"]] == ["o"]


@pytest.mark.parametrize(("line", "other"), [(LINE_89, LINE_118), (LINE_118, LINE_89)], ids=str)
def test_removal_from_the_tables_of_another_draive_keeps_embeddings(
    chats: Client, empty_dsn: str, line: Line, other: Line
) -> None:
    set_up(empty_dsn, other)
    model = EmbeddingModel("letters", Letters())
    with Client(empty_dsn, draive=other.name) as converted:
        for identifier in ("m", "n"):
            converted.memories.import_chat(identifier, [{"role": "user", "content": "my parcel"}])
        chats.memories.embed(model)
        converted.memories.embed(model)
        chats.memories.erase("m", dry_run=False)
        with psycopg.connect(empty_dsn) as sql:
            sql.execute(f"TRUNCATE {table_of(line)}".encode())
        found = converted.memories.search(near="parcel", model=model)
        assert sorted(found["identifier"]) == ["m", "n"]


@BOTH_LAYOUTS
def test_embedding_of_an_element_removed_meanwhile_is_not_stored(
    chats: Client, empty_dsn: str, line: Line
) -> None:
    def model(texts: list[str]) -> list[list[float]]:
        with Client(empty_dsn, draive=line.name) as other:
            other.memories.erase("m", dry_run=False)
        return Letters()(texts)

    chats.memories.embed(EmbeddingModel("letters", model))
    assert stored(chats, line) == ["n"] * 3


def test_index_that_another_call_creates_meanwhile_is_no_error(
    chats: Client, empty_dsn: str
) -> None:
    model = EmbeddingModel("letters", Letters())
    chats.memories.embed(model)
    with (
        psycopg.connect(empty_dsn) as sql,
        ThreadPoolExecutor(1) as pool,
        Client(empty_dsn) as other,
    ):
        index = sql.execute(
            "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%hnsw%'"
        ).fetchone()
        assert index is not None
        sql.execute(SQL("DROP INDEX {}").format(Identifier(*index)))
        sql.commit()
        with chats.transaction():
            chats.memories.embed(model)  # creates the index
            creating = pool.submit(other.memories.embed, model)
            wait_for_lock_waiters(empty_dsn, at_least=1)
        assert creating.result(30) == 0


@BOTH_LAYOUTS
def test_element_written_meanwhile_is_found_by_the_next_call(
    chats: Client, empty_dsn: str, line: Line
) -> None:
    def model(texts: list[str]) -> list[list[float]]:
        with Client(empty_dsn, draive=line.name) as other:
            chat = [{"role": "user", "content": "new"}]
            other.memories.import_chat("m", chat, append=True)
        return Letters()(texts)

    assert chats.memories.embed(EmbeddingModel("letters", model)) == 3
    assert chats.memories.embed(EmbeddingModel("letters", Letters())) == 1


@pytest.mark.parametrize("line", [LINE_118], ids=str)
def test_context_that_an_agent_stores_again_meanwhile_is_embedded(
    chats: Client, empty_dsn: str
) -> None:
    said = [{"type": "content", "parts": [{"text": "how many"}], "meta": {}}]
    context = json.dumps([{"kind": "input", "input": said, "meta": {}}])

    def store() -> None:
        with psycopg.connect(empty_dsn) as sql:
            sql.execute(
                "INSERT INTO agent_memory (agent_uri, thread_id, identifier, context) "
                "VALUES ('agent://a', %s, gen_random_uuid(), %s)",
                (UUID(int=1), context),
            )

    def model(texts: list[str]) -> list[list[float]]:
        store()
        return Letters()(texts)

    store()
    assert chats.memories.embed(EmbeddingModel("letters", model), prefix="agent://") == 1
    assert chats.memories.embed(EmbeddingModel("letters", model)) == 3


@BOTH_LAYOUTS
def test_role_that_only_removes_elements_removes_embeddings(
    server_roles: None, chats: Client, empty_dsn: str, line: Line
) -> None:
    chats.memories.embed(EmbeddingModel("letters", Letters()))
    table = table_of(line)
    with psycopg.connect(empty_dsn) as sql:
        sql.execute("CREATE ROLE dpg_test_forgetful")
        sql.execute(f"GRANT SELECT, DELETE ON {table} TO dpg_test_forgetful".encode())
        sql.execute("SET ROLE dpg_test_forgetful")
        sql.execute(f"DELETE FROM {table}".encode())
        sql.execute("RESET ROLE")
        assert sql.execute(f"SELECT count(*) FROM {embeddings_of(line)}".encode()).fetchone() == (
            0,
        )
        sql.rollback()


@pytest.mark.parametrize(
    ("letters", "message"),
    [
        (Letters("ab"), "'letters' returned 2 dimensions, but its stored embeddings have 26"),
        (lambda _: [[1.0], [2.0]], "must return 1 vectors of one length, not 2 of 1"),
        (lambda _: [], "must return 1 vectors of one length, not 0 of none"),
    ],
)
def test_vectors_of_another_length_or_number_are_refused(
    chats: Client, letters: Any, message: str
) -> None:
    chats.memories.embed(EmbeddingModel("letters", Letters()))
    with pytest.raises(ValueError, match=message):
        chats.memories.search(near="parcel", model=EmbeddingModel("letters", letters))


def test_search_near_needs_embeddings_and_their_model(chats: Client) -> None:
    model = EmbeddingModel("letters", Letters())
    message = r"no embeddings of model 'letters': compute them with memories\.embed"
    with pytest.raises(OperationFailed, match=message):
        chats.memories.search(near="parcel", model=model)
    with pytest.raises(ValueError, match="near needs the model"):
        chats.memories.search(near="parcel")
    with pytest.raises(ValueError, match="model is for near"):
        chats.memories.search("parcel", model=model)
    with pytest.raises(TypeError, match="model must be an EmbeddingModel, not Letters"):
        chats.memories.embed(Letters())  # pyright: ignore[reportArgumentType]


def test_async_function_needs_an_async_client(chats: Client, empty_dsn: str, line: Line) -> None:
    async def letters(texts: list[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        return Letters()(texts)

    model = EmbeddingModel("letters", letters)
    if isinstance(chats, Client):
        with pytest.raises(TypeError, match="is async: use AsyncClient"):
            chats.memories.embed(model)
        return
    assert chats.memories.embed(model) == 3
    assert len(chats.memories.search(near="parcel", model=model, limit=1)) == 1


def test_diagnosis_lists_the_table_of_embeddings(chats: Client) -> None:
    def tables() -> set[str]:
        found = chats.diagnose()
        assert found.problems == ()
        return {each.name for each in found.tables}

    before = tables()
    chats.memories.embed(EmbeddingModel("letters", Letters()))
    assert tables() - before == {"draive_pg_embeddings"}
    assert chats.setup() == ()
