"""Import of modules that cannot be imported again after an interrupted import."""

from contextlib import suppress
from importlib import import_module
from threading import Thread


def import_uninterrupted(*modules: str) -> None:
    """Import modules in a thread: Ctrl-C interrupts the caller, and the import continues.

    An error of the import is ignored here; the caller's own import statement raises it.
    """

    def run() -> None:
        with suppress(Exception):
            for module in modules:
                import_module(module)

    thread = Thread(target=run, name="draive_pg-import")
    thread.start()
    thread.join()
