"""Conversion of elements to turns and contexts, and of prompts to templates, and back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from draive import ModelInput, ModelOutput
from hypothesis import given
from hypothesis import strategies as st

from draive_pg.lines.turns import (
    Loss,
    Timed,
    context_from_elements,
    elements_from_context,
    elements_from_turns,
    turn_identifier,
    turns_from_elements,
)
from tests.strategies import elements, with_types

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)


def text(value: str) -> dict[str, Any]:
    return {"type": "content", "parts": [{"text": value, "meta": {}}]}


def request(call: str) -> dict[str, Any]:
    return {
        "type": "tool_request",
        "identifier": call,
        "tool": "find",
        "arguments": {"n": 1},
        "meta": {},
    }


def response(call: str, handling: str = "response") -> dict[str, Any]:
    return {
        "type": "tool_response",
        "identifier": call,
        "tool": "find",
        "content": text("found"),
        "handling": handling,
        "meta": {},
    }


def asked(*blocks: Any, **meta: Any) -> dict[str, Any]:
    return {"type": "model_input", "blocks": [*blocks], "meta": meta}


def answered(*blocks: Any, **meta: Any) -> dict[str, Any]:
    return {"type": "model_output", "blocks": [*blocks], "meta": meta}


def timed(*documents: Any) -> list[Timed]:
    return [
        Timed(MORNING + timedelta(seconds=index), document)
        for index, document in enumerate(documents)
    ]


EXCHANGE = timed(
    asked(text("hi")),
    answered(text("wait"), request("a"), request("b")),
    asked(response("a"), response("b", "error")),
    answered({"type": "reasoning", "content": text("so"), "meta": {}}, text("done")),
)


def turn(speaker: str, *parts: Any, seconds: float = 0, **members: Any) -> dict[str, Any]:
    return {
        "identifier": "1f0d8d2e-0f3f-4f0e-8a3e-0d6c7d1f2a3b",
        "created": (MORNING + timedelta(seconds=seconds)).isoformat(),
        "turn": speaker,
        "content": [*parts],
        "meta": {},
        **members,
    }


def event(kind: str, artifact: Any, *, seconds: float = 0, **members: Any) -> dict[str, Any]:
    return {
        "event": kind,
        "created": (MORNING + timedelta(seconds=seconds)).isoformat(),
        "content": {"category": "Model", "artifact": artifact, "hidden": False, "meta": {}},
        "meta": {},
        **members,
    }


def new_request(call: str, **members: Any) -> dict[str, Any]:
    return {"identifier": call, "tool": "find", "arguments": {}, "meta": {}, **members}


def new_response(call: str, **members: Any) -> dict[str, Any]:
    return {
        "identifier": call,
        "tool": "find",
        "status": "success",
        "content": text("found"),
        "meta": {},
        **members,
    }


timed_elements = st.lists(
    st.tuples(st.integers(0, 10**9), elements(with_artifacts=True)), max_size=6
).map(
    lambda pairs: [
        Timed(MORNING + timedelta(microseconds=offset), element.to_mapping())
        for (offset, _), (_, element) in zip(
            sorted(pairs, key=lambda pair: pair[0]), pairs, strict=True
        )
    ]
)


def as_lists(value: Any) -> Any:
    match value:
        case dict():
            return {key: as_lists(item) for key, item in value.items()}
        case list() | tuple():
            return [as_lists(item) for item in value]
        case _:
            return value


@given(timed_elements)
def test_elements_are_restored_from_turns_or_reported(found: list[Timed]) -> None:
    found = [Timed(created, as_lists(document)) for created, document in found]
    turns, losses = turns_from_elements("thread", found)
    restored, more = elements_from_turns("thread", turns)
    if not losses:
        assert more == []
        assert with_types(restored) == with_types(found)
    mixed = {loss.position for loss in losses if "both content" in loss.reason}
    if not mixed:
        changed = {
            i for i, (old, new) in enumerate(zip(found, restored, strict=True)) if old != new
        }
        assert changed == {loss.position for loss in losses}


@given(st.lists(elements(with_artifacts=True), max_size=4))
def test_elements_are_restored_from_contexts_or_reported(
    found: list[ModelInput | ModelOutput],
) -> None:
    documents = [as_lists(element.to_mapping()) for element in found]
    context, losses = context_from_elements(documents)
    restored, more = elements_from_context(context)
    assert more == []
    pairs = enumerate(zip(documents, restored, strict=True))
    assert {i for i, (old, new) in pairs if old != new} == {loss.position for loss in losses}


def test_exchange_with_tools_becomes_one_assistant_turn() -> None:
    turns, losses = turns_from_elements("t", EXCHANGE)
    assert losses == []
    assert [each["turn"] for each in turns] == ["user", "assistant"]
    parts = turns[1]["content"]
    assert [part.get("event") for part in parts] == [
        *(None, "tool_request", "tool_request", "tool_response", "tool_response", None, None)
    ]
    assert [turn["created"] for turn in turns] == [
        EXCHANGE[0].created.isoformat(),
        EXCHANGE[3].created.isoformat(),
    ]
    assert parts[1]["created"] == EXCHANGE[1].created.isoformat()
    assert elements_from_turns("t", turns) == (EXCHANGE, [])


@pytest.mark.parametrize(
    "documents",
    [
        [answered(text("a")), answered(text("b"))],
        [answered(text("a")), asked(response("x"))],
        [answered(request("a"), finish="tools"), asked(response("a")), answered(text("b"), n=1)],
        [answered(request("a")), asked(response("a")), asked(response("b"))],
        [answered(request("a")), asked(response("a")), answered(), answered(text("b"))],
        [answered(), asked(), answered()],
    ],
)
def test_elements_that_one_turn_cannot_restore_become_several(documents: list[Any]) -> None:
    found = timed(*documents)
    turns, losses = turns_from_elements("t", found)
    assert losses == []
    assert elements_from_turns("t", turns) == (found, [])


def test_rest_of_conversation_has_the_same_identifiers() -> None:
    turns, _ = turns_from_elements("t", EXCHANGE)
    rest, _ = turns_from_elements("t", EXCHANGE[1:], start=1)
    assert rest == turns[1:]
    assert turns[1]["identifier"] == str(turn_identifier("t", 1))
    assert turns_from_elements("u", EXCHANGE)[0][0]["identifier"] != turns[0]["identifier"]


def test_identifiers_of_elements_become_those_of_turns() -> None:
    own = "0b5f6d2e-0f3f-4f0e-8a3e-0d6c7d1f2a3b"
    found = timed({**asked(text("hi")), "identifier": own})
    (made,), losses = turns_from_elements("t", found)
    assert (made["identifier"], losses) == (own, [])
    restored, losses = elements_from_turns("t", [made])
    assert restored == timed(asked(text("hi")))
    assert losses == [Loss(0, "identifier of a turn")]


def test_losses_of_elements_are_reported() -> None:
    found = timed(
        asked(text("a"), response("x", "detached")),
        answered({**request("y"), "extra": 1}),
        asked({"type": "content", "parts": [{"text": "b", "meta": {}, "lang": "en"}]}),
    )
    turns, losses = turns_from_elements("t", found)
    assert [turn["turn"] for turn in turns] == ["user", "assistant", "user"]
    assert losses == [
        Loss(0, "one input with both content and tool responses, which becomes several"),
        Loss(1, "member 'extra' of a tool request"),
        Loss(2, "member 'lang' of a part"),
    ]
    assert len({turn["identifier"] for turn in turns}) == len(turns)


def test_losses_of_turns_are_reported() -> None:
    found = [
        turn(
            "assistant",
            event("tool_request", new_request("a", handling="output"), seconds=1),
            event("tool_request", new_request("b"), seconds=2),
            event("tool_event", {"progress": 1}),
            event("tool_response", new_response("a"), seconds=3, meta={"cost": 1}),
            text("done"),
            seconds=4,
            title="x",
        )
    ]
    elements, losses = elements_from_turns("t", found)
    assert [each.created.second for each in elements] == [1, 3, 4]
    assert [loss.reason for loss in losses] == [
        "identifier of a turn",
        "member 'title' of a turn",
        "event 'tool_event'",
        "meta of a tool event",
        "times of several tool events in one element",
    ]


def test_question_is_not_later_than_its_answer() -> None:
    found = [
        turn("user", text("hi"), seconds=9),
        turn(
            "assistant",
            event("tool_request", new_request("a"), seconds=3),
            event("tool_response", new_response("a"), seconds=4),
            text("done"),
            seconds=9,
        ),
        turn("user", text("thanks"), seconds=2),
    ]
    elements, losses = elements_from_turns("t", found)
    assert [each.created.second for each in elements] == [3, 3, 4, 9, 9]
    moved = [loss.position for loss in losses if loss.reason == "time that is not in order"]
    assert moved == [0, 2]


def test_tool_responses_of_draive_0_100_are_read() -> None:
    old = {
        "identifier": "a",
        "tool": "find",
        "result": text("found"),
        "handling": "output",
        "status": "success",
        "meta": {},
    }
    found = [
        turn("assistant", event("tool_response", old)),
        turn("assistant", event("tool_response", {**old, "status": "error"})),
    ]
    elements, _ = elements_from_turns("t", found)
    assert [each.document for each in elements] == [
        asked(response("a", "output")),
        asked(response("a", "error")),
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"turn": "user"}, "turn 0 cannot be read ('identifier' is missing)"),
        (turn("robot"), "turn 0 cannot be read (turn must be user or assistant, not 'robot')"),
        (turn("user", {"type": "content", "parts": [{}]}), "blocks[0] is no content"),
        (turn("user", text("a"), created="noon"), "turn 0 cannot be read (Invalid isoformat"),
        (turn("user", 5), "turn 0 cannot be read"),
    ],
)
def test_unreadable_turn_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(ValueError, match="turn 0") as caught:
        elements_from_turns("t", [wrong])
    assert said in str(caught.value)


def test_unreadable_element_is_refused() -> None:
    with pytest.raises(ValueError, match=r"element 7 cannot be read \(type must be"):
        turns_from_elements("t", timed({}), start=7)
    with pytest.raises(ValueError, match="element 0 cannot be read"):
        context_from_elements([{}])
    with pytest.raises(ValueError, match="element 1 cannot be read"):
        elements_from_context([{"kind": "input", "input": [], "meta": {}}, {"kind": "input"}])
