"""Removal of single turns from the tables of draive 0.100 and newer."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from draive_pg import Client, SchemaInvalid
from tests.conftest import Connect
from tests.test_stores import AGENT, CHAT, TEXTS, THREAD, contents, recorded, turns

__all__ = ("recorded", "turns")  # fixtures

# The first exchange is positions 0 to 3, and has two turns: 0, and 1 to 3.
SPLIT = "turns are removed whole"


@pytest.fixture
def kept(turns: Client) -> Client:
    """A client that keeps what is removed."""
    turns.setup()
    return turns


@pytest.mark.parametrize("kept_elements", [0, 4])
def test_undo_removes_turns_of_user_and_assistant(kept: Client, kept_elements: int) -> None:
    removed = kept.memory(THREAD).undo(documents=True, erase=not kept_elements)
    assert [each["type"] for each in removed] == ["model_input", "model_output"] * 2
    assert removed[-1]["blocks"][0]["parts"][0]["text"] == "I cannot say."
    assert kept.memory(THREAD).log().text.tolist() == TEXTS[:4]
    assert len(kept.frames.removed_elements(THREAD)) == kept_elements
    assert len(kept.memory(AGENT).log()) == 8
    assert len(kept.memory(THREAD).undo(documents=True)) == 4
    assert kept.memory(THREAD).undo(documents=True) == ()


@pytest.mark.parametrize(
    ("edit", "left"),
    [
        (lambda memory: memory.pop(3, documents=True), 5),
        (lambda memory: memory.pop(4, documents=True), 4),
        (lambda memory: memory.pop(99, documents=True), 0),
        (lambda memory: memory.truncate(5), 5),
        (lambda memory: memory.truncate(0), 0),
        (lambda memory: memory.truncate(8), 8),
        (lambda memory: memory.clear(), 0),
        (lambda memory: memory.clear(keep_variables=True), 0),
    ],
)
def test_whole_turns_are_removed(kept: Client, edit: Callable[[Any], Any], left: int) -> None:
    removed = edit(kept.memory(THREAD))
    assert (removed if isinstance(removed, int) else len(removed)) == 8 - left
    assert kept.memory(THREAD).log().text.tolist() == TEXTS[:left]
    assert len(kept.frames.removed_elements(THREAD)) == 8 - left


@pytest.mark.parametrize(
    "edit",
    [
        lambda memory: memory.pop(documents=True),
        lambda memory: memory.pop(2, documents=True),
        lambda memory: memory.pop(6, documents=True),
        lambda memory: memory.truncate(2),
        lambda memory: memory.remove_element(2, documents=True),
    ],
)
def test_removal_of_part_of_turn_is_refused(kept: Client, edit: Callable[[Any], Any]) -> None:
    before = contents(kept, THREAD)
    with pytest.raises(ValueError, match=f"memory '{THREAD}': {SPLIT}"):
        edit(kept.memory(THREAD))
    assert contents(kept, THREAD) == before
    assert kept.frames.removed_elements(THREAD).empty


def test_clear_removes_turns_of_other_events(kept: Client, empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn) as sql:
        sql.execute(
            """
            INSERT INTO conversation_memory (thread_id, identifier, turn, payload, created)
            SELECT thread_id, gen_random_uuid(), turn, jsonb_set(
                payload, '{content}', '[{"event": "other", "content": null, "meta": {}}]'
            ), now()
            FROM conversation_memory WHERE thread_id = %s AND turn = 'assistant' LIMIT 1
            """,
            (THREAD,),
        )
    assert kept.memory(THREAD).clear() == 8
    assert THREAD not in kept.memories.identifiers()


def test_turn_of_one_element_is_removed(kept: Client) -> None:
    removed = kept.memory(THREAD).remove_element(4, reason="why", documents=True)
    assert removed["blocks"][0]["parts"][0]["text"] == "And now?"
    assert kept.memory(THREAD).log().text.tolist() == [*TEXTS[:4], *TEXTS[5:]]
    assert kept.frames.removed_elements(THREAD).reason.tolist() == ["why"]


def test_context_of_agent_is_not_edited(kept: Client) -> None:
    edits: list[Callable[[Any], object]] = [
        lambda memory: memory.pop(documents=True),
        lambda memory: memory.undo(documents=True),
        lambda memory: memory.clear(),
    ]
    for edit in edits:
        with pytest.raises(ValueError, match="context of an agent"):
            edit(kept.memory(AGENT))
    assert len(kept.memory(AGENT).log()) == 8
    assert kept.frames.removed_elements(AGENT).empty
    assert kept.memory("none").pop(documents=True) == ()
    assert kept.memory("none").clear() == 0


def test_replacement_in_turns_is_refused(kept: Client) -> None:
    element = {"type": "model_input", "blocks": [], "meta": {}}
    with pytest.raises(SchemaInvalid, match="which keeps turns: truncate"):
        kept.memory(THREAD).replace(0, element, documents=True)
    assert kept.memory(THREAD).log().text.tolist() == TEXTS


def test_turns_of_one_time_are_removed_one_by_one(kept: Client, empty_dsn: str) -> None:
    kept.memories.import_chat("chat", CHAT)
    with psycopg.connect(empty_dsn) as sql:
        sql.execute("UPDATE conversation_memory SET created = now() WHERE thread_id = 'chat'")
    memory = kept.memory("chat")
    for _ in range(4):
        before = memory.log().text.tolist()
        try:
            removed = memory.pop(documents=True)
        except ValueError:
            removed = memory.pop(3, documents=True)
        assert memory.log().text.tolist() == before[: -len(removed)]
    assert memory.log().empty


def test_edits_of_conversations_keyed_by_uuid_are_refused(
    connect: Connect, recorded: Callable[[str], str]
) -> None:
    db = connect(recorded("0_99_1"))
    with pytest.raises(SchemaInvalid, match=r"draive 0.93 to 0.99 are read-only"):
        db.memory(THREAD).pop(documents=True)
