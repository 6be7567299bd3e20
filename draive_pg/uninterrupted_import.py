"""Import of modules that cannot be imported again after an interrupted import."""

from contextlib import suppress
from importlib import import_module
from threading import Thread

# Seconds; an import from a slow disk takes less. Many interrupts within milliseconds can leave the
# lock of an import taken, for which another thread would wait without end.
LIMIT = 120.0


def import_uninterrupted(*modules: str) -> None:
    """Import modules in a thread: Ctrl-C interrupts the caller, and the import continues.

    An error of the import is ignored here; the caller's own import statement raises it.

    Raises
    ------
    TimeoutError
        If the import takes more than two minutes.
    """

    def run() -> None:
        with suppress(Exception):
            for module in modules:
                import_module(module)

    thread = Thread(target=run, name="draive_pg-import", daemon=True)
    thread.start()
    thread.join(LIMIT)
    if thread.is_alive():
        raise TimeoutError(
            f"import {modules[0]}: it takes more than {LIMIT:g} s, perhaps because an earlier "
            "import was interrupted; start Python again"
        )
