"""Public methods written once for both clients: `Client` runs them, `AsyncClient` awaits them."""

# pyright: reportPrivateUsage=false, reportNoOverloadImplementation=false

import inspect
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from types import FunctionType, MethodType, NoneType, UnionType, get_original_bases
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    NoReturn,
    SupportsIndex,
    TypeAliasType,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    overload,
)

from draive_pg.database import AsyncDatabase, Database
from draive_pg.database.errors import short_argument_errors, short_tracebacks
from draive_pg.operations.copy import Copy
from draive_pg.operations.operation import Request

MODULES = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Z])|\bdatetime\.")


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


class _Functions:
    """The functions of a method for both clients, for each class that has the method."""

    def __init__(
        self, build: Callable[..., object], *variants: tuple[Callable[..., object], str]
    ) -> None:
        self._build = cast("FunctionType", build)
        self._variants = variants
        self._by_owner: dict[type, list[FunctionType]] = {}

    def __get__(self, obj: Any, owner: Any = None) -> Any:
        """Return the method of an object, or the function of its class."""
        functions = self._by_owner.get(owner)
        if functions is None:
            functions = [_documented(self._build, *each, owner) for each in self._variants]
            self._by_owner[owner] = functions
        if obj is None:
            return functions[0]
        is_async: bool = obj._database.is_async  # noqa: SLF001
        return MethodType(functions[is_async], obj)


class method[**P, T](_Functions):  # noqa: N801 - a decorator
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
            try:  # not `with`, which costs a hit in the cache a tenth of its time
                request = build(self, *args, **kwargs)
            except BaseException as error:
                short_argument_errors.shorten(error)
                raise
            try:
                return self._database.run(request)
            except BaseException as error:
                short_tracebacks.shorten(error)
                raise

        async def run_async(
            self: Namespace[AsyncDatabase], /, *args: P.args, **kwargs: P.kwargs
        ) -> T:
            try:  # not `with`, which costs a hit in the cache a tenth of its time
                request = build(self, *args, **kwargs)
            except BaseException as error:
                short_argument_errors.shorten(error)
                raise
            try:
                return await self._database.run(request)
            except BaseException as error:
                short_tracebacks.shorten(error)
                raise

        super().__init__(build, (run, "{}"), (run_async, "Coroutine[Any, Any, {}]"))

    if TYPE_CHECKING:

        @overload
        def __get__(self, obj: Namespace[Database], owner: Any = None) -> Callable[P, T]: ...
        @overload
        def __get__(
            self, obj: Namespace[AsyncDatabase], owner: Any = None
        ) -> Callable[P, Coroutine[Any, Any, T]]: ...
        @overload
        def __get__(self, obj: None, owner: Any = None) -> Callable[Concatenate[Any, P], T]: ...


class stream[**P, T](_Functions):  # noqa: N801 - a decorator
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

        super().__init__(build, (run, "Generator[{}]"), (run_async, "AsyncGenerator[{}]"))

    if TYPE_CHECKING:

        @overload
        def __get__(
            self, obj: Namespace[Database], owner: Any = None
        ) -> Callable[P, Generator[T]]: ...
        @overload
        def __get__(
            self, obj: Namespace[AsyncDatabase], owner: Any = None
        ) -> Callable[P, AsyncGenerator[T]]: ...
        @overload
        def __get__(
            self, obj: None, owner: Any = None
        ) -> Callable[Concatenate[Any, P], Generator[T]]: ...


def _documented(
    source: FunctionType, run: Callable[..., object], returns: str, owner: type
) -> FunctionType:
    """Return a copy of ``run`` with the name, docstring and signature of ``source``.

    ``returns`` is the return type, and type variables are replaced by the arguments of ``owner``.
    """
    run = cast("FunctionType", run)
    function = FunctionType(run.__code__, run.__globals__, source.__name__, None, run.__closure__)
    function.__qualname__ = source.__qualname__
    function.__module__ = source.__module__
    function.__doc__ = source.__doc__
    signature = inspect.signature(source)
    types = {name: _shown(each, owner) for name, each in source.__annotations__.items()}
    types["return"] = _Type(returns.format(_result(types["return"])))
    function.__annotations__ = types
    parameters = [
        each.replace(annotation=types.get(each.name, each.empty))
        for each in signature.parameters.values()
    ]
    function.__signature__ = signature.replace(  # pyright: ignore[reportFunctionMemberAccess]
        parameters=parameters, return_annotation=types["return"]
    )
    return function


class _Type(str):
    """A type in a signature, which is shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _shown(annotation: object, owner: type) -> "_Type":
    """Return an annotation without modules, aliases, and type parameters of a class."""
    text = MODULES.sub("", _spelled_out(annotation)).replace("[D]", "")
    for base in get_original_bases(owner):
        variables = getattr(get_origin(base), "__type_params__", ())
        for variable, argument in zip(variables, get_args(base), strict=False):
            if not isinstance(argument, TypeVar):
                shown = MODULES.sub("", inspect.formatannotation(argument))
                text = re.sub(rf"\b{variable.__name__}\b", shown, text)
    return _Type(text)


def _spelled_out(annotation: Any) -> str:
    """Return an annotation with types instead of aliases, except draive's and in containers."""
    if isinstance(annotation, str):
        return annotation
    alias, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if isinstance(alias, TypeAliasType):
        try:
            return _spelled_out(alias.__value__[arguments] if arguments else alias.__value__)
        except NameError:  # draive's types are imported for type checkers only
            return alias.__name__
    if alias in (Union, UnionType):
        return " | ".join(dict.fromkeys(map(_spelled_out, arguments)))
    return "None" if annotation is NoneType else inspect.formatannotation(annotation)


def _result(request: str) -> str:
    """Return the type argument of a request such as ``Operation[int]``."""
    return request.partition("[")[2].removesuffix("]")
