"""Check the files of a folder without a database."""

from os import PathLike
from pathlib import Path

from draive_pg.errors import FileInvalid, TemplateInvalid
from draive_pg.models.folders import FileProblem, FolderCheck
from draive_pg.models.record import Records
from draive_pg.sync.folder import Folder
from draive_pg.sync.kinds import FileKind


def check_folder(kind: FileKind, path: str | PathLike[str]) -> FolderCheck:
    """Return what is wrong with the files of a folder.

    Raises
    ------
    FileInvalid
        If there is no such folder.
    """
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
    return FolderCheck(
        folder=folder.path,
        names=tuple(folder.documents),
        problems=Records(FileProblem, sorted(problems, key=lambda each: each.file)),
        unread=folder.unread,
    )
