"""Which of a memory's elements a model can be given again."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from draive import ModelInput, ModelOutput

__all__ = ("newest", "replayable")


def newest(
    elements: Sequence["ModelInput | ModelOutput"], limit: int | None
) -> Sequence["ModelInput | ModelOutput"]:
    """Return the newest elements; where no user turn is among them, all since the newest one."""
    if limit is None:
        return elements
    turns = (index for index in reversed(range(len(elements))) if _starts_turn(elements[index]))
    first = max(0, len(elements) - limit)
    return elements[min(first, next(turns, first)) :]


def replayable(
    elements: Sequence["ModelInput | ModelOutput"],
) -> tuple["ModelInput | ModelOutput", ...]:
    """Return the elements that model APIs accept as a conversation, in order, each one unchanged.

    It starts with a user turn (an input without tool responses). An output whose tool requests
    are not all answered by the inputs that follow it directly is left out together with those
    answers, and so are inputs with a tool response that answers nothing.
    """
    kept: list[ModelInput | ModelOutput] = []
    for exchange in _exchanges(elements):
        first, *inputs = exchange
        if first.type == "model_input":
            if not _calls(first):
                kept.append(first)
        elif kept:
            requests = _calls(first)
            answers = [element for element in inputs if _calls(element) <= requests]
            if requests <= {call for element in answers for call in _calls(element)}:
                kept.extend((first, *answers))
    return tuple(kept)


def _exchanges(
    elements: Sequence["ModelInput | ModelOutput"],
) -> Iterator[list["ModelInput | ModelOutput"]]:
    """Group each output with the tool responses that follow it; all others stand alone."""
    exchange: list[ModelInput | ModelOutput] = []
    for element in elements:
        responds = element.type == "model_input" and _calls(element)
        if exchange and not (responds and exchange[0].type == "model_output"):
            yield exchange
            exchange = []
        exchange.append(element)
    if exchange:
        yield exchange


def _starts_turn(element: "ModelInput | ModelOutput") -> bool:
    return element.type == "model_input" and not element.contains_tools


def _calls(element: "ModelInput | ModelOutput") -> set[str]:
    """Return what an output requests of tools, or what an input answers."""
    return {
        block.identifier
        for block in element.blocks
        if block.type == "tool_request" or block.type == "tool_response"  # noqa: PLR1714 - narrows
    }
