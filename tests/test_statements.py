"""The SQL in ``schema/statements`` is what the package sends."""

from tests.statements import FOLDER, rendered


def test_statement_files_are_up_to_date() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.sql")}
    assert written == rendered(), "run ./dev statements"
