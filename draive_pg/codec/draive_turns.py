"""The turns of draive 0.100 and later to JSON documents and back."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol, cast
from uuid import UUID

from draive_pg.codec.draive_import import Importing
from draive_pg.codec.json import encode, storable
from draive_pg.errors import StoredDataInvalid


class Turn(Protocol):
    """A turn of a conversation: draive's ConversationUserTurn or ConversationAssistantTurn."""

    @property
    def identifier(self) -> UUID: ...
    @property
    def turn(self) -> str: ...
    @property
    def created(self) -> datetime: ...
    @property
    def content(self) -> Sequence[Any]: ...
    def to_json(self) -> str: ...


def is_turn(item: object) -> bool:
    """Return whether an object is a turn, and no element of an older draive."""
    return type(item).__name__ in ("ConversationUserTurn", "ConversationAssistantTurn")


def encode_turn(turn: object, what: str, *, repair: bool = False) -> str:
    """Encode a turn as JSON text.

    Raises
    ------
    TypeError
        If it is no turn.
    ValueError
        If PostgreSQL cannot store it; the message names the place. With ``repair``, characters that
        it cannot store are replaced.
    """
    if not isinstance(turn, tuple(_kinds().values())):
        raise TypeError(
            f"{what} must be a ConversationUserTurn or a ConversationAssistantTurn, "
            f"not {type(turn).__name__}"
        )
    document = json.loads(cast("Turn", turn).to_json())
    return encode(storable(document) if repair else document, what)


def decode_turn(document: Mapping[str, Any], what: str) -> Turn:
    """Decode a stored turn.

    Raises
    ------
    StoredDataInvalid
        If draive cannot read it; the message begins with ``what``.
    """
    kind, kinds = document.get("turn"), _kinds()
    try:
        return kinds[str(kind)].from_mapping(document)
    except Exception as error:  # of any class, from draive
        raise StoredDataInvalid(f"{what} cannot be read: {str(error) or kind:.200}") from error


@cache  # an import is not interrupted, which takes a thread
def _kinds() -> Mapping[str, Any]:
    with Importing("recall or remember", "0.100 or newer", "draive[postgres]>=0.103"):
        # pyright knows the draive of the development environment, which has none of these.
        from draive.conversation.types import (
            ConversationAssistantTurn,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
            ConversationUserTurn,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
        )
    return {"user": ConversationUserTurn, "assistant": ConversationAssistantTurn}
