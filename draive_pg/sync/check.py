"""Check the files of a folder without a database."""

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, cast

from draive_pg.errors import FileInvalid, TemplateInvalid
from draive_pg.models.folders import FileProblem, FolderCheck
from draive_pg.models.record import Records
from draive_pg.sync.folder import Folder
from draive_pg.sync.formats import Configuration as FileConfiguration
from draive_pg.sync.formats import FileContent
from draive_pg.sync.kinds import CONFIGURATIONS, FileKind

if TYPE_CHECKING:
    from draive import Configuration


type Classes = "Iterable[type[Configuration]] | Mapping[str, type[Configuration]]"
"""Classes of configurations, for their qualified names or for other identifiers."""


def by_identifier(kind: FileKind, classes: Classes) -> "Mapping[str, type[Configuration]]":
    """Return classes by the identifiers of their configurations, or raise TypeError."""
    if classes and kind is not CONFIGURATIONS:
        raise TypeError(f"{kind.name} are not checked against classes: only configurations are")
    if isinstance(classes, Mapping):
        return cast("Mapping[str, type[Configuration]]", classes)
    return {kind.stored.name_of(each): each for each in classes}


def class_problems(
    classes: "Mapping[str, type[Configuration]]", documents: Mapping[str, FileContent]
) -> Iterator[tuple[str, str]]:
    """Return the identifiers of files that do not fit their classes, each with a problem."""
    if not classes:
        return
    from draive_pg.codec.draive_configurations import configuration_problems

    for name, config in classes.items():
        if name not in documents:
            yield (
                name,
                f"there is no file of configuration {name!r:.80} for the class "
                f"{config.__qualname__}: give the name of the configuration with the class",
            )
            continue
        content = cast("FileConfiguration", documents[name]).value
        for problem in configuration_problems(config, content):
            yield name, problem


def check_folder(
    kind: FileKind, path: str | PathLike[str], *, classes: Classes = ()
) -> FolderCheck:
    """Return what is wrong with the files of a folder.

    Raises
    ------
    FileInvalid
        If there is no such folder.
    TypeError
        If there are classes for files that are no configurations.
    """
    configurations = by_identifier(kind, classes)
    if not Path(path).is_dir():
        raise FileInvalid(f"there is no folder {str(path)!r:.200}")
    invalid: dict[str, str] = {}
    folder = Folder(Path(path), kind, invalid=invalid)
    problems = [FileProblem(file, text, fatal=True) for file, text in invalid.items()]
    for name, document in folder.documents.items():
        file = str(folder.path_of(name))
        try:
            document.check(name)
        except TemplateInvalid as error:
            problems.append(FileProblem(file, str(error), fatal=True))
        else:
            if problem := document.problem(name):
                problems.append(FileProblem(file, problem, fatal=False))
    problems += [
        FileProblem(str(folder.path_of(name)), problem, fatal=True)
        for name, problem in class_problems(configurations, folder.documents)
    ]
    return FolderCheck(
        folder=folder.path,
        names=tuple(folder.documents),
        problems=Records(FileProblem, sorted(problems, key=lambda each: each.file)),
        unread=folder.unread,
    )
