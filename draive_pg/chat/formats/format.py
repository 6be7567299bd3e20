"""What a format of chat logs is, and how formats read the values inside one another."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, takewhile
from typing import Any, NamedTuple, cast

from draive_pg.chat import Branches
from draive_pg.chat.conversation import Call, Conversation, Message, Unreadable
from draive_pg.chat.parts import as_text, is_empty, rest
from draive_pg.chat.roles import (
    CONTENTS,
    read_message,
    system,
    text_message,
    time_and_others,
)
from draive_pg.chat.times import descend, read_time
from draive_pg.codec.validation import shown

type Fields = Mapping[str, Any]

SESSIONS = (
    "conversation_id",
    "conversationId",
    "thread_id",
    "threadId",
    "session_id",
    "sessionId",
    "chat_id",
    "chatId",
    "session",
    "conversation",
    "thread",
)
IDENTIFIERS = (
    "identifier",
    "custom_id",
    "customId",
    "id",
    *SESSIONS,
    "uuid",
    "trace_id",
    "traceId",
)
SYSTEMS = (
    "system",
    "system_prompt",
    "systemPrompt",
    "system_message",
    "system_instruction",
    "systemInstruction",
    "instructions",
    "preamble",
)
STARTS = ("startTime", "start_time", "started_at", "startedAt", "creation_time", "creationTime")
HISTORIES = ("chat_history", "history")
ENDS = ("endTime", "end_time", "ended_at", "endedAt", "completed_at", "completionTime")

# Where logs of requests have the question and the answer.
REQUESTS = (
    "messages",
    "contents",
    "inputs",
    "input",
    "prompt",
    "request",
    "body",
    "params",
    "question",
    "query",
)
RESPONSES = (
    "response",
    "outputs",
    "output",
    "completion",
    "choices",
    "candidates",
    "message",
    "answer",
    "generations",
)

TEXTS = ("text", "content", "value", "result", "generated_text", "output_text", "input_text")
CHOICES = ("choices", "candidates", "generations")
ENVELOPES = ("request", "body", "params", "inputs", "input", "response", "outputs", "output")

# Data that is kept although it is nested.
NESTED = ("tools", "functions", "usage")
METADATA = ("metadata", "meta")

ANSWERED = ("model", "usage", "finish_reason", "finishReason", "logprobs", "generation_info")

MAX_WHOLE = 1 << 53  # larger floats stand for several integers


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a document of a format has: a description for errors, and a test."""

    text: str
    met: Callable[[Fields], bool]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of chat logs.

    Attributes
    ----------
    name : str
        Its name in the API.
    title : str
        A short description.
    needs : Sequence[Need]
        What each of its documents has. A bare list is given as ``{"messages": [...]}``.
    read : callable
        Parse a document to conversations.
    is_message : callable | None
        Return True for one message of a list of messages.
    messages : callable | None
        Parse such a message.
    splits_sessions : bool
        True if ``read`` separates the sessions of a list of messages.
    """

    name: str
    title: str
    needs: Sequence[Need]
    read: "Callable[[Fields, Reader], Iterable[Conversation]]"
    is_message: Callable[[Any], bool] | None = None
    messages: Callable[[Fields], Sequence[Message]] | None = None
    splits_sessions: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What to read.

    Attributes
    ----------
    identifier : str | None
        Name of the field with the identifier; None for the usual names.
    variables : Sequence[str] | None
        Names of the fields that become variables; None for all that are not nested.
    meta : Sequence[str] | None
        Names of the fields of messages that become meta; None for all.
    branches : {"active", "all"}
        Of a conversation with branches, only the active one, or each as its own conversation.
    """

    identifier: str | None = None
    variables: Sequence[str] | None = None
    meta: Sequence[str] | None = None
    branches: Branches = "active"


class Exchange(NamedTuple):
    """The messages of a logged request, and the names of the fields they were read from.

    Attributes
    ----------
    asked, answered : Sequence[Message]
        The question and the answer.
    read : Sequence[str]
        Names of the fields.
    whole : Sequence[str]
        Those of them that are other JSON, such as a structured answer, which is kept as its text.
    """

    asked: Sequence[Message]
    answered: Sequence[Message]
    read: Sequence[str]
    whole: Sequence[str] = ()


class Reader:
    """Read the messages and conversations that a format contains, whatever their formats."""

    def __init__(self, formats: Sequence[Format], options: Options) -> None:
        self._formats = [
            (each.is_message, each.messages)
            for each in formats
            if each.is_message and each.messages
        ]
        self.options = options

    def is_message(self, value: object) -> bool:
        """Return True if the value is one message of any format."""
        return any(is_message(value) for is_message, _ in self._formats)

    def message(self, value: Any, role: str | None = None) -> Sequence[Message]:
        """Read one message of any format; what is none becomes an unreadable message."""
        for is_message, messages in self._formats:
            if is_message(value):
                return messages(value)
        if role is not None and isinstance(value, Mapping):
            return [read_message(cast("Fields", value), role)]
        problem = f"expected an object with a role, found {shown(value)}"
        return [Message("", [Unreadable(problem, value)])]

    def messages(self, values: Iterable[Any]) -> Sequence[Message]:
        """Read a list of messages, which may begin with the newest."""
        return joined(chain.from_iterable(oldest_first([*map(self.message, values)])))

    def turns(self, value: Any, role: str) -> Sequence[Message] | None:
        """Read messages in any shape in which logs contain them; None if there are none.

        Parameters
        ----------
        value : Any
            Text, a message, a list of messages, or a request or response of a model API.
        role : str
            Role of text without one.
        """
        match value:
            case str():
                decoded = self._decoded(value)
                return [text_message(role, value)] if decoded is None else self.turns(decoded, role)
            case [list() as only]:
                return self.turns(only, role)
            case list() | tuple():
                values = cast("Sequence[Any]", value)
                if any(map(self.is_message, values)):
                    return self.messages(values)
                return self.turns(values[0], role) if len(values) == 1 else None
            case Mapping():
                fields = cast("Fields", value)
                if self.is_message(fields):
                    return self.message(fields)
                return self._inside(fields, role)
            case _:
                return None

    def _decoded(self, text: str) -> Any:
        """Decode messages that a log holds as JSON text; None for other text."""
        if text[:1] not in ("[", "{"):
            return None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        match value:
            case [_, *_] if all(map(self.is_message, value)):
                return value
            case {"messages": [_, *_]} | {"choices": [_, *_]} | {"candidates": [_, *_]}:
                return value
            case {"message": {"role": _}} | {"object": "response", "output": [_, *_]}:
                return value
            case _:
                return value if self.is_message(value) else None

    def _inside(self, fields: Fields, role: str) -> Sequence[Message] | None:
        """Read the messages of a request, or of a response."""
        about: Fields = {}
        match fields:
            case {"choices": [{"text": str(text)}, *_]}:
                return [text_message(role, text)]
            case {"choices": [{"delta": Mapping() as delta}, *_]}:
                return [read_message(cast("Fields", delta), role)]
            case (
                {"choices": [choice, *_]}
                | {"candidates": [choice, *_]}
                | {"generations": [choice, *_]}
            ):
                found = self.turns(choice, role)
                if isinstance(choice, Mapping) and not self.is_message(choice):
                    about = rest(choice, *ANSWERED, *CONTENTS, "index", "message", "role", "parts")
            case {"content": {"parts": list()} as content}:  # a candidate of Gemini
                found = [read_message(cast("Fields", content), role)]
            case {"content": str() | list()}:  # a message without a role
                found = [read_message(fields, role)]
            case _:
                asked, answered, *_ = self.exchange(fields, role)
                found = [*asked, *answered] or self._only_text(fields, role)
        if not found:
            return None
        created, _ = time_and_others(fields)
        known = {name: fields[name] for name in ANSWERED if not is_empty(fields.get(name))}
        known |= about
        if role != "assistant" or (created is None and not known):
            return found
        last = found[-1]
        return [
            *found[:-1],
            replace(last, created=last.created or created, meta={**known, **last.meta}),
        ]

    def _only_text(self, fields: Fields, role: str) -> Sequence[Message] | None:
        """Read text that is the only field, or has a usual name: others are data."""
        found = {name: value for name, value in fields.items() if not is_empty(value)}
        if len(found) > 1:
            found = {name: value for name, value in found.items() if name in TEXTS}
        match [*found.values()]:
            case [str(text)]:
                return [text_message(role, text)]
            case _:
                return None

    def exchange(self, fields: Fields, role: str = "user", *, keep_json: bool = False) -> Exchange:
        """Read the question and the answer of a logged request.

        With ``keep_json``, a question or an answer that is other JSON is the text of a message.
        """
        asked: list[Message] = []
        answered: Sequence[Message] = ()
        read: list[str] = []
        for name in SYSTEMS:
            if found := self._system(fields.get(name)):
                asked.append(found)
                read.append(name)
                break
        for name in HISTORIES:
            if earlier := self._earlier(fields.get(name)):
                asked += earlier
                read.append(name)
        for name in REQUESTS:
            value = fields.get(name)
            if name == "messages" and isinstance(value, list) and not _is_nested(value):
                turns = self.messages(cast("list[Any]", value))
            else:
                turns = self.turns(value, role)
            if turns:
                texts = {_texts(message) for message in asked if message.role == "system"}
                asked += [
                    each
                    for each in turns
                    if not texts or each.role != "system" or _texts(each) not in texts
                ]
                read.append(name)
                break
        for name in RESPONSES:
            value = _answer(fields, name)
            whole = {name: value} if name in CHOICES and isinstance(value, list) else value
            if turns := self.turns(whole, "assistant"):
                answered = turns
                read.append(name)
                break
        question, answer = _without_repetition(asked, answered)
        kept: list[str] = []
        if keep_json and not any(name in read for name in REQUESTS):
            question = [*question, *_as_texts(fields, REQUESTS, role, kept)]
        if keep_json and not any(name in read for name in RESPONSES):
            answer = _as_texts(fields, RESPONSES, "assistant", kept)
        return Exchange(question, answer, [*read, *kept], kept)

    def _earlier(self, value: Any) -> Sequence[Message]:
        """Read messages, or pairs of the texts of a question and its answer."""
        if not isinstance(value, list):
            return ()
        if all(map(self.is_message, value)):
            return self.messages(value)
        if not all(map(_is_pair, value)):
            return ()
        roles = ("user", "assistant")
        return [text_message(*turn) for pair in value for turn in zip(roles, pair, strict=True)]

    def _system(self, value: object) -> Message | None:
        if isinstance(value, str):
            return system(value) if value else None
        if not isinstance(value, list | Mapping) or not value:
            return None
        message = read_message({"role": "system", "content": value})
        readable = all(isinstance(block, Mapping) for block in message.blocks)
        return message if readable else None

    def logged(self, fields: Fields, *, keep_json: bool = False) -> Iterable[Conversation]:
        """Read a logged request: the question, and the answer with the time of the end."""
        asked, answered, read, whole = self.exchange(fields, keep_json=keep_json)
        start, end = _time(fields, STARTS), _time(fields, ENDS)
        inner = [
            self.conversation(fields[name], (), *REQUESTS, *RESPONSES, *SYSTEMS, *HISTORIES)
            for name in ENVELOPES
            if name in read
            and name not in whole
            and isinstance(fields[name], Mapping)
            and not self.is_message(fields[name])
            and not isinstance(fields[name].get("content"), str | list)
        ]
        yield self.conversation(
            fields,
            [*_at(asked, start), *_at(answered, end or start)],
            *read,
            *(STARTS if start else ()),
            *(ENDS if end else ()),
            inner=inner,
            start=start,
        )

    def conversation(
        self,
        fields: Fields,
        messages: Sequence[Message],
        *read: str,
        inner: Sequence[Conversation] = (),
        start: datetime | None = None,
    ) -> Conversation:
        """Build a conversation of messages and the fields beside them.

        Parameters
        ----------
        fields : Mapping[str, Any]
            The document.
        messages : Sequence[Message]
            Its messages.
        *read : str
            Names of the fields that the messages were read from.
        inner : Sequence[Conversation]
            Conversations inside, for their variables.
        start : datetime | None
            Time of the conversation, if the format has its own field.
        """
        created, left = time_and_others(fields)
        kept = {name: value for name, value in left.items() if name not in read}
        identifier = self._identifier(kept)
        variables: dict[str, Any] = {}
        ignored: set[str] = set()
        for each in inner:
            variables |= each.variables
            ignored |= each.ignored
        for name in CHOICES:
            if name in read and isinstance(fields.get(name), list) and len(fields[name]) > 1:
                ignored.add(f"other {name}")
        for name, value in kept.items():
            if name in METADATA and isinstance(value, Mapping):
                variables |= {str(key): item for key, item in value.items() if item is not None}
            elif is_empty(value):
                continue
            elif self._is_variable(name, value):
                variables[name] = value
            else:
                ignored.add(name)
        messages = [self._with_meta(message, ignored) for message in messages]
        beside = {name: value for each in inner for name, value in each.beside.items()} | kept
        return Conversation(
            messages, identifier, start or created, variables, frozenset(ignored), beside=beside
        )

    def _is_variable(self, name: str, value: object) -> bool:
        if self.options.variables is not None:
            return name in self.options.variables
        return name in NESTED or is_flat(value)

    def _with_meta(self, message: Message, ignored: set[str]) -> Message:
        if message.role == "system":  # only its text has a place
            parts = (block for block in message.blocks if isinstance(block, Mapping))
            metas = (message.meta, *(part.get("meta") or {} for part in parts))
            ignored |= {f"system.{name}" for meta in metas for name in meta}
            return message
        if self.options.meta is None:
            return message
        ignored |= {f"messages.{name}" for name in message.meta if name not in self.options.meta}
        meta = {name: value for name, value in message.meta.items() if name in self.options.meta}
        return replace(message, meta=meta)

    def _identifier(self, kept: dict[str, Any]) -> str | None:
        """Take the identifier of a conversation from its fields."""
        chosen = self.options.identifier
        for name in IDENTIFIERS if chosen is None else (chosen,):
            value = whole(kept.get(name))
            if isinstance(value, float) and value.is_integer():
                raise ValueError(
                    f"{name} {value} is a number that has lost digits: give it as text"
                )
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                kept.pop(name)
                return str(value)
        return None


def oldest_first(turns: Sequence[Sequence[Message]]) -> Sequence[Sequence[Message]]:
    """Return the messages of the values of a log in order: reversed if they begin with the newest.

    They do if their times descend, and there are more than two times, or each has question and
    answer, or the last message is a question. Instructions at the start stay there.
    """
    leading = [*takewhile(lambda turn: all(each.role == "system" for each in turn), turns)]
    others = turns[len(leading) :]
    times = [turn[0].created for turn in others if turn]
    if not descend(times):
        return turns
    is_question = others[-1][-1].role in ("user", "system")
    has_exchanges = any(len(turn) > 1 for turn in others)
    is_reversed = is_question or has_exchanges or len(set(times)) == len(times) > 2  # noqa: PLR2004
    return [*leading, *others[::-1]] if is_reversed else turns


def whole(value: Any) -> Any:
    """Return an integer that pandas holds as a float, because others of its column are missing."""
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE:
        return int(value)
    return value


def joined(messages: Iterable[Message]) -> list[Message]:
    """Join reasoning and calls that are messages of their own to the answers they belong to."""
    result: list[Message] = []
    for message in messages:
        last = result[-1] if result else None
        if last is None or {last.role, message.role} != {"assistant"}:
            result.append(message)
        elif last.is_piece or (
            message.is_piece and any(isinstance(block, Call) for block in message.blocks)
        ):
            result[-1] = replace(
                message,
                blocks=[*last.blocks, *message.blocks],
                created=message.created or last.created,
                meta={**last.meta, **message.meta},
            )
        else:
            result.append(message)
    return result


def branch(
    conversation: Conversation, suffix: str | None, ignored: frozenset[str] = frozenset()
) -> Conversation:
    """Return a conversation whose identifier has a suffix: the identifier of its branch."""
    identifier = conversation.identifier
    if suffix is not None and identifier is not None:
        identifier = f"{identifier}/{suffix}"
    return replace(conversation, identifier=identifier, ignored=conversation.ignored | ignored)


def is_flat(value: object) -> bool:
    """Return True for text, numbers, and lists and objects of them."""
    match value:
        case list() | tuple():
            return all(isinstance(each, str | int | float | None) for each in value)
        case Mapping():
            return all(isinstance(each, str | int | float | None) for each in value.values())
        case _:
            return True


def has(name: str, *kinds: type) -> Need:
    """Return the need for a field of some types."""
    names = " or ".join({list: "a list", dict: "an object", str: "text"}[kind] for kind in kinds)
    return Need(f"{name}, {names}", lambda fields: isinstance(fields.get(name), kinds))


def items(name: str, what: str, met: Callable[[Any], bool]) -> Need:
    """Return the need for a list whose items are of a kind."""

    def are(fields: Fields) -> bool:
        values = fields.get(name)
        return (
            isinstance(values, list) and bool(values) and any(map(met, cast("list[Any]", values)))
        )

    return Need(f"{name}, a list of {what}", are)


def with_keys(*names: str) -> Callable[[Any], bool]:
    """Return a test for objects that have all these fields."""
    return lambda value: isinstance(value, Mapping) and all(name in value for name in names)


def branches[K](
    parents: Mapping[K, K | None], leaf: K | None, wanted: Branches
) -> tuple[Sequence[list[K]], frozenset[str]]:
    """Return the paths from the root of a tree to its leaves, and what an import ignores of it.

    Parameters
    ----------
    parents : Mapping[K, K | None]
        The parent of each node, in order of the log.
    leaf : K | None
        The active leaf; None or an unknown one for the last of the leaves.
    wanted : {"active", "all"}
        Only the path of the active leaf, or all, that of the active leaf first.
    """
    if not parents:
        return [], frozenset()
    inner = set(parents.values())
    leaves = [node for node in parents if node not in inner]
    active = leaf if leaf in parents else (leaves or list(parents))[-1]
    others = [node for node in leaves if node != active]
    paths = [_path(parents, end) for end in (active, *(others if wanted == "all" else ()))]
    is_whole = len({node for path in paths for node in path}) == len(parents)
    return paths, frozenset() if is_whole else frozenset({"other branches"})


def linked_messages(
    messages: Sequence[Any], identifier: str, parent: str, leaf: str | None, wanted: Branches
) -> tuple[Sequence[Sequence[Any]], frozenset[str]]:
    """Return the messages of each branch, and what an import ignores.

    Parameters
    ----------
    messages : Sequence
        All messages; they are in order if they are not linked.
    identifier, parent : str
        Names of the fields with the identifier of a message, and of the message before it.
    leaf, wanted
        As in `branches`.
    """
    by_identifier = {each.get(identifier): each for each in messages}
    parents = {key: each.get(parent) for key, each in by_identifier.items()}
    are_identified = None not in parents and len(parents) == len(messages)
    if not are_identified or parents.keys().isdisjoint(parents.values()):
        return [messages], frozenset()
    paths, ignored = branches(parents, leaf, wanted)
    return [[by_identifier[key] for key in path] for path in paths], ignored


def _path[K](parents: Mapping[K, K | None], leaf: Any) -> list[K]:
    path: list[K] = []
    seen: set[K] = set()
    node: K | None = leaf
    while node is not None and node in parents and node not in seen:
        path.append(node)
        seen.add(node)
        node = parents[node]
    return path[::-1]


def _answer(fields: Fields, name: str) -> Any:
    """Return the field of an answer; text beside messages is that of an API, such as success."""
    value = fields.get(name)
    is_status = name == "message" and "messages" in fields and isinstance(value, str)
    return None if is_status else value


def _is_pair(value: object) -> bool:
    """Return True for the texts of a question and its answer."""
    match value:
        case [str(), str()]:
            return True
        case _:
            return False


def _is_nested(value: Sequence[Any]) -> bool:
    return len(value) == 1 and isinstance(value[0], list)


def _at(messages: Sequence[Message], time: datetime | None) -> Sequence[Message]:
    """Return the messages with a time for those without one."""
    if time is None:
        return messages
    return [each if each.created else replace(each, created=time) for each in messages]


def _time(fields: Fields, names: Sequence[str]) -> datetime | None:
    found = (read_time(fields.get(name)) for name in names)
    return next((time for time in found if time is not None), None)


def _texts(message: Message) -> str:
    return "".join(as_text(block) for block in message.blocks if isinstance(block, Mapping))


def _as_texts(
    fields: Fields, names: Iterable[str], role: str, read: list[str]
) -> Sequence[Message]:
    """Return the first field with JSON as a message with its text, and note its name."""
    for name in names:
        if isinstance(value := fields.get(name), list | Mapping) and value:
            read.append(name)
            return [text_message(role, value)]
    return []


def _without_repetition(
    asked: Sequence[Message], answered: Sequence[Message]
) -> tuple[Sequence[Message], Sequence[Message]]:
    """Remove the question from an answer that begins with it, as the state of an agent does."""
    question = [each for each in asked if each.role != "system"]
    places = [place for place, each in enumerate(answered) if each.role != "system"]
    repeated = [answered[place] for place in places[: len(question)]]
    if not question or not _same(repeated, question):
        return asked, answered
    end = places[len(question) - 1] + 1
    known = {_texts(each) for each in asked if each.role == "system"}
    others = (
        each for each in answered[:end] if each.role == "system" and _texts(each) not in known
    )
    return [*others, *asked], answered[end:]


def _same(messages: Sequence[Message], others: Sequence[Message]) -> bool:
    return [(each.role, each.blocks) for each in messages] == [
        (each.role, each.blocks) for each in others
    ]
