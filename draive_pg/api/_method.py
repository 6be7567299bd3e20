"""Public methods written once for both clients: `Client` runs them, `AsyncClient` awaits them."""

# pyright: reportPrivateUsage=false

import inspect
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from types import FunctionType, MethodType
from typing import Any, Concatenate, NoReturn, SupportsIndex, cast, overload

from draive_pg.database import AsyncDatabase, Database
from draive_pg.database.errors import short_argument_errors, short_tracebacks
from draive_pg.operations.copy import Copy
from draive_pg.operations.operation import Request

MODULES = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Z])")


class Namespace[D: Database | AsyncDatabase]:
    """Base of everything with public methods: holds the database that runs their requests."""

    __slots__ = ("_database",)

    def __init__(self, database: D) -> None:
        self._database: D = database

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._database!r})"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        # `copy`, `pickle` and `dataclasses.asdict` call this.
        raise TypeError(
            f"{self!r} cannot be copied or pickled, because it holds connections; share it between "
            "threads and tasks, and create a client in each process"
        )


class method[**P, T]:  # noqa: N801 - a decorator
    """Decorator of a method that builds a request: calling it runs the request.

    A call on a namespace of a `Client` returns the result; on an `AsyncClient` it returns a
    coroutine. The method has the signature and docstring of the decorated function, but its return
    type is the type of the result.

    Examples
    --------
    >>> class Memories[D: Database | AsyncDatabase](Namespace[D]):
    ...     @method
    ...     def count(self, prefix: str | None = None) -> Operation[int]:
    ...         return listing.count(prefix)
    """

    def __init__(self, build: Callable[Concatenate[Any, P], Request[T]]) -> None:
        def run(self: Namespace[Database], /, *args: P.args, **kwargs: P.kwargs) -> T:
            with short_argument_errors:
                request = build(self, *args, **kwargs)
            with short_tracebacks:
                return self._database.run(request)

        async def run_async(
            self: Namespace[AsyncDatabase], /, *args: P.args, **kwargs: P.kwargs
        ) -> T:
            with short_argument_errors:
                request = build(self, *args, **kwargs)
            with short_tracebacks:
                return await self._database.run(request)

        self._sync = _documented(run, build, "{}")
        self._async = _documented(run_async, build, "Coroutine[Any, Any, {}]")

    @overload
    def __get__(self, obj: Namespace[Database], owner: Any = None) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, obj: Namespace[AsyncDatabase], owner: Any = None
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, obj: None, owner: Any = None) -> Callable[Concatenate[Any, P], T]: ...
    def __get__(self, obj: Any, owner: Any = None) -> Any:
        return _bound(obj, self._sync, self._async)


class stream[**P, T]:  # noqa: N801 - a decorator
    """Decorator of a method that builds a `Copy`: calling it iterates over its results.

    On a namespace of a `Client` the call returns a generator, on one of an `AsyncClient` an
    asynchronous generator.
    """

    def __init__(self, build: Callable[Concatenate[Any, P], Copy[T]]) -> None:
        def run(self: Namespace[Database], /, *args: P.args, **kwargs: P.kwargs) -> Generator[T]:
            with short_argument_errors:
                request = build(self, *args, **kwargs)
            return self._database.stream(request)

        def run_async(
            self: Namespace[AsyncDatabase], /, *args: P.args, **kwargs: P.kwargs
        ) -> AsyncGenerator[T]:
            with short_argument_errors:
                request = build(self, *args, **kwargs)
            return self._database.stream(request)

        self._sync = _documented(run, build, "Generator[{}]")
        self._async = _documented(run_async, build, "AsyncGenerator[{}]")

    @overload
    def __get__(self, obj: Namespace[Database], owner: Any = None) -> Callable[P, Generator[T]]: ...
    @overload
    def __get__(
        self, obj: Namespace[AsyncDatabase], owner: Any = None
    ) -> Callable[P, AsyncGenerator[T]]: ...
    @overload
    def __get__(
        self, obj: None, owner: Any = None
    ) -> Callable[Concatenate[Any, P], Generator[T]]: ...
    def __get__(self, obj: Any, owner: Any = None) -> Any:
        return _bound(obj, self._sync, self._async)


def _bound(obj: Namespace[Any] | None, sync: FunctionType, async_: FunctionType) -> object:
    if obj is None:
        return sync
    return MethodType(async_ if isinstance(obj._database, AsyncDatabase) else sync, obj)  # noqa: SLF001


def _documented(
    run: Callable[..., object], build: Callable[..., object], returns: str
) -> FunctionType:
    """Give a function the name, docstring and signature of another, and its own return type."""
    function, source = cast("FunctionType", run), cast("FunctionType", build)
    function.__name__ = source.__name__
    function.__qualname__ = source.__qualname__
    function.__module__ = source.__module__
    function.__doc__ = source.__doc__
    signature = inspect.signature(source)
    result = _result(signature.return_annotation)
    function.__annotations__ = {**source.__annotations__, "return": returns.format(result)}
    function.__signature__ = signature.replace(  # pyright: ignore[reportFunctionMemberAccess]
        return_annotation=_Type(returns.format(result))
    )
    return function


class _Type(str):
    """A type in a signature, which is shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _result(annotation: object) -> str:
    """Return the type argument of an annotation such as ``Operation[int]``, as text."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return MODULES.sub("", text.partition("[")[2].removesuffix("]")).replace("[D]", "")
