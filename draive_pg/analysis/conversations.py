"""How conversations went: turns, ends, activity over time."""

from typing import Any, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

__all__ = ("Period", "abandoned", "activity", "check_period", "turns")

type Period = Literal["hour", "day", "week", "month"]

STARTS = {"hour": "h", "day": "D", "week": "W-SUN", "month": "M"}

# How a conversation can end that nobody finished, by its last element.
QUESTION, REQUEST, RESPONSE = "question", "tool request", "tool response"


def turns(log: pd.DataFrame) -> pd.DataFrame:
    """Return a row a turn: what a user asked, and how long the answer took.

    A turn begins with an input that answers no tool, and holds all until the next one. What comes
    before the first, such as a greeting, belongs to none.

    Parameters
    ----------
    log : DataFrame
        Of `conversation_log`: whole memories, with the columns ``identifier``, ``position``,
        ``created``, ``role``, ``tool_requests``, ``tool_responses`` and ``n_chars``.

    Returns
    -------
    DataFrame
        ``identifier``, ``turn`` (from 0), ``position`` (of its first element), ``asked``,
        ``answered`` (when the last output without a tool request was written; missing where there
        is none), ``seconds`` between the two, ``elements``, ``tool_calls``, ``question_chars``,
        ``answer_chars``.
    """
    ordered = _in_order(log)
    asks = _asks(ordered)
    answers = (ordered["role"] == "output") & (ordered["tool_requests"] == 0)
    marked = ordered.assign(
        turn=asks.groupby(ordered["identifier"], sort=False).cumsum() - 1,
        answered=ordered["created"].where(answers),
        question_chars=ordered["n_chars"].where(asks, 0),
        answer_chars=ordered["n_chars"].where(answers, 0),
    )
    found = (
        marked[marked["turn"] >= 0]
        .groupby(["identifier", "turn"], sort=False)
        .agg(
            position=("position", "first"),
            asked=("created", "first"),
            answered=("answered", "max"),
            elements=("position", "size"),
            tool_calls=("tool_requests", "sum"),
            question_chars=("question_chars", "sum"),
            answer_chars=("answer_chars", "sum"),
        )
        .reset_index()
    )
    found.insert(5, "seconds", (found["answered"] - found["asked"]).dt.total_seconds())
    return found


def abandoned(log: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each conversation that ended before the model had the last word.

    Parameters
    ----------
    log : DataFrame
        Of `conversation_log`: whole memories, with the columns ``identifier``, ``position``,
        ``created``, ``role``, ``tools``, ``tool_requests``, ``tool_responses`` and ``text``.

    Returns
    -------
    DataFrame
        ``identifier``, ``position`` and ``created`` of the last element, ``ended`` (what that is:
        ``question``, ``tool request`` or ``tool response``), its ``tools`` and its ``text``.
    """
    last = _in_order(log).groupby("identifier", sort=False).tail(1)
    ended = pd.Series(QUESTION, index=last.index, dtype="str")
    ended = ended.mask(last["tool_requests"] > 0, REQUEST).mask(
        last["tool_responses"] > 0, RESPONSE
    )
    unfinished = (last["role"] != "output") | (last["tool_requests"] > 0)
    found = last.assign(ended=ended)[unfinished].reset_index(drop=True)
    return found[["identifier", "position", "created", "ended", "tools", "text"]]


def activity(log: pd.DataFrame, by: Period = "day", timezone: str = "UTC") -> pd.DataFrame:
    """Return a row for each hour, day, week or month, also those in which nothing happened.

    Parameters
    ----------
    log : DataFrame
        Of `conversation_log`, with the columns ``identifier``, ``created``, ``role``,
        ``tool_requests`` and ``tool_responses``.
    by : {"hour", "day", "week", "month"}
        How long a period is; weeks begin on Monday.
    timezone : str
        Where days begin at midnight: ``Europe/Warsaw``.

    Returns
    -------
    DataFrame
        ``start`` of the period (in that time zone), ``weekday`` (0 is Monday) and ``hour`` of it,
        ``memories`` that had elements in it, ``turns``, ``elements``, ``tool_calls``.
    """
    check_period(by, timezone)
    timed = log[log["created"].notna()]
    local = timed["created"].dt.tz_convert(timezone).dt.tz_localize(None)  # on the clocks there
    found = (
        timed.assign(period=local.dt.to_period(STARTS[by]), asks=_asks(timed))
        .groupby("period")
        .agg(
            memories=("identifier", "nunique"),
            turns=("asks", "sum"),
            elements=("identifier", "size"),
            tool_calls=("tool_requests", "sum"),
        )
    )
    if len(found):
        found = found.reindex(pd.period_range(found.index[0], found.index[-1]), fill_value=0)
    # An hour that clocks skip or repeat is that of standard time.
    periods = cast("pd.PeriodIndex", found.index)
    start = periods.to_timestamp().tz_localize(
        timezone, ambiguous=np.zeros(len(found), dtype=bool), nonexistent="shift_forward"
    )
    found.insert(0, "start", start.as_unit("us"))
    found.insert(1, "weekday", start.day_of_week.astype("int64"))
    found.insert(2, "hour", start.hour.astype("int64"))
    return found.reset_index(drop=True)


def check_period(by: str, timezone: str) -> None:
    """Raise ValueError for a period or a time zone that there is not."""
    if by not in STARTS:
        raise ValueError(f"by must be one of {', '.join(STARTS)}, not {by!r:.60}")
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(
            f"timezone must be a name such as 'Europe/Warsaw', not {timezone!r:.60}"
        ) from None


def _in_order(log: pd.DataFrame) -> pd.DataFrame:
    return log.sort_values(["identifier", "position"], kind="stable")


def _asks(log: pd.DataFrame) -> "pd.Series[Any]":
    """Tell which elements begin a turn."""
    return (log["role"] == "input") & (log["tool_responses"] == 0)
