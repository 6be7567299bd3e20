"""Instructions, through both clients."""

from typing import Any

import psycopg
import pytest
from draive import Instructions, InstructionsDeclaration
from draive.models.instructions import InstructionsMissing
from draive.models.instructions.types import InstructionsArgumentDeclaration

from draive_pg import Client, StoredDataInvalid, TemplateInvalid

GREETING = InstructionsDeclaration.of(
    "greeting",
    description="How to greet",
    arguments=(
        InstructionsArgumentDeclaration.of("name", description="Whom"),
        InstructionsArgumentDeclaration.of("mood", required=False),
    ),
    meta={"lang": "en", "tags": ["a", "b"], "n": 1},
)


def test_new_database_has_no_instructions(db: Client) -> None:
    assert db.instructions.available_instructions() == ()
    with pytest.raises(InstructionsMissing, match="greeting"):
        db.instructions.load("greeting")
    with pytest.raises(InstructionsMissing, match="greeting"):
        db.instructions.resolve("greeting")


def test_load_returns_newest_revision(db: Client) -> None:
    for number in range(3):
        db.instructions.define("greeting", content=f"Hello {number}")
        assert db.instructions.load("greeting") == f"Hello {number}"


def test_declaration_round_trip(db: Client) -> None:
    db.instructions.define(GREETING, content="Hello {name}")
    db.instructions.define("bare", content="Hi")
    bare, greeting = db.instructions.available_instructions()
    assert greeting == GREETING
    assert (bare.name, bare.description, bare.arguments, dict(bare.meta)) == ("bare", None, (), {})


def test_empty_description_round_trip(db: Client) -> None:
    db.instructions.define(InstructionsDeclaration.of("a", description=""), content="")
    assert db.instructions.available_instructions()[0].description == ""
    assert db.instructions.load("a") == ""


@pytest.mark.parametrize(
    "reference",
    [
        "greeting",
        GREETING,
        Instructions.of("greeting"),
    ],
)
def test_name_reference_and_declaration_are_equivalent(db: Client, reference: Any) -> None:
    db.instructions.define(reference, content="Hello {name}")
    assert db.instructions.load(reference) == "Hello {name}"
    assert db.instructions.resolve(reference, arguments={"name": "Ada"}) == "Hello Ada"
    assert db.instructions.remove(reference) == 1


def test_call_arguments_override_those_of_reference(db: Client) -> None:
    db.instructions.define("greeting", content="Hello {name}, {mood:>5}!")
    reference = Instructions.of("greeting", arguments={"name": "Ada", "mood": "sad"})
    assert db.instructions.resolve(reference) == "Hello Ada,   sad!"
    assert db.instructions.resolve(reference, arguments={"mood": "glad"}) == "Hello Ada,  glad!"


def test_resolve_none_returns_default(db: Client) -> None:
    assert db.instructions.resolve(None) == ""
    assert db.instructions.resolve(None, default="Hi {x}", arguments={"x": 1}) == "Hi 1"


def test_resolve_missing_instructions_returns_default(db: Client) -> None:
    assert db.instructions.resolve("none", default="Hi {x}", arguments={"x": 1}) == "Hi 1"
    db.instructions.define("none", content="Hello {x}")
    assert db.instructions.resolve("none", default="Hi {x}", arguments={"x": 1}) == "Hello 1"


def test_missing_argument_error_names_unknown_arguments(db: Client) -> None:
    db.instructions.define("greeting", content="Hello {name} of {place}")
    with pytest.raises(TemplateInvalid, match=r"'greeting' need 'place'.*'plaec', unknown"):
        db.instructions.resolve("greeting", arguments={"name": "Ada", "plaec": "Rome"})


@pytest.mark.parametrize(
    "content",
    [
        "{x.__class__}",
        "{x[0]}",
        "{x.__class__.__mro__}",
        "{}",
        "{0}",
        '{"answer": 1}',
        "{a b}",
    ],
)
@pytest.mark.filterwarnings("ignore:instructions .*brace:UserWarning")
def test_template_cannot_access_attributes_or_items(db: Client, content: str) -> None:
    db.instructions.define("greeting", content=content)
    assert db.instructions.load("greeting") == content
    with pytest.raises(TemplateInvalid, match=r"'greeting'.*not a name"):
        db.instructions.resolve("greeting", arguments={"x": 1, "y": 2})


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "}",
        "a {x",
        "{x!}",
        "{x!z}",
        "{x:99999}",
        "{x:.99999f}",
        "{x:{y}}",
        "{a:" * 3000 + "}" * 3000,
    ],
)
@pytest.mark.filterwarnings("ignore:instructions .*brace:UserWarning")
def test_malformed_template_is_named_in_error(db: Client, content: str) -> None:
    db.instructions.define("greeting", content=content)
    with pytest.raises(TemplateInvalid, match="'greeting'"):
        db.instructions.resolve("greeting", arguments={"x": 1})


def test_doubled_braces_are_literal(db: Client) -> None:
    db.instructions.define("json", content='{{"answer": {x}}}')
    assert db.instructions.resolve("json", arguments={"x": 1}) == '{"answer": 1}'


def test_remove_deletes_all_revisions_and_returns_count(db: Client) -> None:
    db.instructions.define("greeting", content="1")
    db.instructions.define("greeting", content="2")
    db.instructions.define("greeting-2", content="other")
    assert db.instructions.remove("greeting") == 2
    assert db.instructions.remove("greeting") == 0
    assert [found.name for found in db.instructions.available_instructions()] == ["greeting-2"]


def test_revisions_of_one_transaction_have_distinct_timestamps(
    db: Client, sql: psycopg.Connection
) -> None:
    with db.transaction():
        for number in range(20):
            db.instructions.define("greeting", content=str(number))
    rows = sql.execute("SELECT content FROM instructions ORDER BY created").fetchall()
    assert [row[0] for row in rows] == [str(number) for number in range(20)]


def test_unreadable_declaration_is_named_in_error(db: Client, sql: psycopg.Connection) -> None:
    sql.execute("INSERT INTO instructions (name, content, arguments) VALUES ('odd', '', '[7]')")
    with pytest.raises(StoredDataInvalid, match="'odd'"):
        db.instructions.available_instructions()
    assert db.instructions.load("odd") == ""


@pytest.mark.parametrize(
    ("reference", "content", "error", "says"),
    [
        ("a", "b\0", ValueError, "content of instructions 'a' contains a NUL"),
        ("a", 7, TypeError, "content of instructions 'a' must be a str"),
        ("a\0", "b", ValueError, "name of the instructions contains a NUL"),
        (7, "b", TypeError, "must be a name"),
        (
            InstructionsDeclaration.of("a", meta={"x": ["\ud800"]}),
            "b",
            ValueError,
            r"meta\.x\[0\] contains a lone surrogate",
        ),
        (InstructionsDeclaration.of("a", description="\0"), "b", ValueError, "description"),
    ],
)
def test_invalid_instructions_are_rejected_and_not_written(
    db: Client, reference: Any, content: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        db.instructions.define(reference, content=content)
    assert db.instructions.available_instructions() == ()


def test_invalid_arguments_are_rejected(db: Client) -> None:
    with pytest.raises(TypeError, match="arguments must be a mapping"):
        db.instructions.resolve("a", arguments=["x"])  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="default must be a str"):
        db.instructions.resolve("a", default=7)  # pyright: ignore[reportArgumentType]
