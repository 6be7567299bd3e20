"""The common form of chat logs: every format is parsed to it, and elements are built from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from draive_pg.codec.elements import Document

type Block = Document | Thought | Call | Result | Unreadable


@dataclass(slots=True)
class Thought:
    """Reasoning of the model."""

    parts: Sequence[Document]
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class Call:
    """Request to call a tool.

    Attributes
    ----------
    tool : str
        Name of the tool.
    arguments : object
        Mapping, JSON text of an object, or None.
    identifier : str | None
        Identifier that the result repeats; None if the log has none.
    meta : Mapping[str, Any]
        Further fields.
    """

    tool: str
    arguments: object
    identifier: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class Result:
    """Result of a tool call.

    Attributes
    ----------
    parts : Sequence[Block]
        Content parts.
    call : str | None
        Identifier of the call; None if the log has none.
    tool : str | None
        Name of the tool, if the log has it.
    failed : bool
        True if the log marks it as an error.
    meta : Mapping[str, Any]
        Further fields.
    """

    parts: Sequence[Block]
    call: str | None = None
    tool: str | None = None
    failed: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that the format does not allow, and the reason."""

    problem: str
    value: object


@dataclass(slots=True)
class Message:
    """One message.

    Attributes
    ----------
    role : str
        ``system``, ``user``, ``assistant`` or ``tool``.
    blocks : Sequence[Block]
        Content parts, reasoning, calls and results, in order.
    created : datetime | None
        Time with a time zone, if the log has one.
    meta : Mapping[str, Any]
        Further fields.
    label : str
        The role as the log calls it, for errors.
    is_piece : bool
        True for reasoning or a call that a log holds apart from the answer it belongs to.
    """

    role: str
    blocks: Sequence[Block]
    created: datetime | None = None
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    label: str = ""
    is_piece: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation.

    Attributes
    ----------
    messages : Sequence[Message]
        The messages, oldest first.
    identifier : str | None
        Its identifier in the log; None if the log has none.
    created : datetime | None
        Its time in the log.
    variables : Mapping[str, Any]
        Title and other data about the conversation.
    ignored : frozenset[str]
        Names of fields that were not read.
    annotations : Sequence[Mapping]
        Annotations, each with the number of its message unless it is of the whole conversation.
    beside : Mapping[str, Any]
        All fields beside the messages, also those that are not read.
    """

    messages: Sequence[Message]
    identifier: str | None = None
    created: datetime | None = None
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    ignored: frozenset[str] = frozenset()
    annotations: Sequence[Mapping[str, Any]] = ()
    beside: Mapping[str, Any] = field(default_factory=dict[str, Any])
