"""Changes of variables, and the revisions that were the newest at a time."""

import json
from typing import Any, cast

from draive_pg.analysis.inputs import TIMESTAMP, prepared, untimed
from draive_pg.dataframes import pd

CHANGES = {
    "identifier": "str",
    "created": TIMESTAMP,
    "variable": "str",
    "before": "object",
    "after": "object",
}


def variable_changes(variables: pd.DataFrame) -> pd.DataFrame:
    """Return one row per variable that a snapshot changed, including its first value.

    Values of different JSON types are different: ``1``, ``1.0`` and ``True``.

    Parameters
    ----------
    variables : DataFrame
        `variables`, in its order: ``identifier``, ``created``, ``variables``.

    Returns
    -------
    DataFrame
        The columns of `Analysis.variable_changes`.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> variable_changes(pd.read_parquet("variables.parquet"))
    """
    variables = prepared(variables, "identifier", "created", "variables")
    rows: list[tuple[Any, ...]] = []
    memory: str | None = None
    before: dict[str, Any] = {}
    for identifier, created, snapshot in zip(
        variables["identifier"], variables["created"], variables["variables"], strict=True
    ):
        if identifier != memory:
            memory, before = identifier, {}
        after = cast("dict[str, Any]", snapshot) if isinstance(snapshot, dict) else {}
        rows += [
            (identifier, created, name, before.get(name), after.get(name))
            for name in {**before, **after}
            if name not in before or name not in after or _json(before[name]) != _json(after[name])
        ]
        before = after
    # As objects first: among numbers, None would become NaN.
    return pd.DataFrame(rows, columns=list(CHANGES), dtype="object").astype(CHANGES)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def live_revisions(log: pd.DataFrame, revisions: pd.DataFrame) -> pd.DataFrame:
    """Return which revision of each name was the newest when an element was written.

    A service may have used another one: an older one from its cache, or one with a label. For an
    element of an imported log without times it is missing.

    Parameters
    ----------
    log : DataFrame
        `conversation_log`: ``identifier``, ``position``, ``created``, ``role``.
    revisions : DataFrame
        All rows of the names in `instruction_revisions` or `configurations`: ``name`` (or
        ``identifier``), ``revision``, ``created``.

    Returns
    -------
    DataFrame
        The columns of `Analysis.live_instructions`.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> live_revisions(pd.read_parquet("log.parquet"), pd.read_parquet("revisions.parquet"))
    """
    key = "name" if "name" in revisions else "identifier"
    revisions = prepared(revisions, key, "revision", "created").dropna(subset=["created"])
    elements = prepared(log, "identifier", "position", "created", "role")
    elements = elements.assign(unknown=untimed(log, only_import=True))
    timed = elements[elements["created"].notna()].sort_values("created", kind="stable")
    found = [
        pd.merge_asof(
            timed.assign(name=name),
            of_name[["revision", "created"]]
            .sort_values("created")
            .assign(since=of_name["created"]),
            on="created",
        )
        for name, of_name in revisions.groupby(key)
    ]
    if not found:
        empty = timed.drop(columns="unknown").iloc[:0]
        return empty.assign(name="", revision=pd.Series(dtype="Int64"), since=empty["created"])
    live = pd.concat(found).sort_values(["name", "identifier", "position"], ignore_index=True)
    for column in ("revision", "since"):
        live[column] = live[column].mask(live["unknown"])
    return live.drop(columns="unknown")


def label_periods(audit: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return from when on a label was on which revision of each name, for `live_revisions`.

    Parameters
    ----------
    audit : DataFrame
        All rows of the names in `audit`, in its order, of one kind: ``name``, ``action``, ``time``,
        ``revision``, ``revision_created``, ``label``.
    label : str
        The label.

    Returns
    -------
    DataFrame
        The columns ``name``, ``revision`` and ``created``, which is when the period began. The
        revision is missing if the label was removed, or its revision.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> live_revisions(log, label_periods(audit, "production"))
    """
    columns = ("name", "action", "time", "revision", "revision_created", "label")
    audit = prepared(audit, *columns)
    served: dict[str, Any] = {}
    rows: list[tuple[Any, ...]] = []
    for name, action, time, revision, created, moved in zip(
        *(audit[column] for column in columns), strict=True
    ):
        if action == "label" and moved == label:
            served[name] = created
            rows.append((name, revision, time))
        elif (action == "unlabel" and moved == label) or (
            action == "remove" and served.get(name) == created
        ):
            served.pop(name, None)
            rows.append((name, pd.NA, time))
    periods = {"name": "str", "revision": "Int64", "created": TIMESTAMP}
    return pd.DataFrame(rows, columns=list(periods), dtype="object").astype(periods)
