"""Records of the differences between a folder and the database."""

from dataclasses import dataclass
from pathlib import Path

from draive_pg.models.record import Record, Records


@dataclass(frozen=True, slots=True, repr=False)
class FolderChange(Record):
    """A difference between a folder and the database.

    Attributes
    ----------
    name : str
        Name of the prompt or the configuration.
    change : str
        ``new in folder``, ``changed in folder``, ``removed from folder``, ``new in database``,
        ``changed in database``, ``removed from database``, ``renamed in folder``, ``renamed in
        database``, or ``conflict``: both sides changed since the last push or pull.
    file : str
        Path of its file, relative to the folder.
    action : str | None
        The action of a push or a pull: ``write``, ``rename``, ``remove``, ``keep`` (it would be
        removed with ``delete=True``), ``nothing`` or ``conflict``. None in a status.
    renamed_from : str | None
        The old name of a renamed document.
    """

    name: str
    change: str
    file: str
    action: str | None
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class FolderStatus(Record):
    """The differences between a folder and the database, and whether they were carried over.

    Attributes
    ----------
    folder : Path
        The folder.
    changes : Records[FolderChange]
        The differences, in order of the names.
    unchanged : int
        How many names are equal on both sides.
    done : bool
        True if a push or a pull carried out its actions; False in a status, after a dry run, and
        if there are conflicts, unless ``keep_going`` is given.
    unread : tuple[str, ...]
        Files that are not read, each with the reason: README files, empty ones, links, and those
        with another suffix.
    drift : bool
        Whether there are differences.
    conflicts : tuple[str, ...]
        Names that changed on both sides. Unless ``force`` or ``keep_going`` is given, one of them
        stops a push or a pull before anything is written.
    """

    folder: Path
    changes: Records[FolderChange]
    unchanged: int
    done: bool
    unread: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.changes)

    @property
    def drift(self) -> bool:
        return bool(self.changes)

    @property
    def conflicts(self) -> tuple[str, ...]:
        return tuple(
            each.name
            for each in self.changes
            if each.change == "conflict" and each.action in (None, "conflict")
        )


@dataclass(frozen=True, slots=True, repr=False)
class FileDiff(Record):
    """A file as the database would write it, and as it is; None if there is none."""

    name: str
    file: str
    database: str | None
    folder: str | None


@dataclass(frozen=True, slots=True, repr=False)
class FolderDiff(Record):
    """The differences of a folder by line: a unified diff, side by side in a notebook.

    It is true if anything differs.

    Attributes
    ----------
    files : Records[FileDiff]
        The files that differ, in order of the names.
    """

    files: Records[FileDiff]

    def __str__(self) -> str:
        from draive_pg.display import diff

        return diff.unified(
            (
                f"database/{each.file}",
                f"folder/{each.file}",
                (each.database or "").split("\n")[:-1],
                (each.folder or "").split("\n")[:-1],
            )
            for each in self.files
        )

    def _repr_html_(self) -> str:
        from draive_pg.display import diff

        parts = [(each.file, each.database or "", each.folder or "") for each in self.files]
        return diff.side_by_side(("database", "folder"), parts)

    def __bool__(self) -> bool:
        return bool(self.files)


@dataclass(frozen=True, slots=True, repr=False)
class FileProblem(Record):
    """A problem of a file.

    Attributes
    ----------
    file : str
        Its path, relative to the folder.
    problem : str
        What is wrong.
    fatal : bool
        Whether a push refuses the file; otherwise, it warns, unless ``strict`` is given.
    """

    file: str
    problem: str
    fatal: bool


@dataclass(frozen=True, slots=True, repr=False)
class FolderCheck(Record):
    """The result of checking the files of a folder without a database.

    Attributes
    ----------
    folder : Path
        The folder.
    names : tuple[str, ...]
        The documents that were read, in order.
    problems : Records[FileProblem]
        What is wrong, in order of the files.
    unread : tuple[str, ...]
        Files that are not read, each with the reason.
    valid : bool
        Whether a push accepts all files.
    """

    folder: Path
    names: tuple[str, ...]
    problems: Records[FileProblem]
    unread: tuple[str, ...]

    @property
    def valid(self) -> bool:
        return not any(each.fatal for each in self.problems)
