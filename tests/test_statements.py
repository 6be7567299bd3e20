"""The SQL in ``schema/statements`` is what the package sends."""

import re

from tests.statements import FOLDER, rendered

COMMENT_OR_LITERAL = re.compile(r"--[^\n]*|\bE'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'", re.DOTALL)


def test_statement_files_are_up_to_date() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.sql")}
    assert written == rendered(), "run ./dev statements"


def test_literals_with_backslashes_are_escape_strings() -> None:
    """The setting ``standard_conforming_strings`` changes the meaning of others."""
    literals = {
        (name, literal)
        for name, sql in rendered().items()
        for literal in COMMENT_OR_LITERAL.findall(sql)
        if literal.startswith("'") and "\\" in literal
    }
    assert not literals
