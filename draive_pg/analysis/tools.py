"""How tools were used: how often, how fast, and how often in vain."""

import json
import re

import pandas as pd

__all__ = ("FAILURE", "check_failure", "repeated_calls", "tools")

# What a response begins with that tells of a failure. Chat logs do not mark those otherwise.
FAILURE = r'\s*(?:\{\s*"error"|error\b)'


def tools(calls: pd.DataFrame, failure: str = FAILURE) -> pd.DataFrame:
    """Return a row a tool, the most used first.

    Parameters
    ----------
    calls : DataFrame
        Of `tool_calls`.
    failure : str
        A regular expression. A call failed if its response was handled as an error, or begins
        with this, in letters of either case.

    Returns
    -------
    DataFrame
        ``tool``, ``calls``, ``memories`` it was called in, ``answered``, ``failures``,
        ``failure_rate`` (of those that were answered), ``repeated`` (calls that had been made in
        the same memory with the same arguments before), ``seconds_median`` and ``seconds_p95``
        from request to response.

    Raises
    ------
    ValueError
        If ``failure`` is no regular expression.
    """
    tells = calls["response"].str.match(check_failure(failure), case=False).eq(True)  # noqa: FBT003 - or missing
    failed = (calls["handling"] == "error") | tells
    asked = calls.assign(failed=failed, again=_asked(calls).duplicated())
    found = (
        asked.groupby("tool")
        .agg(
            calls=("call", "size"),
            memories=("identifier", "nunique"),
            answered=("responded", "count"),
            failures=("failed", "sum"),
            repeated=("again", "sum"),
            seconds_median=("seconds", "median"),
            seconds_p95=("seconds", _p95),
        )
        .reset_index()
    )
    found.insert(
        5, "failure_rate", found["failures"] / found["answered"].where(found["answered"] > 0)
    )
    return found.sort_values(["calls", "tool"], ascending=[False, True], ignore_index=True)


def repeated_calls(calls: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each call that was made several times in a memory with the same arguments.

    Parameters
    ----------
    calls : DataFrame
        Of `tool_calls`.

    Returns
    -------
    DataFrame
        ``identifier``, ``tool``, ``arguments``, ``times``, and ``first`` and ``last``, the
        positions of the elements that made them; the most repeated first.
    """
    asked = _asked(calls).assign(position=calls["position"], arguments_found=calls["arguments"])
    found = (
        asked.groupby(["identifier", "tool", "arguments"], sort=False)
        .agg(
            shown=("arguments_found", "first"),
            times=("position", "size"),
            first=("position", "min"),
            last=("position", "max"),
        )
        .reset_index()
    )
    repeated = found[found["times"] > 1]
    repeated = repeated.assign(arguments=repeated["shown"]).drop(columns="shown")
    return repeated.sort_values("times", ascending=False, kind="stable", ignore_index=True)


def check_failure(failure: str) -> str:
    """Return a regular expression, or raise ValueError."""
    try:
        re.compile(failure)
    except re.error as error:
        raise ValueError(f"failure is no regular expression ({error}): {failure!r:.60}") from None
    return failure


def _p95(seconds: "pd.Series[float]") -> float:
    return float(seconds.quantile(0.95))


def _asked(calls: pd.DataFrame) -> pd.DataFrame:
    """Return what was asked where, comparable: of dicts it is the JSON."""
    arguments = [json.dumps(value, sort_keys=True) for value in calls["arguments"]]
    return calls[["identifier", "tool"]].assign(
        arguments=pd.Series(arguments, index=calls.index, dtype="str")
    )
