"""`db.templates`: variables, declarations, resolving and folders; what all kinds share is tested in
test_versioned_documents."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from draive_pg import Client, DocumentMissing, RevisionConflict, TemplateInvalid
from tests.cli_runner import Shell


@dataclass
class Declaration:
    """What draive's TemplateDeclaration has."""

    identifier: str
    description: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Reference:
    """What draive's Template has."""

    identifier: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])


@pytest.fixture
def dsn(templates_dsn: str) -> str:
    return templates_dsn


def test_define_and_resolve(db: Client) -> None:
    defined = db.templates.define("greeting", content="Hello {%name%} from {%place%}, {%name%}!")
    assert defined.variables == {"name": "name", "place": "place"}
    arguments = {"name": "Ada", "place": 7}
    assert db.templates.resolve("greeting", arguments=arguments) == "Hello Ada from 7, Ada!"
    assert db.templates.load("greeting") == "Hello {%name%} from {%place%}, {%name%}!"
    assert db.templates.define("greeting", content=defined.content) == defined


def test_values_are_not_filled_again(db: Client) -> None:
    db.templates.define("t", content=r"{{x}} {%a%} {%b%} {% c %} {} \1")
    resolved = db.templates.resolve("t", arguments={"a": "{%b%}", "b": r"\g<0>"})
    assert resolved == r"{{x}} {%b%} \g<0> {% c %} {} \1"


def test_missing_and_unknown_arguments_are_rejected(db: Client) -> None:
    db.templates.define("t", content="Hello {%name%}")
    with pytest.raises(TemplateInvalid, match=r"'t' needs 'name', .*\(which have 'nmae', unknown"):
        db.templates.resolve("t", arguments={"nmae": "Ada"}, strict=False)
    with pytest.raises(TemplateInvalid, match="'t' needs 'name'"):
        db.templates.resolve("t", arguments={"name": None})
    with pytest.raises(TemplateInvalid, match="'t' has no variable 'x'"):
        db.templates.resolve("t", arguments={"name": "Ada", "x": 1})
    arguments = {"name": "Ada", "x": 1}
    assert db.templates.resolve("t", arguments=arguments, strict=False) == "Hello Ada"


def test_missing_template_uses_default(db: Client) -> None:
    with pytest.raises(DocumentMissing, match="there is no template of that name"):
        db.templates.load("t")
    resolved = db.templates.resolve("t", arguments={"x": 1, "y": 2}, default="{%x%}")
    assert resolved == "1"


def test_reference_binds_arguments(db: Client) -> None:
    db.templates.define("t", content="{%a%} {%b%}")
    reference = Reference("t", {"a": "bound", "b": "bound", "other": "ignored"})
    assert db.templates.resolve(reference, arguments={"b": "given"}) == "bound given"


def test_declared_variables_must_be_those_of_the_text(db: Client) -> None:
    declaration = Declaration("t", "for tests", {"name": "of the user"}, {"lang": "en"})
    defined = db.templates.define(declaration, content="Hello {%name%}")
    assert (defined.description, defined.meta) == ("for tests", {"lang": "en"})
    assert defined.variables == {"name": "of the user"}
    with pytest.raises(TemplateInvalid, match=r"uses 'nmae', .*\(it has 'name'\)"):
        db.templates.define(declaration, content="Hello {%nmae%}")
    with pytest.raises(TemplateInvalid, match="does not use 'name'"):
        db.templates.define(declaration, content="Hello")
    with pytest.raises(TypeError, match="a declaration has its own"):
        db.templates.define(declaration, content="Hello {%name%}", meta={})
    assert db.templates.history("t") == (defined,)


def test_definition_by_identifier_keeps_declaration(db: Client) -> None:
    db.templates.define(
        "t",
        content="{%name%} {%place%}",
        description="for tests",
        variables={"name": "of the user", "place": "place"},
        meta={"lang": "en"},
    )
    defined = db.templates.define("t", content="Hello {%name%}")
    assert (defined.description, defined.meta) == ("for tests", {"lang": "en"})
    assert defined.variables == {"name": "of the user"}
    with pytest.raises(TemplateInvalid, match=r"uses 'nmae', .*\(it has 'name'\)"):
        db.templates.define("t", content="Hello {%nmae%}")
    changed = db.templates.define("t", content="Hello {%name%}", description="greets")
    assert (changed.revision, changed.description) == (3, "greets")
    assert changed.variables == {"name": "of the user"}
    assert db.templates.restore("t", 1).description == "for tests"


def test_definition_by_identifier_adds_variables_nobody_described(db: Client) -> None:
    db.templates.define("t", content="{%a%}")
    assert db.templates.define("t", content="{%b%}").variables == {"b": "b"}
    with pytest.raises(TypeError, match="the identifier of the template must be a str"):
        db.templates.define(7, content="x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the description of the variable 'a' must be a str"):
        db.templates.define("t", content="{%a%}", variables={"a": 1})  # type: ignore[dict-item]


def test_rows_of_draive_with_odd_variables_are_readable(
    db: Client, sql: psycopg.Connection
) -> None:
    for name, variables in (("a", "[]"), ("b", '"x"'), ("c", '{"v": 1}')):
        sql.execute(
            "INSERT INTO templates (identifier, content, variables) VALUES ($1, '{%v%}', $2)",
            (name, variables),
        )
        assert db.templates.resolve(name, arguments={"v": "1"}) == "1"
    assert db.templates.define("a", content="{%w%}").variables == {"w": "w"}
    assert db.templates.define("b", content="{%w%}").variables == {"w": "w"}


def test_release_publishes_templates_with_other_kinds(db: Client) -> None:
    made = db.release(
        prompts={"p": "x"},
        templates={"t": "y"},
        template_labels={"production": ["t"]},
        message="why",
    )
    assert [each.identifier for each in made.templates] == ["t"]
    assert made.template_labels == db.templates.labels()
    with pytest.raises(RevisionConflict):
        db.release(prompts={"p": "z"}, templates={"t": "z"}, expected_templates={"t": 0})
    assert db.instructions.load("p") == "x"


def test_diff_shows_variables(db: Client) -> None:
    db.templates.define("t", content="{%a%}")
    db.templates.define("t", content="{%b%}")
    assert '-  "a": "a"' in str(db.templates.diff("t", 1))


def test_folder_round_trip(db: Client, tmp_path: Path) -> None:
    declaration = Declaration("support/refund", "why", {"name": "of the user"}, {"lang": "en"})
    db.templates.define(declaration, content="Hello {%name%}\n")
    db.templates.define("plain", content="Hello {%name%}")
    db.templates.pull(tmp_path)
    assert (tmp_path / "plain.md").read_text() == "Hello {%name%}\n"
    assert "required" not in (tmp_path / "support/refund.md").read_text()
    assert not db.templates.status(tmp_path).drift
    (tmp_path / "plain.md").write_text("Hi {%nick%}\n")
    assert db.templates.push(tmp_path).done
    assert db.templates.revision("plain").variables == {"nick": "nick"}
    assert db.templates.revision("support/refund").revision == 1
    assert not db.templates.status(tmp_path).drift
    (tmp_path / "support/refund.md").write_text(
        '+++\n[[arguments]]\nname = "name"\ndescription = "x"\n+++\nHello {%nmae%}\n'
    )
    with pytest.raises(TemplateInvalid, match="'support/refund' does not use 'name'"):
        db.templates.push(tmp_path)


def test_command_group(
    dsn: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAIVE_PG_DSN", dsn)
    defined = shell("templates", "define", "t", "--content", "Hello {%name%}", "--label", "live")
    assert defined.code == 0
    assert shell("templates", "show", "t", "live").out.endswith("Hello {%name%}\n")
    assert json.loads(shell("templates", "list", "--json").out)[0]["identifier"] == "t"
    assert shell("templates", "pull", tmp_path).code == 0
    assert shell("templates", "status", tmp_path).code == 0
    assert shell("templates", "label", "t", "canary", "1").code == 0
    assert shell("templates", "remove", "t", "--labelled", "--yes").code == 0
