"""The option ``--class``: classes of configurations, by the modules that have them."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import typer

from draive_pg.cli.kinds import CONFIGS, CommandGroup
from draive_pg.cli.output import message_of


def class_option(group: CommandGroup) -> Any:
    """Return the option; only configurations have classes."""
    return typer.Option(
        "--class",
        metavar="[NAME=]MODULE:CLASS",
        help="The class that a configuration must fit; default of NAME: the class. Repeatable.",
        hidden=group is not CONFIGS,
    )


def classes_of(texts: list[str] | None) -> Mapping[str, Any]:
    """Import classes, also from the current directory; return them by identifier."""
    sys.path.insert(0, "")
    try:
        return dict(map(_imported, texts or ()))
    finally:
        sys.path.remove("")


def _imported(text: str) -> tuple[str, Any]:
    name, _, address = text.rpartition("=")
    module, _, qualified = address.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *qualified.split("."))):
        raise typer.BadParameter(
            f"--class {text!r:.80} is not MODULE:CLASS, such as settings.limits:Limits."
        )
    try:
        found: Any = importlib.import_module(module)
        for part in qualified.split("."):
            found = getattr(found, part)
    except Exception as error:  # of the user's module
        raise typer.BadParameter(
            f"--class {text!r:.80} cannot be imported: {message_of(error)}."
        ) from error
    if not hasattr(found, "from_mapping"):
        raise typer.BadParameter(f"--class {text!r:.80} is not a class of configurations.")
    return name or found.__qualname__, found
