"""Use of tools: counts, failures, durations, repeated calls."""

import json
import re

from draive_pg.analysis.inputs import prepared
from draive_pg.codec.failures import FAILURE, failed
from draive_pg.dataframes import np, pd


def tools(calls: pd.DataFrame, failure: str = FAILURE) -> pd.DataFrame:
    """Return one row per tool, the most used first.

    Parameters
    ----------
    calls : DataFrame
        `tool_calls`: ``identifier``, ``call``, ``tool``, ``arguments``, ``response``,
        ``handling``, ``responded``, ``seconds``.
    failure : str
        Regular expression, case-insensitive: a call failed if the handling of its response is
        ``error`` or its text starts with a match.

    Returns
    -------
    DataFrame
        The columns of `Analysis.tools`.

    Raises
    ------
    ValueError
        If a column is missing, or ``failure`` is not a regular expression.

    Examples
    --------
    >>> tools(pd.read_parquet("calls.parquet")).query("failure_rate > 0.1")
    """
    check_failure(failure)
    calls = prepared(
        calls,
        *("identifier", "call", "tool", "arguments"),
        *("response", "handling", "responded", "seconds"),
    )
    responses = zip(calls["handling"], calls["response"], strict=True)
    failures = np.array([failed(*response, failure) for response in responses], dtype=bool)
    found = (
        calls.assign(failed=failures, repeated=_comparable(calls).duplicated())
        .groupby("tool")
        .agg(
            calls=("call", "size"),
            memories=("identifier", "nunique"),
            answered=("responded", "count"),
            failures=("failed", "sum"),
            repeated=("repeated", "sum"),
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
    """Return one row per call that a memory has several times, the most repeated first.

    Calls are equal if they have the same tool and the same arguments.

    Parameters
    ----------
    calls : DataFrame
        `tool_calls`: ``identifier``, ``position``, ``tool``, ``arguments``.

    Returns
    -------
    DataFrame
        The columns of `Analysis.repeated_calls`.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> repeated_calls(pd.read_parquet("calls.parquet"))
    """
    calls = prepared(calls, "identifier", "position", "tool", "arguments")
    found = (
        _comparable(calls)
        .assign(position=calls["position"], original=calls["arguments"])
        .groupby(["identifier", "tool", "arguments"], sort=False)
        .agg(
            original=("original", "first"),
            times=("position", "size"),
            first=("position", "min"),
            last=("position", "max"),
        )
        .reset_index()
    )
    repeated = found[found["times"] > 1]
    repeated = repeated.assign(arguments=repeated["original"]).drop(columns="original")
    return repeated.sort_values("times", ascending=False, kind="stable", ignore_index=True)


def check_failure(failure: str) -> str:
    """Return the regular expression, or raise ValueError."""
    try:
        re.compile(failure)
    except re.error as error:
        raise ValueError(f"failure is no regular expression ({error}): {failure!r:.60}") from None
    return failure


def _p95(seconds: "pd.Series[float]") -> float:
    return float(seconds.quantile(0.95))


def _comparable(calls: pd.DataFrame) -> pd.DataFrame:
    """Return what makes calls equal, with the arguments as canonical JSON."""
    arguments = [json.dumps(value, sort_keys=True) for value in calls["arguments"]]
    return calls[["identifier", "tool"]].assign(
        arguments=pd.Series(arguments, index=calls.index, dtype="str")
    )
