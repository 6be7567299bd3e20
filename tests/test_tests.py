"""Every test can fail: it has an assertion of its own, or calls a helper that asserts."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent

# Functions whose call is an assertion.
ASSERTING = {
    "approx",
    "assert_denied",
    "assert_fails",
    "assert_frame_equal",
    "assert_ok",
    "assert_one_line_error",
    "check_returncode",
    "raises",
    "run_state_machine_as_test",
    "check_served",
    "assert_harmless",
    "wait_for_value",
    "wait_until",
    "warns",
}


def find_tests(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            yield node


def asserts(function: ast.AST, asserting: set[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in asserting:
                return True
    return False


@pytest.mark.parametrize("path", sorted(FOLDER.glob("test_*.py")), ids=lambda path: path.stem)
def test_every_test_asserts(path: Path) -> None:
    assert [test.name for test in find_tests(path) if not asserts(test, ASSERTING)] == []
