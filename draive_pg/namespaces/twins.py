"""What twins share: their documentation."""

from collections.abc import Callable

__all__ = ("documented_as",)


def documented_as[T](twin: type[object]) -> Callable[[type[T]], type[T]]:
    """Give a class and its methods the documentation of their synchronous twins."""

    def document(cls: type[T]) -> type[T]:
        cls.__doc__ = twin.__doc__
        for name, member in vars(cls).items():
            if callable(member) and not name.startswith("_"):
                member.__doc__ = getattr(twin, name).__doc__
        return cls

    return document
