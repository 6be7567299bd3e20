"""Convert conversations of chat logs to context elements and snapshots of variables.

=====================  =========================================================================
message                becomes
=====================  =========================================================================
system                 no element: the variable ``system``, in a snapshot at its place; a later
                       system message is appended to the text after a blank line
user                   a model input
assistant              a model output: reasoning, content and one request per tool call, in order
tool results           one model input per sequence of them, with one response each
=====================  =========================================================================

An assistant message with neither content nor calls becomes an output without blocks, so that no
turn is missing. Blank arguments of a call, which models send for a tool without parameters, become
an empty object. A call without an identifier gets one made of its place, and a result without one
answers the first open call of its tool.
"""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import chain, count, groupby, pairwise
from typing import Any, NoReturn, cast

from draive_pg.chat import OnError
from draive_pg.chat.conversation import (
    Block,
    Call,
    Conversation,
    Message,
    Result,
    Thought,
    Unreadable,
)
from draive_pg.chat.parts import as_text
from draive_pg.chat.times import in_order
from draive_pg.codec.elements import (
    Document,
    Untimed,
    content,
    model_input,
    model_output,
    outline,
    reasoning,
    text_part,
    tool_request,
    tool_response,
)
from draive_pg.codec.json import reason, storable
from draive_pg.codec.validation import is_integer, shown
from draive_pg.errors import ChatInvalid

NOT_CONTENT = (Thought, Call, Result, Unreadable)


@dataclass(slots=True)
class Element:
    """A context element of a conversation.

    Attributes
    ----------
    document : Document
        Its JSON document.
    created : datetime | None
        Its time; None for all elements of a conversation without times.
    source : str
        Its (first) message, as errors name it: ``message 4 (user)``.
    untimed : {"log", "import"} | None
        Where its time comes from if the message has none: from other times of the log, or from the
        import.
    """

    document: Document
    created: datetime | None
    source: str
    untimed: Untimed | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The variables from a place in the conversation on.

    Attributes
    ----------
    variables : Mapping[str, Any]
        All variables.
    position : int
        Number of elements before it.
    """

    variables: Mapping[str, Any]
    position: int


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation as context elements.

    Attributes
    ----------
    elements : Sequence[Element]
        The elements, in message order, each later than the one before.
    snapshots : Sequence[Snapshot]
        The variables and their changes.
    repairs : Sequence[str]
        What was repaired or left out, by message.
    has_later_times : bool
        True if a message had an earlier time than one before it, and got a later one.
    """

    elements: Sequence[Element]
    snapshots: Sequence[Snapshot]
    repairs: Sequence[str]
    has_later_times: bool


def convert(conversation: Conversation, on_error: OnError = "refuse") -> Chat:
    """Convert a conversation.

    Parameters
    ----------
    conversation : Conversation
        The conversation.
    on_error : {"refuse", "skip", "repair"}
        What to do with a message that cannot be represented completely: raise ChatInvalid, leave
        the message out, or keep what can be kept.

    Raises
    ------
    ChatInvalid
        If there is no message, or one is refused. The error names the number of the message, from
        1, and its role.
    """
    if not conversation.messages:
        raise ChatInvalid("the conversation has no messages")
    return _Conversion(conversation, on_error).run()


class _Skipped(Exception):
    """A message is left out."""


class _OpenCalls:
    """The tool calls without a result, as identifiers and tools, in order."""

    def __init__(self) -> None:
        self._added = 0
        # Ordered dictionaries, because finding the first item of another one whose first items
        # were removed takes as long as there were items. Those of before the last question apart.
        self._open: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self._old: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self._numbers: dict[str, list[int]] = {}  # of each identifier

    def copy(self) -> "_OpenCalls":
        copied = _OpenCalls()
        copied._added = self._added
        copied._open, copied._old = self._open.copy(), self._old.copy()
        copied._numbers = {each: [*numbers] for each, numbers in self._numbers.items()}
        return copied

    def add(self, identifier: str, tool: str) -> None:
        self._added += 1
        self._open[self._added] = identifier, tool
        self._numbers.setdefault(identifier, []).append(self._added)

    def ask(self) -> None:
        """Note a question: the calls before it were probably given up."""
        self._old |= self._open
        self._open.clear()

    def tools(self, identifier: str) -> Iterator[str]:
        """Yield the tools of the calls with an identifier."""
        for number in self._numbers.get(identifier, ()):
            yield self._calls(number)[number][1]

    def first(self, tool: str | None) -> tuple[str, str] | None:
        """Return the first call of a tool, or of any, preferably after the last question."""
        calls = chain(self._open.values(), self._old.values())
        return next((call for call in calls if tool in (None, call[1])), None)

    def answer(self, identifier: str, tool: str) -> None:
        """Remove the call with an identifier, preferably the one of a tool."""
        numbers = self._numbers.get(identifier)
        if numbers is None:
            return
        same = (number for number in numbers if self._calls(number)[number][1] == tool)
        answered = next(same, numbers[0])
        del self._calls(answered)[answered]
        numbers.remove(answered)
        if not numbers:
            del self._numbers[identifier]

    def _calls(self, number: int) -> OrderedDict[int, tuple[str, str]]:
        return self._open if number in self._open else self._old


class _Conversion:
    def __init__(self, conversation: Conversation, on_error: OnError) -> None:
        self._conversation = conversation
        self._on_error = on_error
        self._repairs: list[str] = []
        self._elements: list[Element] = []
        self._system: list[tuple[int, str]] = []
        self._tools: dict[str, str] = {}  # the tool of each call
        self._open = _OpenCalls()
        self._source = ""
        self._number = 0
        self._names: Iterator[str] = iter(())

    def run(self) -> Chat:
        for number, message in enumerate(self._conversation.messages, start=1):
            self._number = number
            self._names = _names(f"function_call_{number}")
            self._source = (
                f"message {number} ({message.label})" if message.label else f"message {number}"
            )
            try:
                self._add(message)
            except _Skipped:
                self._repairs.append(f"{self._source}: left out")
        snapshots = tuple(self._snapshots())
        elements = self._elements
        given = [each.created for each in elements]
        times = in_order(given, self._conversation.created)
        known = [time for time in given if time is not None]
        for index, element in enumerate(elements):
            if element.created is None:
                element.untimed = "import" if times is None else "log"
            element.created = None if times is None else times[index]
            try:
                # what draive cannot read would make the whole memory unreadable
                outline(element.document)
            except ValueError as error:
                raise ChatInvalid(f"{element.source}: {error}") from error
        descends = any(later < earlier for earlier, later in pairwise(known))
        return Chat(elements, snapshots, self._repairs, descends)

    def _fault(self, problem: str, repair: str) -> None:
        """Refuse or leave out the message, or note that it is repaired."""
        match self._on_error:
            case "refuse":
                raise ChatInvalid(f"{self._source}: {problem}")
            case "skip":
                self._repairs.append(f"{self._source}: {problem}")
                raise _Skipped
            case _:
                self._repairs.append(f"{self._source}: {problem}; {repair}")

    def _add(self, message: Message) -> None:
        if message.role == "system":
            self._add_system(message)
            return
        if message.role == "user" and not any(map(_is_result, message.blocks)):
            self._open.ask()
        elements = self._complete(message)
        if self._elements and _responds(elements[0]) and _responds(self._elements[-1]):
            previous = self._elements[-1]
            blocks: Sequence[Document] = elements.pop(0).document["blocks"]
            if message.created is not None and message.created != previous.created:
                created = {"created": message.created.isoformat()}
                blocks = [{**block, "meta": {**block["meta"], **created}} for block in blocks]
            previous.document["blocks"].extend(blocks)
        self._elements += elements

    def _complete(self, message: Message) -> list[Element]:
        """Build the elements of a message; the calls of one that is left out are forgotten."""
        if self._on_error != "skip":
            return self._message(message)
        calls, waiting = dict(self._tools), self._open.copy()
        try:
            return self._message(message)
        except _Skipped:
            self._tools, self._open = calls, waiting
            raise

    def _add_system(self, message: Message) -> None:
        for position, each in enumerate(message.blocks, start=1):
            block = self._readable(each)
            text = block.get("text") if isinstance(block, Mapping) else None
            if not isinstance(text, str):
                self._fault(f"part {position}: expected text only", "left out")
                continue
            self._system.append((len(self._elements), self._storable(text)))

    def _message(self, message: Message) -> list[Element]:
        """Build the elements of a message: results stand alone, everything else together."""
        build = model_output if message.role == "assistant" else model_input
        meta: Mapping[str, Any] = self._storable(message.meta)
        blocks = [self._readable(block) for block in message.blocks]
        if meta and blocks and all(map(_is_result, blocks)):
            # an element of results is shared with other messages, so their blocks have the meta
            first = cast("Result", blocks[0])
            blocks[0] = replace(first, meta={**meta, **first.meta})
        elements: list[Element] = []
        for responds, run in groupby(blocks, _is_result) if blocks else ((False, ()),):
            if responds:
                document = model_input(*(self._response(cast("Result", each)) for each in run))
            else:
                document = build(*self._content(run, is_input=build is model_input), meta=meta)
                meta = {}
            elements.append(Element(document, message.created, self._source))
        return elements

    def _readable(self, block: Block) -> Block:
        """Return a block that can be represented."""
        if not isinstance(block, Unreadable):
            return self._storable(block) if _is_part(block) else block
        self._fault(block.problem, "kept as text")
        return text_part(self._storable(as_text(block.value)), {"unreadable": True})

    def _content(self, blocks: Iterable[Block], *, is_input: bool) -> list[Document]:
        built: list[Document] = []
        parts: list[Document] | None = None  # of the last block, if it is content
        for block in blocks:
            if _is_part(block):
                if parts is None:
                    built.append({"type": "content", "parts": (parts := [])})
                parts.append(cast("Document", block))
                continue
            parts = None
            if is_input:
                self._fault("a user cannot call tools", "kept as text")
                built.append(content(text_part(as_text(asdict(cast("Any", block))))))
            elif isinstance(block, Thought):
                thought = reasoning(content(*map(self._storable, block.parts)))
                built.append({**thought, "meta": self._storable(block.meta)})
            else:
                built.append(self._request(cast("Call", block)))
        if is_input and not built:
            built.append(content())
        return built

    def _request(self, call: Call) -> Document:
        given = self._name(call.identifier, "the identifier of a tool call")
        identifier = self._storable(given or self._invented())
        tool = self._name(call.tool, "the tool of a call")
        tool = "unknown" if tool is None else tool
        meta = call.meta
        try:
            arguments = _arguments(call.arguments)
        except (ValueError, RecursionError) as error:
            self._fault(
                f"tool call {shown(identifier)}: expected arguments that are a JSON object:"
                f" {reason(error)}",
                "arguments kept as text",
            )
            arguments = {"arguments": as_text(call.arguments)}
            meta = {**meta, "unreadable": True}
        self._tools[identifier] = tool
        self._open.add(identifier, tool)
        request = tool_request(identifier, self._storable(tool), self._storable(arguments))
        return {**request, "meta": self._storable(meta)}

    def _invented(self) -> str:
        """Return an identifier for a call without one."""
        return next(name for name in self._names if name not in self._tools)

    def _name(self, value: object, what: str) -> str | None:
        """Return an identifier or a name, which a log may have of any type."""
        if value is None or isinstance(value, str):
            return value
        if is_integer(value):
            return str(value)
        self._fault(f"{what} must be text, not {shown(value)}", "kept as text")
        return as_text(value)

    def _response(self, result: Result) -> Document:
        named = self._name(result.call, "tool_call_id")
        call, tool = self._answered(named, self._name(result.tool, "the tool of a result"))
        parts: list[Document] = []
        for block in map(self._readable, result.parts):
            if isinstance(block, Mapping):
                parts.append(block)
            else:
                self._fault("a tool result has content only", "kept as text")
                parts.append(text_part(as_text(asdict(cast("Any", block)))))
        meta: Mapping[str, Any] = self._storable(result.meta)
        if call is None:
            identifier = self._storable(named or f"result_{self._number}")
            meta = {**meta, "orphaned": True}
        else:
            identifier = call
            self._open.answer(call, tool)
        response = tool_response(identifier, self._storable(tool), content(*parts))
        return {**response, "handling": "error" if result.failed else "response", "meta": meta}

    def _answered(self, named: str | None, tool: str | None) -> tuple[str | None, str]:
        """Return the call that a result answers, and the name of its tool."""
        if named is not None:
            call = self._storable(named)
            if call in self._tools:
                return call, tool or next(self._open.tools(call), self._tools[call])
            problem = f"tool_call_id {shown(call)} answers no earlier tool call"
        else:
            if waiting := self._open.first(tool):
                return waiting
            problem = "answers no earlier tool call"
            if tool is not None:
                problem = f"name {shown(tool)} {problem}"
        self._fault(problem, "kept, and marked as orphaned")
        return None, tool or "unknown"

    def _snapshots(self) -> Iterator[Snapshot]:
        variables = self._conversation.variables
        if self._on_error != "refuse" and (replaced := storable(variables)) is not variables:
            self._repairs.append(
                "variables: a NUL character or a lone surrogate replaced by U+FFFD"
            )
            variables = replaced
        texts: list[str] = []
        if variables and not any(position == 0 for position, _ in self._system):
            yield Snapshot(variables, 0)
        for position, found in groupby(self._system, key=lambda item: item[0]):
            texts += (text for _, text in found)
            yield Snapshot({**variables, "system": "\n\n".join(texts)}, position)

    def _storable[T](self, value: T) -> T:
        """Replace characters that PostgreSQL cannot store; without repairs, the writer refuses."""
        if self._on_error == "refuse":
            return value
        replaced = storable(value)
        if replaced is not value:
            self._fault("a NUL character or a lone surrogate", "replaced by U+FFFD")
        return cast("T", replaced)


def _names(first: str) -> Iterator[str]:
    """Yield identifiers for the calls of a message that have none."""
    yield first
    yield from (f"{first}_{number}" for number in count(2))


def _is_result(block: Block) -> bool:
    return isinstance(block, Result)


def _responds(element: Element) -> bool:
    blocks = element.document["blocks"]
    return bool(blocks) and blocks[0]["type"] == "tool_response"


def _is_part(block: Block) -> bool:
    return not isinstance(block, NOT_CONTENT)


def _arguments(value: Any) -> Mapping[str, Any]:
    if value is None or (isinstance(value, str) and not value.strip()):
        return {}
    decoded = ARGUMENTS.decode(value) if isinstance(value, str) else value
    match decoded:
        case Mapping() if all(
            isinstance(key, str) for key in cast("Mapping[object, Any]", decoded)
        ):
            return cast("Mapping[str, Any]", decoded)
        case _:
            raise ValueError(f"found {shown(decoded)}")


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


ARGUMENTS = json.JSONDecoder(parse_constant=_not_json)
