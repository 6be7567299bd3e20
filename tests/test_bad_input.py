"""Valid input round-trips; invalid input is rejected with its path, before I/O."""

import asyncio
import math
import warnings
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from draive import InstructionsDeclaration, ModelInput, ModelOutput, ctx
from draive.models.instructions.types import InstructionsArgumentDeclaration
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import AsyncClient, Client
from draive_pg.adapters import PostgresConnectionPool, PostgresModelMemory
from draive_pg.codec import json as stored
from draive_pg.codec import validation as checks
from draive_pg.codec.draive_elements import decode_element
from tests.conftest import Connect
from tests.elements import asked, called, texts
from tests.strategies import documents, elements, metas, names, variables, with_types
from tests.strategies import texts as any_text

# --- Accepted


@given(content=variables)
def test_configuration_round_trip(db: Client, content: dict[str, Any]) -> None:
    db.configurations.define("any", content)
    assert with_types(db.configurations.load_raw("any")) == with_types(content)


declarations = st.builds(
    InstructionsDeclaration.of,
    names,
    description=st.none() | any_text,
    arguments=st.lists(
        st.builds(
            InstructionsArgumentDeclaration.of,
            names,
            description=st.none() | any_text,
            required=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    meta=metas,
)


@given(declaration=declarations, content=any_text)
def test_instructions_round_trip(
    db: Client, declaration: InstructionsDeclaration, content: str
) -> None:
    if declaration.arguments:  # whose placeholders are checked
        content = content.replace("{", "{{").replace("}", "}}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of arguments without placeholders
        db.instructions.define(declaration, content=content)
    assert db.instructions.load(declaration.name) == content
    assert db.instructions.available_instructions() == (declaration,)
    assert db.instructions.remove(declaration) == 1


@given(given_variables=variables)
def test_variables_round_trip(db: Client, given_variables: dict[str, Any]) -> None:
    db.memory("m").remember(variables=given_variables)
    assert with_types(db.memory("m").recall().variables) == with_types(given_variables)


@given(element=elements())
def test_element_round_trip(
    db: Client, sql: psycopg.Connection, element: ModelInput | ModelOutput
) -> None:
    db.memory("m").remember(element)
    ((stored,),) = sql.execute(
        "SELECT content::TEXT FROM memories_elements ORDER BY created DESC LIMIT 1"
    ).fetchall()
    assert decode_element(stored, lambda: "it") == element


@given(batch=st.lists(st.tuples(any_text, variables), max_size=5))
def test_adapters_round_trip(dsn: str, batch: list[tuple[str, dict[str, Any]]]) -> None:
    async def body() -> None:
        async with ctx.scope("service", disposables=(PostgresConnectionPool.of(dsn),)):
            memory = PostgresModelMemory("m")
            for text, values in batch:
                await memory.remember(asked(text), variables=values)
                recalled = await memory.recall(limit=1)
                assert texts(recalled.context) == [text]
                assert with_types(recalled.variables) == with_types(values)

    asyncio.run(body())


# --- Rejected

BAD = ["a\0b", "\ud800", math.nan, math.inf, -math.inf, 10**5000, b"x", object(), {1: 2}]


@st.composite
def invalid_documents(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """Return a document with one value that cannot be stored, and its path."""
    value = draw(st.sampled_from(BAD))
    place = ""
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            before = draw(st.lists(documents, max_size=2))
            value, place = [*before, value], f"[{len(before)}]{place}"
        else:
            key = draw(names)
            value, place = {key: value}, f".{key}{place}"
    return {"k": value}, f".k{place}"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@given(document=invalid_documents())
def test_unstorable_value_is_rejected_with_its_path_before_io(
    kind: type, document: tuple[dict[str, Any], str]
) -> None:
    content, place = document
    db = kind("host=nowhere.invalid")
    memory = db.memory("m")
    for call, what in (
        (lambda: db.configurations.define("c", content), "the configuration"),
        (lambda: memory.remember(asked("fine"), variables=content), "variables"),
        (lambda: memory.maintenance(variables=content), "variables"),
        (lambda: memory.remember(asked("fine"), called("c", **content)), "items[1].blocks[0]"),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            run_call(call)
        assert str(caught.value).startswith(what)
        assert place in str(caught.value)


def run_call(call: Callable[[], Any]) -> None:
    """Run a sync or async call."""
    made = call()
    if asyncio.iscoroutine(made):
        asyncio.run(made)


LARGE = "x" * 5000


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda db: db.configurations.define("c", {"a": LARGE}), "the configuration"),
        (lambda db: db.memory("m").remember(variables={"a": [LARGE]}), "variables"),
        (lambda db: db.memory("m").remember(asked("q"), asked(LARGE)), r"items\[1\]"),
        (lambda db: db.memory("m").remember(called("c", a="é" * 4999)), r"items\[0\]"),
        (
            lambda db: db.memories.import_chat("m", [{"role": "user", "content": LARGE}]),
            r"message 1 \(user\)",
        ),
        (
            lambda db: db.instructions.define(
                InstructionsDeclaration.of("a", meta={"a": LARGE}), content="c"
            ),
            "meta",
        ),
    ],
)
def test_document_over_jsonb_size_limit_is_rejected_before_io(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, call: Callable[[Client], Any], what: str
) -> None:
    monkeypatch.setattr(stored, "MAX_BYTES", len(LARGE))
    db = connect("host=nowhere.invalid")
    with pytest.raises(ValueError, match=f"^{what} is larger than the 256 MB"):
        call(db)


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda db: db.memory("m").remember(*[asked(LARGE)] * 3), "the items together are"),
        (lambda db: db.memory("m").remember(*[asked("é" * 2500)] * 3), "the items together are"),
        (lambda db: db.instructions.define("a", content=LARGE * 3), "the content .* is"),
        (lambda db: db.memory(LARGE * 3), "identifier is"),
    ],
)
def test_call_over_message_size_limit_is_rejected_before_io(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, call: Callable[[Client], Any], what: str
) -> None:
    monkeypatch.setattr(checks, "MAX_SENT", 2 * len(LARGE))
    db = connect("host=nowhere.invalid")
    with pytest.raises(ValueError, match=f"^{what} larger than the 1 GB"):
        call(db)


# --- Names

NAMES = [
    "a'b\"c;--",
    "'; DROP TABLE memories; --",
    "%s %(x)s %% {y} {schema} $1 \\",
    "😀\n\t\u202e\x01",
    "x" * 10_000,
    "😀;'\"%" * 2_000,
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_text_is_accepted_as_name(connect: Connect, dsn: str, name: str) -> None:
    db = connect(dsn, cache_limit=0)
    for content in ("other", name):
        db.configurations.define(name, {"n": content})
        db.instructions.define(name, content=content)
        db.memory(name).remember(asked(name), variables={name: name})
    db.memory(name).maintenance(variables={"seeded": True})
    assert db.configurations.configurations() == (name,)
    assert db.configurations.load_raw(name) == {"n": name}
    assert db.instructions.load(name) == name
    assert [each.name for each in db.instructions.available_instructions()] == [name]
    assert db.memories.identifiers() == (name,)
    recalled = db.memory(name).recall(limit=1)
    assert texts(recalled.context) == [name]
    assert recalled.variables == {name: name, "seeded": True}
    assert list(db.frames.sessions(name).elements) == [2]
    assert list(db.frames.instruction_revisions(name).revision) == [1, 2]
    assert db.memory(name).fork(f"{name}!").remove()
    assert (db.memory(name).remove(), db.configurations.remove(name)) == (True, 2)
    assert db.instructions.remove(name) == 2
