"""The command groups ``prompts`` and ``configs``: both have the same commands, in their words."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass

import typer

from draive_pg import Client
from draive_pg.api.folders import Folders
from draive_pg.database import Database

__all__ = ("CONFIGS", "PROMPTS", "Kind", "command")


@dataclass(frozen=True)
class Kind:
    """The words in which the help of a command group speaks of its documents.

    Attributes
    ----------
    command : str
        The name of the group.
    noun : str
        One document.
    example, folder : str
        A name and a folder in examples.
    files : str
        What a folder contains.
    namespace : str
        The attribute of the client.
    """

    command: str
    noun: str
    example: str
    folder: str
    files: str
    namespace: str

    def of(self, db: Client) -> Folders[Database]:
        """Return the namespace of a client."""
        return getattr(db, self.namespace)


PROMPTS = Kind(
    command="prompts",
    noun="prompt",
    example="greeting",
    folder="prompts",
    files="Each prompt has a file: support/refund.md for support/refund. It contains front matter "
    "in TOML between +++ lines (description, arguments, meta, labels) and the text, or only the "
    "text. The line feed that ends the file is not part of the text.",
    namespace="instructions",
)

CONFIGS = Kind(
    command="configs",
    noun="configuration",
    example="limits",
    folder="configs",
    files="Each configuration has a file in JSON, or in TOML if you created one: limits.toml.",
    namespace="configurations",
)


def command[F: Callable[..., None]](
    app: typer.Typer, kind: Kind, name: str | None = None
) -> Callable[[F], F]:
    """Register a command whose docstring has the attributes of a kind as ``{placeholders}``."""

    def register(function: F) -> F:
        text = inspect.getdoc(function) or ""
        for key, value in asdict(kind).items():
            text = text.replace(f"{{{key}}}", value)
        app.command(name, help=text)(function)
        return function

    return register
