"""What differs between a folder and the database, and what a pull or a push does about it.

Each name has up to three versions: the base, which both sides had when they last agreed, that of
the folder, and that of the database. All here is pure; versions are any values that are equal
where the contents are, and None where there is none.
"""

from collections.abc import Hashable, Mapping
from enum import StrEnum

__all__ = ("Action", "Change", "action", "changes")

type Version = Hashable | None


class Change(StrEnum):
    """How the two sides of a name differ."""

    SAME = "unchanged"
    CHANGED_HERE = "changed here"
    CHANGED_THERE = "changed there"
    NEW_HERE = "new here"
    NEW_THERE = "new there"
    REMOVED_HERE = "removed here"
    REMOVED_THERE = "removed there"
    CONFLICT = "conflict"


class Action(StrEnum):
    """What a transfer from one side, the source, to the other does with a name."""

    NOTHING = "nothing"
    WRITE = "write"
    REMOVE = "remove"
    SPARE = "spare"
    """What was removed at the source stays, for nobody asked to remove it."""
    CONFLICT = "conflict"


def changes[V: Hashable](
    base: Mapping[str, V], here: Mapping[str, V], there: Mapping[str, V]
) -> dict[str, Change]:
    """Return how the sides differ, by name and in order of the names."""
    return {
        name: _change(base.get(name), here.get(name), there.get(name))
        for name in sorted(here.keys() | there.keys())
    }


def action(base: Version, source: Version, target: Version, *, force: bool, delete: bool) -> Action:
    """Return what to do at the target so that it becomes as the source is.

    Parameters
    ----------
    base, source, target : Hashable or None
        The versions of one name.
    force : bool
        Whether the source wins where both sides changed.
    delete : bool
        Whether what the source no longer has is removed.
    """
    if source in (target, base):
        return Action.NOTHING  # they agree, or only the target changed
    if target != base and not force:
        return Action.CONFLICT
    if source is not None:
        return Action.WRITE
    return Action.REMOVE if delete else Action.SPARE


def _change(base: Version, here: Version, there: Version) -> Change:
    if here == there:
        return Change.SAME
    if there == base:
        return _alone(base, here, Change.NEW_HERE, Change.CHANGED_HERE, Change.REMOVED_HERE)
    if here == base:
        return _alone(base, there, Change.NEW_THERE, Change.CHANGED_THERE, Change.REMOVED_THERE)
    return Change.CONFLICT


def _alone(base: Version, now: Version, new: Change, changed: Change, removed: Change) -> Change:
    if base is None:
        return new
    return removed if now is None else changed
