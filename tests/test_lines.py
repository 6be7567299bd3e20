"""The lines of draive's releases, and their detection from the tables of a database."""

from collections.abc import Mapping

import pytest

from draive_pg.errors import SchemaInvalid
from draive_pg.lines import line
from draive_pg.lines.line import (
    LINE_89,
    LINE_92,
    LINE_99,
    LINE_103,
    LINE_118,
    LINES,
    Line,
    detect,
    installed_line,
    line_of,
    present_stores,
)

MEMORIES = {"memories": "text", "memories_elements": "text", "memories_variables": "text"}
UUID_MEMORIES = {"memories": "uuid", "memories_elements": "uuid", "memories_variables": None}
CONVERSATIONS = {"conversation_memory": "uuid"}
AGENTS = {"agent_memory": "uuid"}
INSTRUCTIONS = {"instructions": None}
TEMPLATES = {"templates": "text"}


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("0.87", LINE_89),
        ("0.89.5", LINE_89),
        ("0.90.0", LINE_92),
        ("0.92.1", LINE_92),
        ("0.93.3", LINE_99),
        ("0.99.1", LINE_99),
        ("0.100", LINE_103),
        ("0.112.0", LINE_103),
        ("0.113.1", LINE_118),
        ("0.118.0rc1", LINE_118),
        ("0.130.2", LINE_118),
    ],
)
def test_release_has_a_line(release: str, expected: Line) -> None:
    assert line_of(release) is expected


@pytest.mark.parametrize("release", ["", "0.86.4", "1.0", "118", "0.118; DROP", "0.x"])
def test_other_releases_are_refused(release: str) -> None:
    with pytest.raises(ValueError, match=r"a release from 0\.87 on"):
        line_of(release)


def test_release_must_be_a_str() -> None:
    with pytest.raises(TypeError, match="must be a release"):
        line_of(0.118)  # pyright: ignore[reportArgumentType]


def test_lines_are_named_after_a_release_of_their_own() -> None:
    assert [line_of(each.name) for each in LINES] == list(LINES)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (MEMORIES | INSTRUCTIONS, LINE_89),
        (MEMORIES, LINE_89),
        (MEMORIES | INSTRUCTIONS | TEMPLATES, LINE_89),
        (MEMORIES | TEMPLATES, LINE_92),
        (UUID_MEMORIES | TEMPLATES, LINE_99),
        (UUID_MEMORIES | INSTRUCTIONS, LINE_99),
        (CONVERSATIONS | TEMPLATES, LINE_103),
        (CONVERSATIONS | INSTRUCTIONS, LINE_103),
        (CONVERSATIONS | AGENTS, LINE_118),
        (AGENTS, LINE_118),
    ],
)
def test_line_is_detected_from_the_tables(tables: Mapping[str, str], expected: Line) -> None:
    assert detect(tables) is expected


@pytest.mark.parametrize(
    ("installed", "expected"), [(None, LINE_89), (LINE_103, LINE_103), (LINE_118, LINE_118)]
)
def test_database_without_conversations_has_the_line_of_the_installed_draive(
    installed: Line | None, expected: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "installed_line", lambda: installed)
    assert detect({}) is expected
    assert detect(INSTRUCTIONS) is expected


def test_installed_draive_has_a_line() -> None:
    assert installed_line() in {None, *LINES}


@pytest.mark.parametrize(
    ("tables", "choices"),
    [
        (MEMORIES | CONVERSATIONS, "draive='0.89' or draive='0.103'"),
        (MEMORIES | TEMPLATES | AGENTS, "draive='0.92' or draive='0.118'"),
        (UUID_MEMORIES | CONVERSATIONS | AGENTS, "draive='0.99' or draive='0.118'"),
    ],
)
def test_error_names_the_choices_between_lines(tables: Mapping[str, str], choices: str) -> None:
    with pytest.raises(SchemaInvalid, match=choices):
        detect(tables)


@pytest.mark.parametrize("chosen", [LINE_89, LINE_103, LINE_118])
def test_chosen_line_is_used(chosen: Line) -> None:
    assert detect(MEMORIES | CONVERSATIONS | AGENTS, chosen) is chosen
    assert detect({}, chosen) is chosen


@pytest.mark.parametrize(
    ("tables", "chosen", "right"),
    [
        (MEMORIES, LINE_99, "0.89"),
        (MEMORIES | TEMPLATES, LINE_99, "0.92"),
        (UUID_MEMORIES | CONVERSATIONS, LINE_89, "0.99"),
    ],
)
def test_memories_of_another_line_are_refused(
    tables: Mapping[str, str], chosen: Line, right: str
) -> None:
    with pytest.raises(SchemaInvalid, match=f"use draive='{right}'"):
        detect(tables, chosen)


def test_only_existing_stores_are_used() -> None:
    assert present_stores(LINE_118, CONVERSATIONS | AGENTS) == LINE_118.stores
    assert present_stores(LINE_118, CONVERSATIONS | MEMORIES) == ("conversation_memory",)
    assert present_stores(LINE_118, AGENTS) == ("agent_memory",)
    assert present_stores(LINE_103, AGENTS) == ("conversation_memory",)
    assert present_stores(LINE_89, {}) == ("memories",)
