"""Folders of prompts and configurations, as draive's repositories."""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import CoroutineType
from typing import Any, cast

from draive import (
    BasicValue,
    ConfigurationRepository,
    InstructionsDeclaration,
    InstructionsRepository,
    Meta,
)

from draive_pg.codec.draive_instructions import decode_declaration
from draive_pg.errors import FileInvalid
from draive_pg.operations.documents.selectors import LATEST
from draive_pg.sync.folder import Folder
from draive_pg.sync.formats import Configuration, FileContent, Prompt
from draive_pg.sync.kinds import CONFIGURATIONS, PROMPTS, FileKind


def FolderPrompts(path: str | Path) -> InstructionsRepository:
    """Return a repository of the prompts in a folder, which is read now; without a database.

    A call with ``label=`` finds the prompts whose files have that label, and one with ``revision=``
    finds none. The repository cannot be written.

    Parameters
    ----------
    path : str | Path
        A folder as `instructions.pull` writes it.

    Returns
    -------
    InstructionsRepository
        For tests, or as the ``fallback`` of `PostgresInstructionsRepository`.

    Raises
    ------
    FileInvalid
        If there is no such folder, or a file cannot be read.

    Examples
    --------
    >>> PostgresInstructionsRepository(label="production", fallback=FolderPrompts("prompts"))
    """
    prompts = cast("Mapping[str, Prompt]", _documents(path, PROMPTS))

    async def listing(**extra: Any) -> Sequence[InstructionsDeclaration]:
        return tuple(
            decode_declaration(
                name, prompt.description, json.dumps(prompt.arguments), json.dumps(prompt.meta)
            )
            for name, prompt in prompts.items()
        )

    async def loading(name: str, meta: Meta, **extra: Any) -> str | None:
        found = _selected(prompts.get(name), extra)
        return None if found is None else found.content

    return InstructionsRepository(
        listing=listing, loading=loading, defining=_refusing(path), removing=_refusing(path)
    )


def FolderConfigurations(path: str | Path) -> ConfigurationRepository:
    """Return a repository of the configurations in a folder; see `FolderPrompts`.

    Parameters
    ----------
    path : str | Path
        A folder as `configurations.pull` writes it.

    Returns
    -------
    ConfigurationRepository
        For tests, or as the ``fallback`` of `PostgresConfigurationRepository`.

    Raises
    ------
    FileInvalid
        If there is no such folder, or a file cannot be read.
    """
    configurations = cast("Mapping[str, Configuration]", _documents(path, CONFIGURATIONS))

    async def listing(**extra: Any) -> Sequence[str]:
        return tuple(configurations)

    async def loading(identifier: str, **extra: Any) -> Mapping[str, BasicValue] | None:
        found = _selected(configurations.get(identifier), extra)
        return None if found is None else deepcopy(found.value)

    return ConfigurationRepository(
        listing=listing, loading=loading, defining=_refusing(path), removing=_refusing(path)
    )


def _documents(path: str | Path, kind: FileKind) -> Mapping[str, FileContent]:
    if not Path(path).is_dir():  # a mistyped path must not be an empty folder
        raise FileInvalid(f"{str(path)!r:.200} is not a folder")
    return Folder(Path(path), kind).documents


def _selected[T: FileContent](document: T | None, extra: Mapping[str, Any]) -> T | None:
    """Return a document if it is what a call asks for."""
    if document is None or extra.get("revision") is not None:
        return None
    own = [label for label, older in document.labels if not older]
    return document if extra.get("label") in (None, LATEST, *own) else None


def _refusing(path: str | Path) -> Callable[..., CoroutineType[Any, Any, None]]:
    async def refuse(*arguments: object, **extra: object) -> None:
        raise TypeError(f"the folder {str(path)!r:.200} is read-only here: change its files")

    return refuse
