"""Prepare the next batch of an import while the database writes the present one."""

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial


@contextmanager
def prefetch[T](items: Generator[T], *, threaded: bool) -> Generator[Callable[[], T | None]]:
    """Yield a function that returns the next item, and None after the last.

    Parameters
    ----------
    items : Generator
        The items; closed at the end.
    threaded : bool
        Whether a thread prepares one item ahead. An item that may never come, as from standard
        input, would block the end of the program.
    """
    with closing(items):
        if not threaded:
            yield partial(next, items, None)
            return
        with ThreadPoolExecutor(1, "draive-pg-import") as pool:
            pending: Future[T | None] | None = None

            def take() -> T | None:
                nonlocal pending
                item = (pending or pool.submit(next, items, None)).result()
                pending = pool.submit(next, items, None)
                return item

            yield take
