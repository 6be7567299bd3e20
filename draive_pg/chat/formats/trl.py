"""Data sets for training: prompt and completion, and preferred and rejected answers."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import re
from collections.abc import Iterator
from typing import Any

from draive_pg.chat.conversation import Conversation
from draive_pg.chat.formats.format import REQUESTS, Fields, Format, Need, Reader, branch
from draive_pg.chat.parts import without
from draive_pg.chat.roles import role_of

TURN = re.compile(r"\n\n(Human|Assistant): ?")
SIDES = (("chosen", "rejected"), ("preferred_output", "non_preferred_output"))


def _sides(fields: Fields) -> tuple[str, str] | None:
    return next((sides for sides in SIDES if all(fields.get(side) for side in sides)), None)


def _read_preference(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    """Read both sides, each as a conversation of its own."""
    sides = _sides(fields) or SIDES[0]
    others = without(fields, *sides)
    for side in sides:
        turns = _turns(fields[side])
        # a side with the question is a whole conversation
        document = (
            {**without(others, *REQUESTS), "messages": turns}
            if _asks(turns)
            else {**others, "output": turns}
        )
        for found in reader.logged({**document, "side": side}):
            yield branch(found, side)


def _turns(value: Any) -> Any:
    """Return the messages in a text of turns, which begin with Human: and Assistant:."""
    if not isinstance(value, str) or not value.startswith("\n\nHuman: "):
        return value
    _, *texts = TURN.split(value)
    return [
        {"role": role.lower(), "content": text}
        for role, text in zip(texts[::2], texts[1::2], strict=True)
    ]


def _asks(turns: Any) -> bool:
    return isinstance(turns, list) and any(
        isinstance(each, dict) and role_of(each.get("role")) == "user" for each in turns
    )


def _has_completion(fields: Fields) -> bool:
    return all(_is_turns(fields.get(name)) for name in ("prompt", "completion"))


def _is_turns(value: Any) -> bool:
    return isinstance(value, str | list) and bool(value)


FORMAT = Format(
    "prompt-completion",
    "Prompt and completion (TRL, OpenAI's older fine-tuning files)",
    (Need("prompt and completion, text or messages", _has_completion),),
    lambda fields, reader: reader.logged(fields),
)

PREFERENCE = Format(
    "preference",
    "Preference pairs (DPO of OpenAI and TRL): each side is a conversation",
    (
        Need(
            "chosen and rejected, or preferred_output and non_preferred_output",
            lambda fields: _sides(fields) is not None,
        ),
    ),
    _read_preference,
)
