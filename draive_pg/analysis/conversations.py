"""Turns, unanswered conversations, activity over time."""

from typing import Any, Literal, cast
from warnings import deprecated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from draive_pg.analysis.inputs import prepared, untimed
from draive_pg.dataframes import np, pd

type Period = Literal["hour", "day", "week", "month"]

FREQUENCIES = {"hour": "h", "day": "D", "week": "W-SUN", "month": "M"}
MAX_PERIODS = 10_000_000  # 1 GB; a single wrong time may be in any year

ELEMENT = ("identifier", "position", "created", "role", "tool_requests", "tool_responses")


def turns(log: pd.DataFrame) -> pd.DataFrame:
    """Return one row per turn: a question of the user, and the time until its answer.

    A turn starts with an input without tool responses and ends before the next one. Elements before
    the first question, such as a greeting, belong to no turn.

    Parameters
    ----------
    log : DataFrame
        `conversation_log` of whole memories: ``identifier``, ``position``, ``created``, ``role``,
        ``tool_requests``, ``tool_responses``, ``n_chars``; with ``meta``, elements of imported
        logs without times are known, and their ``seconds`` are missing; without ``text``,
        ``question`` and ``answer`` are missing.

    Returns
    -------
    DataFrame
        The columns of `Analysis.turns`.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> turns(pd.read_parquet("log.parquet"))["seconds"].median()
    """
    ordered = _in_order(prepared(log, *ELEMENT, "n_chars"))
    starts = _starts_turn(ordered)
    without_time = untimed(log)[ordered.index]
    answers = (ordered["role"] == "output") & (ordered["tool_requests"] == 0)
    texts = (
        prepared(log, "text")["text"] if "text" in log else pd.Series(index=log.index, dtype="str")
    )
    marked = ordered.assign(
        turn=starts.groupby(ordered["identifier"], sort=False).cumsum() - 1,
        answered=ordered["created"].where(answers),
        ended=ordered["created"].where(answers & ~without_time),
        untimed=without_time,
        question=texts[ordered.index].where(starts),
        answer=texts[ordered.index].where(answers),
        question_chars=ordered["n_chars"].where(starts, 0),
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
            question=("question", "first"),
            answer=("answer", _joined),
            question_chars=("question_chars", "sum"),
            answer_chars=("answer_chars", "sum"),
            ended=("ended", "max"),
            untimed=("untimed", "first"),
        )
        .reset_index()
    )
    seconds = (found["ended"] - found["asked"]).dt.total_seconds().where(~found["untimed"])
    found.insert(5, "seconds", seconds)
    return found.drop(columns=["ended", "untimed"]).astype({"question": "str", "answer": "str"})


def unanswered(log: pd.DataFrame) -> pd.DataFrame:
    """Return one row per conversation that does not end with an answer of the model.

    Parameters
    ----------
    log : DataFrame
        `conversation_log` of whole memories: ``identifier``, ``position``, ``created``, ``role``,
        ``tools``, ``tool_requests``, ``tool_responses``, ``text``.

    Returns
    -------
    DataFrame
        The columns of `Analysis.unanswered`.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> unanswered(pd.read_parquet("log.parquet"))["ended"].value_counts()
    """
    ordered = _in_order(prepared(log, *ELEMENT, "tools", "text"))
    last = ordered.groupby("identifier", sort=False).tail(1)
    ended = (
        pd.Series("question", index=last.index, dtype="str")
        .mask(last["tool_requests"] > 0, "tool request")
        .mask(last["tool_responses"] > 0, "tool response")
    )
    found = last.assign(ended=ended, text=last["text"].fillna(""))
    found = found[(last["role"] != "output") | (last["tool_requests"] > 0)].reset_index(drop=True)
    return found[["identifier", "position", "created", "ended", "tools", "text"]]


@deprecated("draive_pg.analysis.abandoned() is deprecated: write unanswered()")
def abandoned(log: pd.DataFrame) -> pd.DataFrame:
    """Return the result of `unanswered`, which replaces this function."""
    return unanswered(log)


def activity(log: pd.DataFrame, by: Period = "day", timezone: str = "UTC") -> pd.DataFrame:
    """Return one row per hour, day, week or month, including those without any element.

    Parameters
    ----------
    log : DataFrame
        `conversation_log`: ``identifier``, ``created``, ``role``, ``tool_requests``,
        ``tool_responses``; with ``meta``, elements of imported logs without any time are left out.
    by : {"hour", "day", "week", "month"}
        Length of a period; weeks start on Monday.
    timezone : str
        IANA time zone in which periods start, for example ``"Europe/Warsaw"``.

    Returns
    -------
    DataFrame
        The columns of `Analysis.activity`.

    Raises
    ------
    ValueError
        If a column is missing, for an unknown period or time zone, or for more than 10,000,000
        periods.

    Examples
    --------
    >>> activity(pd.read_parquet("log.parquet"), by="week").plot(x="start", y="turns")
    """
    check_period(by, timezone)
    elements = prepared(log, *(column for column in ELEMENT if column != "position"))
    timed = elements[elements["created"].notna() & ~untimed(log, only_import=True)]
    local = timed["created"].dt.tz_convert(timezone).dt.tz_localize(None)
    found = (
        timed.assign(period=local.dt.to_period(FREQUENCIES[by]), starts=_starts_turn(timed))
        .groupby("period")
        .agg(
            memories=("identifier", "nunique"),
            turns=("starts", "sum"),
            elements=("identifier", "size"),
            tool_calls=("tool_requests", "sum"),
        )
    )
    if len(found):
        first, last = found.index[0], found.index[-1]
        if (count := last.ordinal - first.ordinal + 1) > MAX_PERIODS:
            raise ValueError(
                f"{count:,} periods from {first} to {last} are too many: choose since= and until=, "
                "or longer periods"
            )
        found = found.reindex(pd.period_range(first, last), fill_value=0)
    # An ambiguous hour is that of standard time, a nonexistent one is shifted forward.
    periods = cast("pd.PeriodIndex", found.index)
    start = periods.to_timestamp().tz_localize(
        timezone, ambiguous=np.zeros(len(found), dtype=bool), nonexistent="shift_forward"
    )
    found.insert(0, "start", start.as_unit("us"))
    found.insert(1, "weekday", start.day_of_week.astype("int64"))
    found.insert(2, "hour", start.hour.astype("int64"))
    return found.reset_index(drop=True)


def check_period(by: str, timezone: str) -> None:
    """Raise ValueError for an unknown period or time zone."""
    if by not in FREQUENCIES:
        raise ValueError(f"by must be one of {', '.join(FREQUENCIES)}, not {by!r:.60}")
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(
            f"timezone must be a name such as 'Europe/Warsaw', not {timezone!r:.60}"
        ) from None


def _in_order(log: pd.DataFrame) -> pd.DataFrame:
    return log.sort_values(["identifier", "position"], kind="stable")


def _starts_turn(log: pd.DataFrame) -> "pd.Series[Any]":
    """Return which elements start a turn."""
    return (log["role"] == "input") & (log["tool_responses"] == 0)


def _joined(texts: "pd.Series[str]") -> str | None:
    """Return texts as lines, None if there are none."""
    found = [text for text in texts if isinstance(text, str)]  # dropna takes 1 ms per group
    return "\n".join(found) if found else None
