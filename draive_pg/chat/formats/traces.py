"""Exports of tracing tools: Langfuse observations and traces, LangSmith runs."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from typing import Any

from draive_pg.chat.formats.format import Fields, Format, Need

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
    lambda fields, reader: reader.logged(fields),
)


def _generations(fields: Fields) -> list[Fields]:
    found = fields.get("observations")
    return [
        each
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, dict) and _has_both(each, "input", "output")
    ]


TRACES = Format(
    "langfuse-trace",
    "Langfuse traces without input and output: each observation with both is a conversation",
    (Need("observations with input and output", lambda fields: bool(_generations(fields))),),
    lambda fields, reader: (
        found for each in _generations(fields) for found in reader.logged(each)
    ),
)

RUNS = Format(
    "langsmith",
    "LangSmith runs and examples",
    (Need("inputs and outputs", lambda fields: _has_both(fields, "inputs", "outputs")),),
    lambda fields, reader: reader.logged(fields),
)

EXCHANGE = Format(
    "input-output",
    "Logged requests: input and output, or question and answer",
    (
        Need(
            "input and output, prompt and response, or question and answer",
            lambda fields: any(
                _has_both(fields, question, answer)
                for question in ("input", "prompt", "question", "query", "request")
                for answer in ("output", "response", "answer", "completion")
            ),
        ),
    ),
    lambda fields, reader: reader.logged(fields),
)
