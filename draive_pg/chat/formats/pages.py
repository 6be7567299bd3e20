"""Order of the items of a page of OpenAI's APIs, which have no times.

A page does not say its order: by default, the newest of the items of a response or a conversation
is first, and the oldest of the messages of a chat completion. Calls and speakers often tell it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from draive_pg.chat.roles import time_and_others

UNKNOWN_ORDER = "unknown order of items without times"


def is_page(document: Mapping[str, Any]) -> bool:
    """Return True for a page."""
    match document:
        case {"object": "list", "first_id": _, "last_id": _, "data": [_, *_]}:
            return True
        case _:
            return False


def in_order(items: Sequence[Mapping[str, Any]]) -> tuple[Sequence[Mapping[str, Any]], bool]:
    """Return the items of a page, the oldest first, and whether their order is known."""
    if len(items) == 1 or any(time_and_others(each)[0] for each in items):
        return items, True  # the format orders by times
    found = _newest_first(items)
    newest_first = all("type" in each for each in items) if found is None else found
    return items[::-1] if newest_first else items, found is not None


def _newest_first(items: Sequence[Mapping[str, Any]]) -> bool | None:
    """Return whether the newest item is first; None if nothing tells."""
    answered: set[Any] = set()
    called: set[Any] = set()
    for item in items:
        kind, call = str(item.get("type")), item.get("call_id")
        if kind.endswith("_call_output"):
            if call in called:
                return False
            answered.add(call)
        elif kind.endswith("_call"):
            if call in answered:
                return True
            called.add(call)
    first, last = (_speaker(items[place]) for place in (0, -1))
    if first == last:
        return None
    return last == "system" or (first != "system" and last == "user")


def _speaker(item: Mapping[str, Any]) -> str:
    role = item.get("role")
    if role in ("system", "developer"):
        return "system"
    return "user" if role == "user" else "assistant"
