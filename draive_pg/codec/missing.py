"""The error for a missing document, which is also that of the installed draive."""

from collections.abc import Callable
from functools import cache
from importlib import import_module

from draive_pg.errors import DocumentMissing, hide_passwords
from draive_pg.uninterrupted_import import import_uninterrupted


def document_missing(
    module: str, error: str, attribute: str, message: str, name: str
) -> DocumentMissing:
    """Build the error for a missing document.

    Parameters
    ----------
    module, error : str
        The module and the name of draive's error. If the installed draive does not have it, or
        there is no draive, the result is a plain `DocumentMissing`.
    attribute : str
        The attribute of draive's error that has the name of the document.
    message : str
        The message.
    name : str
        The name of the document.
    """
    combined = _combined(module, error, attribute)
    return DocumentMissing(message) if combined is None else combined(message, name)


@cache
def _combined(
    module: str, error: str, attribute: str
) -> Callable[[str, str], DocumentMissing] | None:
    """Return a subclass of DocumentMissing and of draive's error, or None without the latter."""
    import_uninterrupted("draive")
    try:
        theirs: type[Exception] = getattr(import_module(module), error)
    except (ImportError, AttributeError):
        return None

    class Missing(DocumentMissing, theirs):
        def __init__(self, message: str, name: str) -> None:
            theirs.__init__(self, **{attribute: name})
            self.args = (hide_passwords(message),)
            self.sqlstate = None

        def __reduce__(self) -> tuple[object, ...]:
            name = getattr(self, attribute)
            return document_missing, (module, error, attribute, *self.args, name)

    Missing.__name__ = Missing.__qualname__ = error
    Missing.__doc__ = f"A document is missing; draive's {error} with our message."
    return Missing
