"""Exports of tracing tools: Langfuse observations and traces, LangSmith runs."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import SESSIONS, Fields, Format, Need, Reader
from draive_pg.chat.parts import rest
from draive_pg.chat.roles import text_message, time_and_others

KEYS = ("identifier", "custom_id", "id", "uuid")  # of one exchange
LANGFUSE = ("traceId", "trace_id", "observations", "startTime", "htmlPath", "projectId")


def _has_both(fields: Fields, question: str, answer: str) -> bool:
    return _is_value(fields.get(question)) and _is_value(fields.get(answer))


def _is_value(value: Any) -> bool:
    return isinstance(value, str | list | dict) and bool(value)


OBSERVATIONS = Format(
    "langfuse",
    "Langfuse traces and observations",
    (
        Need("input and output", lambda fields: _has_both(fields, "input", "output")),
        Need(
            f"one of {', '.join(LANGFUSE)}",
            lambda fields: any(name in fields for name in LANGFUSE),
        ),
    ),
    lambda fields, reader: reader.logged(fields, keep_json=True),
)


def _generations(fields: Fields) -> list[Fields]:
    found = fields.get("observations")
    return [
        each
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, dict) and _has_both(each, "input", "output")
    ]


def _read_trace(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    """Read each observation with the fields of the trace, such as its session and user."""
    about = rest(fields, "id", "observations", "input", "output")
    for each in _generations(fields):
        yield from reader.logged({**about, **rest(each)}, keep_json=True)


TRACES = Format(
    "langfuse-trace",
    "Langfuse traces without input and output: each observation with both is a conversation",
    (Need("observations with input and output", lambda fields: bool(_generations(fields))),),
    _read_trace,
)

RUNS = Format(
    "langsmith",
    "LangSmith runs and examples",
    (Need("inputs and outputs", lambda fields: _has_both(fields, "inputs", "outputs")),),
    lambda fields, reader: reader.logged(fields, keep_json=True),
)

QUESTIONS = ("input", "prompt", "question", "query", "request")
ANSWERS = ("output", "response", "answer", "completion")


def is_exchange(value: Any) -> bool:
    """Return True for a row of a session with the texts of a question and its answer."""
    return (
        isinstance(value, Mapping)
        and not any(name in value for name in (*KEYS, "messages"))
        and any(isinstance(value.get(name), str | int) for name in SESSIONS)
        and None not in (_text_name(value, QUESTIONS), _text_name(value, ANSWERS))
    )


def _text_name(fields: Fields, names: Sequence[str]) -> str | None:
    return next((name for name in names if isinstance(fields.get(name), str)), None)


def _messages(fields: Fields) -> Sequence[Message]:
    question, answer = (str(_text_name(fields, names)) for names in (QUESTIONS, ANSWERS))
    created, others = time_and_others(fields)
    meta = rest(others, question, answer, *SESSIONS)
    asked = replace(text_message("user", fields[question]), created=created)
    return [asked, replace(text_message("assistant", fields[answer]), meta=meta)]


EXCHANGE = Format(
    "input-output",
    "Logged requests: input and output, or question and answer",
    (
        Need(
            "input and output, prompt and response, or question and answer",
            lambda fields: any(
                _has_both(fields, question, answer) for question in QUESTIONS for answer in ANSWERS
            ),
        ),
    ),
    lambda fields, reader: reader.logged(fields, keep_json=True),
    is_message=is_exchange,
    messages=_messages,
)
