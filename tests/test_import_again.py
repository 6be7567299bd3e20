"""Logs of all formats are imported again: unchanged, grown and changed."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from draive_pg import ChatImport, Client
from draive_pg.chat.convert import convert
from draive_pg.errors import ChatInvalid
from tests.chat_logs import entries
from tests.test_chat_formats import CASES
from tests.test_chat_logs import LOGS

type Blocks = Mapping[str, Sequence[Any]]

DOCUMENTS = {
    "formats": {name: [case.document] for name, case in CASES.items()},
    "logs": {
        name: [json.loads(line) for line in log["content"].splitlines() if line]
        for name, log in LOGS.items()
        if log["content"].startswith("{") and "}\n{" in f"{log['content']}\n{{"
    },
}


def encoded(documents: Sequence[Any]) -> bytes:
    return "\n".join(map(json.dumps, documents)).encode()


def elements(documents: Sequence[Any]) -> Blocks | None:
    """Return the blocks of the elements of each conversation; None if one is refused."""
    found: dict[str, Sequence[Any]] = {}
    for entry in entries(encoded(documents)):
        if isinstance(entry, ChatInvalid):
            return None
        try:
            chat = convert(entry.conversation)
        except ChatInvalid:
            return None
        found[entry.identifier] = [each.document["blocks"] for each in chat.elements]
    return found


def cuts(value: Any) -> Iterator[Any]:
    """Yield copies without the last item of a list, or without one field of an object."""
    if isinstance(value, list) and len(value) > 1:
        yield value[:-1]
    yield from inside(value, lambda each: cuts(each) if isinstance(each, list | dict) else ())
    if isinstance(value, dict):
        yield from ({k: v for k, v in value.items() if k != key} for key in reversed(value))


def changes(value: Any) -> Iterator[Any]:
    """Yield copies with another text in one place."""
    if isinstance(value, str):
        yield f"{value} (changed)"
    elif isinstance(value, list | dict):
        yield from inside(value, changes)


def inside(value: Any, vary: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
    """Yield copies with a variant of one item."""
    for key, each in list(value.items() if isinstance(value, dict) else enumerate(value)):
        for variant in vary(each):
            copy = value.copy()
            copy[key] = variant
            yield copy


def is_cut(before: Blocks | None, after: Blocks) -> bool:
    """Return whether one conversation misses its last elements, and nothing else differs."""
    if before is None or before.keys() != after.keys():
        return False
    shorter = [name for name in after if before[name] != after[name]]
    return len(shorter) == 1 and all(
        0 < len(before[name]) < len(after[name])
        and after[name][: len(before[name])] == before[name]
        for name in shorter
    )


def is_changed(before: Blocks, after: Blocks | None) -> bool:
    """Return whether the first element of one conversation differs, and nothing else."""
    if after is None or before.keys() != after.keys():
        return False
    other = [name for name in after if before[name] != after[name]]
    return len(other) == 1 and all(
        len(before[name]) == len(after[name])
        and before[name][:1] != after[name][:1]
        and before[name][1:] == after[name][1:]
        for name in other
    )


@pytest.mark.parametrize("collection", DOCUMENTS)
def test_log_of_each_format_is_imported_again(dsn: str, collection: str) -> None:
    wrong: dict[str, ChatImport] = {}
    grown = changed = 0
    with Client(dsn) as db:
        for name, documents in DOCUMENTS[collection].items():
            whole = elements(documents)
            if not whole:  # refused
                continue
            prefix = f"{name}/"
            shorter = next(
                (each for each in cuts(documents) if is_cut(elements(each), whole)), None
            )
            if shorter is not None:
                grown += 1
                first = db.memories.import_chats(encoded(shorter), prefix=prefix)
                result = db.memories.import_chats(encoded(documents), prefix=prefix)
                added = sum(map(len, whole.values())) - first.elements
                if (result.extended, result.elements, result.refused) != (1, added, ()):
                    wrong[f"{name}: grown"] = result
            else:
                db.memories.import_chats(encoded(documents), prefix=prefix)
            result = db.memories.import_chats(encoded(documents), prefix=prefix)
            if (result.unchanged, result.elements, result.refused) != (len(whole), 0, ()):
                wrong[f"{name}: again"] = result
            others = (each for each in changes(documents) if is_changed(whole, elements(each)))
            if (other := next(others, None)) is not None:
                changed += 1
                result = db.memories.import_chats(encoded(other), prefix=prefix)
                if result.elements or len(result.refused) != 1 or prefix not in result.refused[0]:
                    wrong[f"{name}: changed"] = result
    assert wrong == {}
    assert min(grown, changed) > len(DOCUMENTS[collection]) / 2
