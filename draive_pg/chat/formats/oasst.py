"""OpenAssistant's trees of messages: as one document, or as a row for each message."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterable, Iterator
from typing import Any

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import (
    Fields,
    Format,
    Need,
    Reader,
    branch,
    branches,
)
from draive_pg.chat.parts import without
from draive_pg.chat.roles import read_message

TREE = "message_tree_id"
LINKS = ("message_id", "parent_id", TREE, "replies", "created_date")


def is_row(value: Any) -> bool:
    """Return True for a row of a message."""
    match value:
        case {"message_id": str(), "parent_id": str() | None, "message_tree_id": str(), "text": _}:
            return True
        case _:
            return False


def _has_replies(fields: Fields) -> bool:
    match fields:
        case {"prompt": {"text": str(), "replies": [*_]}}:
            return True
        case _:
            return False


def _are_rows(fields: Fields) -> bool:
    rows = fields.get("messages")
    return isinstance(rows, list) and bool(rows) and all(map(is_row, rows))


def _read_tree(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    yield from _read(without(fields, "prompt"), _flat(fields["prompt"], None), reader)


def _read_rows(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    trees: dict[Any, list[Any]] = {}
    for row in fields["messages"]:
        trees.setdefault(row[TREE], []).append(row)
    for tree, rows in trees.items():
        yield from _read({**without(fields, "messages"), TREE: tree}, rows, reader)


def _flat(message: Any, parent: Any, number: str = "0") -> Iterator[Any]:
    """Yield a message and its replies as rows."""
    identifier = str(message.get("message_id") or number)
    yield {**message, "message_id": identifier, "parent_id": parent}
    for n, reply in enumerate(message.get("replies") or ()):
        yield from _flat(reply, identifier, f"{number}.{n}")


def _read(fields: Fields, rows: Iterable[Any], reader: Reader) -> Iterator[Conversation]:
    """Read the branch of the best replies, which have the rank 0, first."""
    nodes = {row["message_id"]: row for row in rows}
    parents = {key: row["parent_id"] for key, row in nodes.items()}
    replies: dict[Any, list[Any]] = {}
    for row in nodes.values():
        replies.setdefault(row["parent_id"], []).append(row)
    leaf = None
    while leaf in replies:
        leaf = min(replies[leaf], key=_rank)["message_id"]
    paths, others = branches(parents, leaf, reader.options.branches)
    about = {**without(fields, TREE), "id": fields.get(TREE) or next(iter(nodes))}
    for number, path in enumerate(paths):
        messages = [_message(nodes[key]) for key in path]
        found = reader.conversation(about, messages)
        yield branch(found, path[-1] if number else None, others)


def _message(row: Any) -> Message:
    return read_message({"created": row.get("created_date"), **without(row, *LINKS)})


def _rank(row: Any) -> float:
    rank = row.get("rank")
    return rank if isinstance(rank, int | float) else float("inf")


TREES = Format(
    "oasst",
    "OpenAssistant trees",
    (Need("prompt, an object with text and replies", _has_replies),),
    _read_tree,
)

ROWS = Format(
    "oasst-rows",
    "OpenAssistant messages, a row for each",
    (Need("messages with message_id, parent_id, message_tree_id and text", _are_rows),),
    _read_rows,
    is_message=is_row,
    messages=lambda row: [_message(row)],
    splits_sessions=True,
)
