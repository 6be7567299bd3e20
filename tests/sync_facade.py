"""A synchronous facade of the async client, so that one test body covers both clients."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, cast

from draive_pg.api._method import Namespace

type Step = Callable[[Any], Any]


class SyncFacade:
    """A wrapper of an async object that runs its coroutines when they are called."""

    def __init__(self, target: Any, runner: asyncio.Runner) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return self._driven(getattr(self._target, name))

    def __repr__(self) -> str:
        return repr(self._target)

    def __enter__(self) -> Any:
        return self._driven(self._run(self._target.__aenter__()))

    def __exit__(self, *error: Any) -> Any:
        return self._run(self._target.__aexit__(*error))

    def _driven(self, value: Any) -> Any:
        if inspect.iscoroutine(value):
            return self._driven(self._run(value))
        if isinstance(value, Namespace):
            return SyncFacade(value, self._runner)
        if isinstance(value, AbstractAsyncContextManager):
            return self._context(value)
        if inspect.isasyncgen(value):
            return self._iterated(cast(AsyncGenerator[Any], value))
        if callable(value):
            return lambda *args, **kwargs: self._driven(value(*args, **kwargs))
        return value

    @contextmanager
    def _context(self, value: AbstractAsyncContextManager[Any]) -> Generator[Any]:
        entered = self._run(value.__aenter__())
        try:
            yield self._driven(entered)
        except BaseException as error:
            if not self._run(value.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self._run(value.__aexit__(None, None, None))

    def _iterated(self, value: AsyncGenerator[Any]) -> Generator[Any]:
        try:
            while True:
                yield self._run(anext(value))
        except StopAsyncIteration:
            return
        finally:
            self._run(value.aclose())

    def run_concurrently(self, users: Iterable[Iterable[Step]]) -> list[Any]:
        async def taken(steps: Iterable[Step]) -> list[Any]:
            return [await step(self._target) for step in steps]

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*(taken(steps) for steps in users))

        return self._run(all_of_them())

    def _run(self, coroutine: Any) -> Any:
        async def awaited() -> Any:
            return await coroutine

        return self._runner.run(awaited())


def run_concurrently(db: Any, *users: Iterable[Step]) -> list[Any]:
    """Run the steps of each user in order, all users concurrently, and return the results.

    Each user has a thread, or a task in the event loop. A step is called with the client.
    """
    if isinstance(db, SyncFacade):
        return db.run_concurrently(users)
    with ThreadPoolExecutor(len(users)) as pool:
        return list(pool.map(lambda steps: [step(db) for step in steps], users))
