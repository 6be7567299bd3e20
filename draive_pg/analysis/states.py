"""What held when: variables over time, and the revisions that were live at each message."""

import json
from typing import Any, cast

import pandas as pd

__all__ = ("live_revisions", "variable_changes")

CHANGES = {
    "identifier": "str",
    "created": "datetime64[us, UTC]",
    "variable": "str",
    "before": "object",
    "after": "object",
}


def variable_changes(variables: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each variable that a snapshot changed, its first value included.

    Parameters
    ----------
    variables : DataFrame
        Of `variables`.

    Returns
    -------
    DataFrame
        ``identifier``, ``created`` (of the snapshot), ``variable``, ``before`` and ``after``; None
        where there was none before, or is none any more.
    """
    rows: list[tuple[Any, ...]] = []
    memory: str | None = None
    before: dict[str, Any] = {}
    for identifier, created, snapshot in zip(
        variables["identifier"], variables["created"], variables["variables"], strict=True
    ):
        if identifier != memory:
            memory, before = identifier, {}
        after = _members(snapshot)
        rows += [
            (identifier, created, name, before.get(name), after.get(name))
            for name in {**before, **after}
            if name not in before or name not in after or before[name] != after[name]
        ]
        before = after
    # As objects first: among numbers, None would become NaN.
    return pd.DataFrame(rows, columns=list(CHANGES), dtype="object").astype(CHANGES)


def _members(snapshot: object) -> dict[str, Any]:
    """Return the variables of a snapshot, which in a file is the text of its JSON."""
    if isinstance(snapshot, str):
        try:
            snapshot = json.loads(snapshot)
        except ValueError:
            return {}
    return cast("dict[str, Any]", snapshot) if isinstance(snapshot, dict) else {}


def live_revisions(log: pd.DataFrame, revisions: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each element and each name: which revision was the newest at its time.

    That is what was current in the database. A service that caches may have used the one before
    for as long as its cache keeps it.

    Parameters
    ----------
    log : DataFrame
        Of `conversation_log`, with the columns ``identifier``, ``position``, ``created`` and
        ``role``.
    revisions : DataFrame
        Of `instruction_revisions` or `configurations`: all of the names, with the columns
        ``name`` (or ``identifier``), ``revision`` and ``created``.

    Returns
    -------
    DataFrame
        ``identifier``, ``position``, ``created`` and ``role`` of the element, ``name``,
        ``revision`` (missing where there was none yet), and ``since`` when it was live.
    """
    key = "name" if "name" in revisions else "identifier"
    elements = log[["identifier", "position", "created", "role"]]
    timed = elements[elements["created"].notna()].sort_values("created", kind="stable")
    found = [
        pd.merge_asof(
            timed.assign(name=name),
            of_name[["revision", "created"]]
            .sort_values("created")
            .astype({"revision": "Int64"})
            .assign(since=of_name["created"]),
            on="created",
        )
        for name, of_name in revisions.groupby(key)
    ]
    if not found:
        empty = pd.Series(dtype="Int64")
        return timed.assign(name="", revision=empty, since=timed["created"]).iloc[:0]
    return pd.concat(found).sort_values(["name", "identifier", "position"], ignore_index=True)
