"""Import of draive, which is optional: what to install where it is missing or has other objects."""

from importlib.metadata import PackageNotFoundError, version

from draive_pg.uninterrupted_import import import_uninterrupted


class Importing:
    """Explain what to install if the imports in a block fail.

    Parameters
    ----------
    user : str
        The caller that needs draive, as the error message names it.
    releases : str
        The releases of draive that have them.
    requirement : str
        What to install.
    """

    def __init__(self, user: str, releases: str, requirement: str) -> None:
        self._message = f"{user} needs draive {releases}"
        self._requirement = requirement

    def __enter__(self) -> None:
        import_uninterrupted("draive")  # which imports numpy

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ImportError) and error.name:  # unless it explains itself
            raise ImportError(
                f"{self._message}, {_found(error)}: pip install '{self._requirement}'",
                name="draive",
            ) from error


def _found(error: ImportError) -> str:
    try:
        found = version("draive")
    except PackageNotFoundError:
        return "which is not installed"
    return f"found {found} ({error})"
