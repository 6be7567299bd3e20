"""Comparison of conversations by the value of a variable."""

import json
from typing import Any, cast

from draive_pg.analysis.conversations import turns
from draive_pg.analysis.inputs import prepared
from draive_pg.codec.failures import failed
from draive_pg.dataframes import pd


def by_variable(
    log: pd.DataFrame, variables: pd.DataFrame, calls: pd.DataFrame, name: str
) -> pd.DataFrame:
    """Return one row per value of a variable, the most frequent first.

    Parameters
    ----------
    log : DataFrame
        `conversation_log`, as for `turns`.
    variables : DataFrame
        `variables`: ``identifier``, ``variables``. The last row of a memory counts.
    calls : DataFrame
        `tool_calls`: ``identifier``, ``response``, ``handling``.
    name : str
        Name of the variable.

    Returns
    -------
    DataFrame
        The columns of `Analysis.by_variable`.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> log, variables = pd.read_parquet("log.parquet"), pd.read_parquet("variables.parquet")
    >>> by_variable(log, variables, pd.read_parquet("calls.parquet"), "system")
    """
    elements = prepared(log, "identifier", "position")
    snapshots = prepared(variables, "identifier", "variables").groupby("identifier").tail(1)
    calls = prepared(calls, "identifier", "response", "handling")
    values: dict[str, Any] = {
        identifier: cast("dict[str, Any]", snapshot).get(name)
        for identifier, snapshot in zip(
            snapshots["identifier"], snapshots["variables"], strict=True
        )
        if isinstance(snapshot, dict)
    }
    key = {identifier: json.dumps(value, sort_keys=True) for identifier, value in values.items()}
    by_key = {text: values[identifier] for identifier, text in key.items()}

    def keyed(frame: pd.DataFrame) -> Any:
        return frame.assign(key=[key.get(each, "null") for each in frame["identifier"]])

    responses = zip(calls["handling"], calls["response"], strict=True)
    calls = calls.assign(failed=pd.Series([failed(*each) for each in responses], dtype=bool))
    found = (
        keyed(elements)
        .groupby("key")
        .agg(memories=("identifier", "nunique"), elements=("position", "size"))
    )
    asked = (
        keyed(turns(log))
        .groupby("key")
        .agg(turns=("turn", "size"), seconds_median=("seconds", "median"))
    )
    called = (
        keyed(calls).groupby("key").agg(tool_calls=("failed", "size"), failures=("failed", "sum"))
    )
    joined = found.join(asked).join(called)
    counts = joined.reindex(columns=["memories", "turns", "elements", "tool_calls", "failures"])
    result = counts.fillna(0).astype("int64")
    result["seconds_median"] = joined["seconds_median"].astype("float64")
    result.insert(
        0,
        "value",
        pd.Series([by_key.get(each) for each in result.index], index=result.index, dtype="object"),
    )
    return result.sort_values("memories", ascending=False, kind="stable", ignore_index=True)
