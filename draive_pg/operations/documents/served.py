"""Which revisions of prompts and configurations were served to the current task."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from draive_pg.models.documents import ServedRevision

_recorders: ContextVar[tuple[list[ServedRevision], ...]] = ContextVar(
    "draive_pg_served", default=()
)


@contextmanager
def served_revisions() -> Generator[list[ServedRevision]]:
    """Record which revisions are loaded in a block, by this task and those that it starts.

    It works with the clients and with the repositories of the adapters, also for values from their
    cache. What a ``fallback`` or a ``default`` served is not recorded.

    Yields
    ------
    list of ServedRevision
        Filled in the block, each revision once.

    Examples
    --------
    >>> with served_revisions() as served:
    ...     prompt = db.instructions.load("greeting", label="production")
    >>> served[0].to_meta()
    {'kind': 'instructions', 'name': 'greeting', 'created': '2026-01-31…', 'label': 'production'}
    """
    served: list[ServedRevision] = []
    token = _recorders.set((*_recorders.get(), served))
    try:
        yield served
    finally:
        _recorders.reset(token)


def record(revision: ServedRevision) -> None:
    """Record a revision for the blocks that the caller is in."""
    for served in _recorders.get():
        if revision not in served:
            served.append(revision)


def is_recording() -> bool:
    """Return whether the caller is in a block of `served_revisions`."""
    return bool(_recorders.get())
