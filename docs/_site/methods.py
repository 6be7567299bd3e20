"""griffe extension: show public methods with the type of their result, not with their request.

A method decorated with ``@method`` or ``@stream`` is annotated with the request that it builds,
such as ``Operation[int]``. Callers see ``int`` on `Client` and an awaitable on `AsyncClient`.
"""

from typing import Any

from griffe import Class, ExprName, ExprSubscript, Extension, Function

__all__ = ("PublicMethods",)

ASYNC = {"method": "await with AsyncClient", "stream": "async for with AsyncClient"}


class PublicMethods(Extension):
    """Replace the return annotations of decorated methods."""

    def on_class(self, *, cls: Class, **_: Any) -> None:
        """Take the parameters of a tuple's subclass from ``__new__``: it has no ``__init__``."""
        if "__new__" in cls.members and "__init__" not in cls.members:
            cls.set_member("__init__", cls.members["__new__"])

    def on_function(self, *, func: Function, **_: Any) -> None:
        """Replace ``Request[T]`` by ``T``, and label the function as usable from both clients."""
        for decorator in func.decorators:
            name = str(decorator.value)
            if name not in ASYNC or not isinstance(func.returns, ExprSubscript):
                continue
            result = func.returns.slice
            if name == "stream":
                result = ExprSubscript(ExprName("Iterator", parent=func), result)
            func.returns = result
            func.labels.add(ASYNC[name])
