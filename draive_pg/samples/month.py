"""Generate a month of support conversations from the sample chats, with times.

The result is deterministic. It has busy hours and days, slow tools, an outage, customers who leave,
a prompt whose second revision made things worse and was reverted, and a larger, slower model.
Tokens are estimated from the number of characters.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, LiteralString

from draive_pg.chat.convert import Element, convert
from draive_pg.chat.reader import read_messages
from draive_pg.client import Client
from draive_pg.codec.failures import failed
from draive_pg.operations.operation import Key, Operation, Statement
from draive_pg.samples import Conversation
from draive_pg.samples import conversations as sample_conversations

type Message = dict[str, Any]

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAYS = 28
HOURS = (0, 0, 0, 0, 0, 0, 1, 3, 6, 9, 12, 11, 7, 6, 8, 9, 11, 12, 9, 6, 4, 2, 1, 0)  # weights
DAILY = (15, 13, 12, 13, 17, 26, 22)  # conversations, from Monday on

FIRST = (
    "You are the support assistant of Brambleford Bikes. Look things up before you promise them. "
    "Answer in the language of the customer."
)
THOROUGH = f"{FIRST} Before you look anything up, ask for the booking, the name and the reason."
KIND = f"{FIRST} If a tool fails, say so and offer a call back."

BEFORE = timedelta(days=-3)
WORSE = START + timedelta(days=8, hours=10)
REVERTED = START + timedelta(days=17, hours=15, minutes=30)
LARGER = START + timedelta(days=14, hours=12)

PROMPTS: Sequence[tuple[datetime, str, str]] = (
    (START + BEFORE, "support", FIRST),
    (WORSE, "support", THOROUGH),
    (REVERTED, "support", FIRST),
    (START + timedelta(days=23, hours=9), "support", KIND),
)
CONFIGURATIONS: Sequence[tuple[datetime, str, dict[str, Any]]] = (
    (START + BEFORE, "support.model", {"model": "small", "temperature": 0.3}),
    (LARGER, "support.model", {"model": "large", "temperature": 0.3}),
)

# The booking system was down on a Saturday.
OUTAGE = (START + timedelta(days=12, hours=9), START + timedelta(days=12, hours=18))
OUTAGE_TOOLS = frozenset({"check_stock", "find_booking", "create_booking", "change_booking"})
OUTAGE_RESPONSE = json.dumps(
    {"error": "timeout", "message": "booking system did not answer within 10 s"}
)
OUTAGE_SECONDS = 10.0

# Inserts with a time in the past, which no public method writes.
DEFINED = """
INSERT INTO {schema}.instructions (name, content, created)
VALUES ($1::TEXT, $2::TEXT, $3::TIMESTAMPTZ)
ON CONFLICT DO NOTHING
"""
CONFIGURED = """
INSERT INTO {schema}.configurations (identifier, content, created)
VALUES ($1::TEXT, $2::JSONB, $3::TIMESTAMPTZ)
ON CONFLICT DO NOTHING
"""

PROMPT_TOKENS = 350  # of the prompt and the declarations of the tools

CHANNELS = ("web", "web", "web", "app", "app", "phone")


@dataclass
class SampleConversation:
    """One conversation: its messages with the times at which they were written.

    Attributes
    ----------
    identifier : str
        Identifier of its memory.
    messages : list of (datetime, Message)
        OpenAI-style messages, oldest first, without system messages.
    variables : list of (datetime, dict)
        Variables at the beginning and, if the customer stayed, at the end.
    """

    identifier: str
    messages: list[tuple[datetime, Message]] = field(default_factory=list[tuple[datetime, Message]])
    variables: list[tuple[datetime, dict[str, Any]]] = field(
        default_factory=list[tuple[datetime, dict[str, Any]]]
    )


def load(db: Client) -> None:
    """Write the month into the tables of a client; repeating it changes nothing.

    Parameters
    ----------
    db : Client
        The client, preferably with a schema of its own.
    """
    with tempfile.TemporaryDirectory(prefix="draive-pg-") as folder:
        path = Path(folder) / "month.jsonl"
        path.write_text("".join(f"{_line(each)}\n" for each in conversations()), encoding="utf-8")
        db.memories.import_memories(path)
    run = db._database.run  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - no method does it
    for created, name, content in PROMPTS:
        run(_past("instructions", DEFINED, name, content, created))
    for created, identifier, document in CONFIGURATIONS:
        content = json.dumps(document)
        run(_past("configurations", CONFIGURED, identifier, content, created))


def conversations() -> Iterator[SampleConversation]:
    """Yield the conversations in order of their start."""
    random = Random(20260302)  # noqa: S311 - a sample, not a secret
    chats = sample_conversations()
    for day in range(DAYS):
        date = START + timedelta(days=day)
        count = round(random.gauss(DAILY[day % 7], 2))
        hours = random.choices(range(24), HOURS, k=count)
        starts = sorted(
            date + timedelta(hours=hour, seconds=random.uniform(0, 3600)) for hour in hours
        )
        for number, start in enumerate(starts, start=1):
            yield _simulate(f"{date:%Y-%m-%d}-{number:02}", start, random.choice(chats), random)


def _simulate(
    identifier: str, start: datetime, chat: Conversation, random: Random
) -> SampleConversation:
    result = SampleConversation(identifier)
    customer: dict[str, Any] = {
        "customer": f"customer-{random.randint(1, 180):03}",
        "channel": random.choice(CHANNELS),
    }
    result.variables.append((start, customer))
    worse = WORSE <= start < REVERTED
    messages = _with_repetitions(chat.messages, random, likely=0.12 if worse else 0.03)
    stays = random.random() > (0.22 if worse else 0.07)
    ends = [n for n, message in enumerate(messages, start=1) if not _answers(message)]
    last = len(messages) if stays else random.choice(ends)
    now, failures = start, 0
    tools = {
        call["id"]: call["function"]["name"]
        for message in messages
        for call in message.get("tool_calls") or ()
    }
    for original in messages[:last]:
        message = original
        now += timedelta(seconds=_seconds(message, now, random))
        out = OUTAGE[0] <= now < OUTAGE[1]
        if out and tools.get(message.get("tool_call_id", "")) in OUTAGE_TOOLS:
            now += timedelta(seconds=OUTAGE_SECONDS)
            message = {**message, "content": OUTAGE_RESPONSE}
        failures += message["role"] == "tool" and failed(None, str(message["content"]))
        result.messages.append((now, message))
    if stays:
        stars = min(5, max(1, round(random.gauss(4.6 - 1.2 * failures - 0.5 * worse, 0.7))))
        result.variables.append((now, {**customer, "stars": stars}))
    return result


def _with_repetitions(messages: Sequence[Any], random: Random, *, likely: float) -> list[Message]:
    """Drop system messages, and repeat some tool calls, as models do."""
    result: list[Message] = []
    before: Message = {}
    thanks = messages[-1]["role"] == "user"  # the customer wrote last and expects no answer
    for message in messages[: -1 if thanks else None]:
        if message["role"] in ("system", "developer"):
            continue
        result.append(message)
        if message["role"] == "tool" and len(before.get("tool_calls") or ()) == 1:
            while random.random() < likely:
                result += [before, message]
        before = message
    return result


def _answers(message: Message) -> bool:
    return message["role"] == "assistant" and not message.get("tool_calls")


def _seconds(message: Message, now: datetime, random: Random) -> float:
    """Return how many seconds a message takes."""
    match message["role"]:
        case "user":
            return random.lognormvariate(3.3, 0.8)
        case "tool":
            return random.lognormvariate(-0.4, 0.6)
        case _:
            spoken = len(message.get("content") or "")
            speed = 0.035 if now >= LARGER else 0.015
            return random.lognormvariate(0.3, 0.3) + spoken * speed


def _line(conversation: SampleConversation) -> str:
    """Return a conversation as a line of an export file."""
    chat = convert(read_messages([message for _, message in conversation.messages]))
    return json.dumps(
        {
            "identifier": conversation.identifier,
            "created": conversation.variables[0][0].isoformat(),
            "variables": [
                {"created": created.isoformat(), "content": content}
                for created, content in conversation.variables
            ],
            "elements": [*_elements(conversation, chat.elements)],
        }
    )


def _elements(conversation: SampleConversation, elements: Sequence[Element]) -> Iterator[Message]:
    """Yield elements as in an export file, those of the model with its name and its tokens."""
    read = PROMPT_TOKENS
    for element in elements:
        number = int(element.source.split()[1])  # of "message 4 (user)"
        created, message = conversation.messages[number - 1]
        document = _marked(json.loads(json.dumps(element.document)))
        said = sum(len(str(message.get(key) or "")) for key in ("content", "tool_calls")) // 4
        if document["type"] == "model_output":
            model = "large" if created >= LARGER else "small"
            usage = {"input_tokens": read, "output_tokens": said}
            document["meta"] = {"model": model, "usage": usage}
        read += said
        yield {"created": created.isoformat(), "content": document}


def _marked(element: dict[str, Any]) -> dict[str, Any]:
    """Set the handling of failed tool responses to ``error``, as draive does."""
    for block in element["blocks"]:
        if block["type"] == "tool_response":
            said = "".join(part.get("text", "") for part in block["content"]["parts"])
            if failed(None, said):
                block["handling"] = "error"
    return element


def _past(
    table: str, sql: LiteralString, name: str, content: str, created: datetime
) -> Operation[None]:
    return Operation(
        name=f"insert a sample into {table} {name!r}",
        statements=(Statement(sql, (name, content, created)),),
        invalidates=(Key(table), Key(table, name)),
    )
