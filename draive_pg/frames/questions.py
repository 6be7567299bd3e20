"""What analysts ask, as values: the frames to read, and what `draive_pg.analysis` makes of them."""

from functools import partial
from typing import TYPE_CHECKING, Any

from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_timestamp
from draive_pg.frames.conversations import CONVERSATION_LOG, TOOL_CALLS, VARIABLES
from draive_pg.frames.query import OneOrMany as Several
from draive_pg.frames.query import read
from draive_pg.frames.revisions import CONFIGURATIONS, INSTRUCTION_REVISIONS
from draive_pg.operations.operation import Call, Steps, Workflow, workflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from pandas import DataFrame

    from draive_pg.analysis import Period
    from draive_pg.operations.copy import Copy

__all__ = (
    "abandoned",
    "activity",
    "live_configurations",
    "live_instructions",
    "repeated_calls",
    "tools",
    "turns",
    "variable_changes",
)

# Of the log, what tells elements apart, and what belongs to turns.
ELEMENT = ("identifier", "position", "created", "role")
TURN = (*ELEMENT, "tool_requests", "tool_responses")


def turns(
    identifier: Several | None, since: Timestamp | None, until: Timestamp | None
) -> Workflow["DataFrame"]:
    """A row a turn; of those that were asked in a time."""

    within = _within(since, until)

    def answer(log: "DataFrame") -> "DataFrame":
        from draive_pg import analysis

        return within(analysis.turns(log), "asked")

    return _compute(
        answer, read(CONVERSATION_LOG, identifier=identifier, columns=(*TURN, "n_chars"))
    )


def abandoned(
    identifier: Several | None, since: Timestamp | None, until: Timestamp | None
) -> Workflow["DataFrame"]:
    """A row a conversation that broke off; of those whose last element is of a time."""

    within = _within(since, until)

    def answer(log: "DataFrame") -> "DataFrame":
        from draive_pg import analysis

        return within(analysis.abandoned(log), "created")

    wanted = (*TURN, "tools", "text")
    return _compute(answer, read(CONVERSATION_LOG, identifier=identifier, columns=wanted))


def activity(
    by: "Period",
    timezone: str,
    identifier: Several | None,
    since: Timestamp | None,
    until: Timestamp | None,
) -> Workflow["DataFrame"]:
    """A row an hour, day, week or month."""
    from draive_pg import analysis

    analysis.check_period(by, timezone)

    def answer(log: "DataFrame") -> "DataFrame":
        return analysis.activity(log, by, timezone)

    return _compute(
        answer,
        read(CONVERSATION_LOG, identifier=identifier, since=since, until=until, columns=TURN),
    )


def tools(
    failure: str | None,
    identifier: Several | None,
    since: Timestamp | None,
    until: Timestamp | None,
) -> Workflow["DataFrame"]:
    """A row a tool."""
    from draive_pg import analysis

    pattern = analysis.check_failure(analysis.FAILURE if failure is None else failure)

    def answer(calls: "DataFrame") -> "DataFrame":
        return analysis.tools(calls, pattern)

    return _compute(answer, read(TOOL_CALLS, identifier=identifier, since=since, until=until))


def repeated_calls(
    identifier: Several | None, since: Timestamp | None, until: Timestamp | None
) -> Workflow["DataFrame"]:
    """A row a call that was made several times."""

    def answer(calls: "DataFrame") -> "DataFrame":
        from draive_pg import analysis

        return analysis.repeated_calls(calls)

    wanted = ("identifier", "position", "tool", "arguments")
    calls = read(TOOL_CALLS, identifier=identifier, since=since, until=until, columns=wanted)
    return _compute(answer, calls)


def variable_changes(
    identifier: Several | None, since: Timestamp | None, until: Timestamp | None
) -> Workflow["DataFrame"]:
    """A row a variable that changed; of the changes of a time."""

    within = _within(since, until)

    def answer(variables: "DataFrame") -> "DataFrame":
        from draive_pg import analysis

        return within(analysis.variable_changes(variables), "created")

    return _compute(answer, read(VARIABLES, identifier=identifier))


def live_instructions(
    name: Several | None,
    identifier: Several | None,
    since: Timestamp | None,
    until: Timestamp | None,
) -> Workflow["DataFrame"]:
    """A row an element and a name, with the revision that was live."""
    revisions = read(
        INSTRUCTION_REVISIONS, identifier=name, columns=("name", "revision", "created")
    )
    return _live(revisions, identifier, since, until)


def live_configurations(
    configuration: Several | None,
    identifier: Several | None,
    since: Timestamp | None,
    until: Timestamp | None,
) -> Workflow["DataFrame"]:
    """A row an element and a configuration, with the snapshot that was live."""
    wanted = ("identifier", "revision", "created")
    return _live(
        read(CONFIGURATIONS, identifier=configuration, columns=wanted), identifier, since, until
    )


def _live(
    revisions: Any, identifier: Several | None, since: Timestamp | None, until: Timestamp | None
) -> Workflow["DataFrame"]:
    def answer(log: "DataFrame", revisions: "DataFrame") -> "DataFrame":
        from draive_pg import analysis

        return analysis.live_revisions(log, revisions)

    log = read(CONVERSATION_LOG, identifier=identifier, since=since, until=until, columns=ELEMENT)
    return _compute(answer, log, revisions)


@workflow
def _compute(answer: "Callable[..., DataFrame]", *copies: "Copy[DataFrame]") -> "Steps[DataFrame]":
    """Read frames, and compute another from them outside the event loop."""
    frames: list[DataFrame] = []
    for copy in copies:
        frames.append((yield copy))  # noqa: PERF401 - a comprehension cannot yield
    return (yield Call(partial(answer, *frames)))


def _within(
    since: Timestamp | None, until: Timestamp | None
) -> "Callable[[DataFrame, str], DataFrame]":
    """Return a filter on a time column, for rows that are computed from all others."""
    start, end = check_timestamp(since, "since"), check_timestamp(until, "until")

    def within(found: Any, column: str) -> "DataFrame":
        if start is not None:
            found = found[found[column] >= start]
        if end is not None:
            found = found[found[column] < end]
        return found.reset_index(drop=True)

    return within
