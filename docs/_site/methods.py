"""griffe extension: show public methods with the type of their result, not with their request.

A method decorated with ``@method`` or ``@stream`` is annotated with the request that it builds,
such as ``Operation[int]``. Callers see ``int`` on `Client` and an awaitable on `AsyncClient`.
"""

from dataclasses import fields
from typing import Any

from griffe import (
    Class,
    DocstringSectionKind,
    Expr,
    ExprName,
    ExprSubscript,
    Extension,
    Function,
    Module,
    TypeAlias,
)

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

    def on_module(self, *, mod: Module, **_: Any) -> None:
        """Remove the mark of a literal block, which Markdown does not need."""
        if mod.docstring:
            mod.docstring.value = mod.docstring.value.replace("\n::\n", "\n")

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Complete the parameters of public methods."""
        modules = [*pkg["api"].modules.values(), *pkg["adapters"].modules.values(), pkg["client"]]
        for module in modules:
            for owner in (module, *module.classes.values()):
                for member in (owner, *owner.functions.values()):
                    if member.is_alias:  # imported, or inherited
                        continue
                    if member.is_function:
                        for parameter in member.parameters:
                            parameter.annotation = _expanded(parameter.annotation, pkg)
                    _set_defaults(member)


def _set_defaults(documented: Any) -> None:
    """Set the defaults of parameters that share a line of a docstring, each to its own."""
    if not documented.docstring or isinstance(documented, Module):
        return
    for section in documented.docstring.parsed:
        if section.kind is DocstringSectionKind.parameters:
            for parameter in section.value:
                if parameter.name in documented.parameters:
                    parameter.value = documented.parameters[parameter.name].default


def _expanded(annotation: Any, package: Module) -> Any:
    if isinstance(annotation, ExprName):
        alias = _member(package, annotation.canonical_path)
        return _expanded(alias.value, package) if isinstance(alias, TypeAlias) else annotation
    if isinstance(annotation, Expr):
        for field in fields(annotation):
            if isinstance(value := getattr(annotation, field.name), Expr):
                setattr(annotation, field.name, _expanded(value, package))
    return annotation


def _member(package: Module, path: str) -> Any:
    """Return the object of a path, or None if it is not of the package."""
    top, *names = path.split(".")
    found: Any = package if top == package.name else None
    for name in names:
        found = getattr(found, "members", {}).get(name)
    return found
