"""Pull, push, status and diff of a folder, alike for prompts and for configurations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from pathlib import Path
from typing import Annotated, Protocol

import typer

from draive_pg import Client
from draive_pg.cli.exit_codes import CONFLICT, DRIFT
from draive_pg.cli.printing import print_diff, print_json, print_table
from draive_pg.sync.folder import Folder, Kind
from draive_pg.sync.formats import Document
from draive_pg.sync.plan import Head, Sync
from draive_pg.sync.three_way import Action, Change

__all__ = (
    "Delete",
    "DryRun",
    "ForceHere",
    "ForceThere",
    "InFolder",
    "Push",
    "Remote",
    "diff",
    "pull",
    "push",
    "status",
)

InFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the files.")]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]

ForceHere = Annotated[
    bool, typer.Option("--force", help="Where both sides changed, what is here wins.")
]

ForceThere = Annotated[
    bool, typer.Option("--force", help="Where both sides changed, what is there wins.")
]

Delete = Annotated[
    bool, typer.Option("--delete", help="Remove what was removed on the other side, too.")
]

# What is done, as people say it: planned and done.
SAID = {
    Action.WRITE: ("to write", "written"),
    Action.REMOVE: ("to remove", "removed"),
    Action.SPARE: ("kept, without --delete", "kept, without --delete"),
    Action.CONFLICT: ("conflict", "conflict"),
    Action.NOTHING: ("", ""),
}


@dataclass(frozen=True, slots=True)
class Push:
    """One thing that a push does to a name.

    Attributes
    ----------
    name : str
        Of the prompt or the configuration.
    document : Document | None
        What it becomes; None to remove it.
    head : Head | None
        What the newest revision must still be when it is written; None for that there is none.
    """

    name: str
    document: Document | None
    head: Head | None


class Remote(Protocol):
    """The side of the database."""

    kind: Kind

    def heads(self, db: Client) -> Mapping[str, Head]:
        """Return the newest revision of each name."""
        ...

    def check(self, pushes: Sequence[Push]) -> None:
        """Raise what would keep them from being written whatever the database holds; no I/O."""
        ...

    def publish(self, db: Client, pushes: Sequence[Push]) -> Mapping[str, datetime]:
        """Write all of it in one transaction, and return the times of the revisions."""
        ...


def status(db: Client, remote: Remote, path: Path, *, labels: bool = False, as_json: bool) -> None:
    """Show what differs, and exit with DRIFT if anything does."""
    sync = _compared(db, remote, path, labels=labels)
    if as_json:
        print_json({"drift": sync.drift, "changes": _described(sync)})
    else:
        _print(sync, ("name", "change", "file"))
    raise typer.Exit(DRIFT if sync.drift else 0)


def diff(db: Client, remote: Remote, path: Path, *, labels: bool = False) -> None:
    """Show the differences line by line, and exit with DRIFT if there are any."""
    sync = _compared(db, remote, path, labels=labels)
    for name, change in sync.changes.items():
        if change is not Change.SAME:
            _print_diff(sync, name)
    raise typer.Exit(DRIFT if sync.drift else 0)


def pull(
    db: Client,
    remote: Remote,
    path: Path,
    *,
    force: bool,
    delete: bool,
    labels: bool = False,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write into the folder what changed in the database since the last time."""
    sync = Sync(Folder(path, remote.kind), remote.heads(db), labels=labels)
    actions = sync.pulled(force=force, delete=delete)
    _carry_out(sync, actions, lambda: sync.pull(actions), dry_run=dry_run, as_json=as_json)


def push(
    db: Client,
    remote: Remote,
    path: Path,
    *,
    force: bool,
    delete: bool,
    labels: bool = False,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write into the database what changed in the folder since the last time."""
    sync = _compared(db, remote, path, labels=labels)
    actions = sync.pushed(force=force, delete=delete)
    pushes = [
        Push(name, sync.folder.documents.get(name), sync.there.get(name))
        for name, done in actions.items()
        if done in (Action.WRITE, Action.REMOVE)
    ]

    remote.check(pushes)

    def do() -> None:
        sync.settle(actions, remote.publish(db, pushes) if pushes else {})

    _carry_out(sync, actions, do, dry_run=dry_run, as_json=as_json)


def _compared(db: Client, remote: Remote, path: Path, *, labels: bool) -> Sync:
    if not path.is_dir():  # to take a mistyped one for empty would remove all
        raise typer.BadParameter(f"there is no folder {str(path)!r:.200}; a pull makes it.")
    return Sync(Folder(path, remote.kind), remote.heads(db), labels=labels)


def _carry_out(
    sync: Sync,
    actions: Mapping[str, Action],
    do: Callable[[], None],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Do all or, where anything is in conflict, nothing; and say what was done."""
    conflicts = [name for name, done in actions.items() if done is Action.CONFLICT]
    described = _described(sync)  # before it changes
    if not (dry_run or conflicts):
        do()
    planned = dry_run or bool(conflicts)
    for each in described:
        done = actions[each["name"]]
        each["action"] = str(done)
        each["done"] = SAID[done][not planned]
    if as_json:
        print_json({"done": not planned, "conflicts": len(conflicts), "changes": described})
    else:
        _print_done(described, conflicts, planned=planned)
    raise typer.Exit(CONFLICT if conflicts else 0)


def _described(sync: Sync) -> list[dict[str, str]]:
    return [
        {"name": name, "change": str(change), "file": str(sync.folder.path_of(name))}
        for name, change in sync.changes.items()
        if change is not Change.SAME
    ]


def _print(sync: Sync, columns: Sequence[str]) -> None:
    rows = [[each[column] for column in columns] for each in _described(sync)]
    print_table(columns, rows, f"No drift: {len(sync.changes)} {sync.folder.kind.name} are alike.")


def _print_done(
    described: Sequence[Mapping[str, str]], conflicts: Sequence[str], *, planned: bool
) -> None:
    rows = [
        (each["name"], each["change"], each["done"], each["file"])
        for each in described
        if each["done"]
    ]
    print_table(("name", "change", "done", "file"), rows, "Nothing to do.")
    if conflicts:
        names = ", ".join(f"{name!r:.80}" for name in conflicts)
        typer.echo(
            f"draive-pg: nothing was done, for both sides changed {names}: look at it with diff, "
            "then keep what is there with pull --force, or what is here with push --force",
            err=True,
        )
    elif planned and rows:
        typer.echo("Nothing was done yet.", err=True)


def _print_diff(sync: Sync, name: str) -> None:
    path = sync.folder.path_of(name)
    head = sync.there.get(name)
    there = None if head is None else head.document
    if there is not None and not sync.labels:
        here = sync.folder.documents.get(name)
        there = there.with_labels(() if here is None else here.labels)
    sides = (there, sync.folder.documents.get(name))
    before, after = (
        [] if side is None else side.written(path.suffix).decode().split("\n")[:-1]
        for side in sides
    )
    print_diff(unified_diff(before, after, f"there/{path}", f"here/{path}", lineterm=""))
