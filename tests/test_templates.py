"""Templates: placeholders against declared arguments, when defined and when resolved."""

import warnings
from typing import Any

import psycopg
import pytest
from draive import Instructions, InstructionsDeclaration
from draive.models.instructions.types import InstructionsArgumentDeclaration
from hypothesis import given
from hypothesis import strategies as st

from draive_pg import Client, TemplateInvalid
from draive_pg.instruction_syntax import check_declared, placeholders, render, well_formed
from tests.strategies import texts


def declaring(*names: str, required: bool = True) -> InstructionsDeclaration:
    arguments = [InstructionsArgumentDeclaration.of(name, required=required) for name in names]
    return InstructionsDeclaration.of("greeting", arguments=arguments)


# --- Defined


@pytest.mark.parametrize("when", ["declared now", "declared before"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("Hello {nmae}", r"use 'nmae', which their declaration has not \(it has 'name', 'mood'\)"),
        ('Hello {name}. Answer as {"answer": 1}', r"not a name.*written twice: \{\{ or \}\}"),
        ("Hello {name}. Answer as {answer}", "write a literal brace twice"),
        ("Hello {name}, {", r"malformed \(a brace is unbalanced, .*write a literal brace twice"),
        ("Hello {name.first}", "attributes and items cannot be reached"),
        ("Hello {}", "not a name"),
    ],
)
@pytest.mark.filterwarnings("ignore:instructions .*brace:UserWarning")
def test_content_not_matching_declaration_is_rejected(
    db: Client, content: str, says: str, when: str
) -> None:
    declared = declaring("name", "mood", required=False)
    if when == "declared before":
        db.instructions.define(declared, content="Hello {name}")
    before = db.instructions.history("greeting")
    with pytest.raises(TemplateInvalid, match=f"^instructions 'greeting' .*{says}"):
        db.instructions.define("greeting" if before else declared, content=content)
    assert db.instructions.history("greeting") == before


def test_declared_argument_can_be_used_any_number_of_times(db: Client) -> None:
    declared = declaring("name", "mood", required=False)
    for content in ("{name} {name!r:>9} {mood}", "{{ {name} }}", "nothing"):
        assert db.instructions.define(declared, content=content).content == content


def test_required_argument_without_placeholder_warns(db: Client) -> None:
    with pytest.warns(UserWarning, match="'greeting' have no placeholder for 'mood'") as caught:
        db.instructions.define(declaring("name", "mood"), content="Hello {name}")
    assert len(caught) == 1
    assert db.instructions.load("greeting") == "Hello {name}"


def test_warning_points_to_caller(dsn: str) -> None:
    with Client(dsn) as db, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        db.instructions.define(declaring("name"), content="Hello")
        db.release(prompts={declaring("name"): "Bye"})
    assert [each.filename for each in caught] == [__file__] * 2


@pytest.mark.parametrize("content", ['{"answer": 1}', "{", "{}", "{x.y}", "{any} {thing}"])
@pytest.mark.filterwarnings("ignore:instructions .*brace:UserWarning")
def test_any_content_is_accepted_without_declared_arguments(db: Client, content: str) -> None:
    for reference in ("plain", InstructionsDeclaration.of("declared", description="JSON")):
        db.instructions.define(reference, content=content)
        assert db.instructions.load(reference) == content


def test_new_declaration_allows_other_placeholders(db: Client) -> None:
    db.instructions.define(declaring("name"), content="{name}")
    db.instructions.define(declaring("other"), content="{other}")
    db.instructions.define(InstructionsDeclaration.of("greeting"), content="{anything}")
    assert db.instructions.load("greeting") == "{anything}"


# --- Resolved


GIVEN = {"name": "Ada", "nmae": "Bo", "mood": "glad"}
UNKNOWN = r"^instructions 'greeting' have no placeholder for 'nmae', 'mood'; leave out"


@pytest.mark.parametrize("reference", ["greeting", Instructions.of("greeting", arguments=GIVEN)])
def test_unknown_argument_is_rejected_if_arguments_are_declared(db: Client, reference: Any) -> None:
    db.instructions.define(declaring("name"), content="Hello {name}")
    for strict in (None, True):
        with pytest.raises(TemplateInvalid, match=UNKNOWN):
            db.instructions.resolve(reference, arguments=GIVEN, strict=strict)
    assert db.instructions.resolve(reference, arguments=GIVEN, strict=False) == "Hello Ada"


def test_unused_argument_without_declaration_is_ignored_unless_strict(db: Client) -> None:
    db.instructions.define("greeting", content="Hello {name}")
    for strict in (None, False):
        assert db.instructions.resolve("greeting", arguments=GIVEN, strict=strict) == "Hello Ada"
    with pytest.raises(TemplateInvalid, match=UNKNOWN):
        db.instructions.resolve("greeting", arguments=GIVEN, strict=True)


def test_declared_argument_can_be_passed_if_unused(db: Client) -> None:
    db.instructions.define(declaring("name", "mood", required=False), content="Hello {name}")
    arguments = {"name": "Ada", "mood": "glad"}
    for _ in range(2):
        assert db.instructions.resolve("greeting", arguments=arguments) == "Hello Ada"
    with pytest.raises(TemplateInvalid, match="no placeholder for 'other'"):
        db.instructions.resolve("greeting", arguments={**arguments, "other": 1})


def test_each_revision_has_its_own_declaration(db: Client) -> None:
    db.instructions.define(declaring("name"), content="{name}")
    db.instructions.define(declaring("other"), content="{other}")
    with pytest.raises(TemplateInvalid, match="need 'name'"):
        db.instructions.resolve("greeting", arguments={"other": 1}, revision=1)
    assert db.instructions.resolve("greeting", arguments={"name": 1}, revision=1) == "1"


@pytest.mark.parametrize("arguments", ["7", "{}", "null", "[7]", '[{"name": 7}, {}]'])
def test_invalid_stored_arguments_do_not_prevent_loading(
    db: Client, sql: psycopg.Connection, arguments: str
) -> None:
    sql.execute(
        "INSERT INTO instructions (name, content, arguments) VALUES ('odd', '{a}', $1::JSONB)",
        (arguments,),
    )
    assert db.instructions.load("odd") == db.instructions.load("odd", revision=1) == "{a}"
    assert db.instructions.resolve("odd", arguments={"a": 1, "b": 2}) == "1"
    assert db.instructions.history("odd")[0].content == "{a}"
    assert db.instructions.define("odd", content="{b}").revision == 2


def test_default_ignores_unused_arguments(db: Client) -> None:
    assert db.instructions.resolve("none", default="Hi", arguments=GIVEN, strict=True) == "Hi"
    assert db.instructions.resolve(None, default="Hi", arguments={"name": "Ada"}) == "Hi"


# --- On their own


@given(content=texts | st.text("{}ab!:. ", max_size=12), arguments=st.sets(st.sampled_from("ab")))
def test_only_well_formed_templates_are_rendered(content: str, arguments: set[str]) -> None:
    values = dict.fromkeys(arguments, "x")
    if well_formed(content) is None:
        for call in (lambda: placeholders(content, name=""), lambda: render(content, {}, name="")):
            with pytest.raises(TemplateInvalid):
                call()
        return
    try:
        check_declared(content, arguments, name="n")
    except TemplateInvalid:
        assert set(placeholders(content, name="n")) - arguments
        return
    if set(placeholders(content, name="n")) <= arguments and ":" not in content:
        assert render(content, values, name="n") == content.format_map(values)
