"""``draive-pg prompts|configs pull|push|status|diff``: folders of files."""

from pathlib import Path
from typing import Annotated

import typer

from draive_pg import FolderStatus
from draive_pg.cli.kinds import CommandGroup, command
from draive_pg.cli.options import AsJson, Author, Dsn, Message, Schema, Yes, confirm, opened
from draive_pg.cli.output import CONFLICT, DRIFT, echo, print_diff, print_json, print_table
from draive_pg.display.text import plural


def _existing(path: Path) -> Path:
    if not path.is_dir():
        raise typer.BadParameter(f"there is no folder {str(path)!r:.200}; a pull creates it.")
    return path


NewFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the files.")]
Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="The folder of the files.", callback=_existing)
]
Labels = Annotated[bool, typer.Option("--labels", help="Compare and carry over labels, too.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
ForceFolder = Annotated[bool, typer.Option("--force", help="Let the folder win conflicts.")]
ForceDatabase = Annotated[bool, typer.Option("--force", help="Let the database win conflicts.")]
Delete = Annotated[
    bool, typer.Option("--delete", help="Remove what was removed on the other side, too.")
]

# By action: planned, and carried out.
ACTION_TEXT = {
    "write": ("to write", "written"),
    "remove": ("to remove", "removed"),
    "keep": ("kept, without --delete", "kept, without --delete"),
    "conflict": ("conflict", "conflict"),
    "nothing": ("", ""),
}


def add_folder_commands(app: typer.Typer, group: CommandGroup) -> None:
    """Add the commands about a folder of one kind of documents."""

    @command(app, group)
    def pull(
        folder: NewFolder,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        labels: Labels = False,
        force: ForceDatabase = False,
        delete: Delete = False,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Write changes of the database into a folder.

        Changes are relative to the last pull or push, which the file .draive_pg.json in the folder
        records: keep it in git with the others.

        <files>

        If a <noun> changed on both sides, nothing is written, and the exit code is 4. Files of
        <noun>s that were removed stay without --delete. Labels are ignored without --labels.

        \b
        Examples:
          draive-pg <command> pull <folder>
          draive-pg <command> pull <folder> --dry-run
          draive-pg <command> pull <folder> --delete
        """
        with opened(dsn, schema) as db:
            result = group.namespace(db).pull(
                folder, labels=labels, force=force, delete=delete, dry_run=dry_run
            )
        _report(result, as_json=as_json)

    @command(app, group)
    def push(
        folder: Folder,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        labels: Labels = False,
        force: ForceFolder = False,
        delete: Delete = False,
        message: Message = None,
        author: Author = None,
        dry_run: DryRun = False,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        """Write changes of a folder into the database.

        Changes are relative to the last pull or push. All are written in one transaction. If a
        <noun> changed on both sides, or is written by somebody else at the same time, nothing is
        written, and the exit code is 4.

        With --delete, documents whose files were removed are removed with all their revisions. It
        asks for confirmation; without a terminal, it needs --yes. If a label is on one of them, it
        needs --labels, too.

        Labels stay where they are. With --labels, those listed in a file move to the new revision,
        and those no longer listed are removed from it.

        \b
        Examples:
          draive-pg <command> push <folder> -m 'Friendlier greetings'
          draive-pg <command> push <folder> --dry-run
          draive-pg <command> push <folder> --author "$USER"
        """
        with opened(dsn, schema) as db:

            def run(*, dry_run: bool) -> FolderStatus:
                return group.namespace(db).push(
                    folder,
                    labels=labels,
                    force=force,
                    delete=delete,
                    dry_run=dry_run,
                    message=message,
                    author=author,
                )

            if delete and not (dry_run or yes):
                planned = run(dry_run=True)
                removed = [each.name for each in planned.changes if each.action == "remove"]
                if removed and not planned.conflicts:
                    names = ", ".join(f"{name!r:.80}" for name in removed)
                    confirm(f"Remove all revisions of {names}?", yes=False)
            result = run(dry_run=dry_run)
        _report(result, as_json=as_json)

    @command(app, group)
    def status(
        folder: Folder,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        labels: Labels = False,
        as_json: AsJson = False,
    ) -> None:
        """List differences between a folder and the database.

        The exit code is 3 if there are any.

        \b
        Examples:
          draive-pg <command> status <folder>
          draive-pg <command> status <folder> --json | jq -r '.changes[].name'
        """
        with opened(dsn, schema) as db:
            result = group.namespace(db).status(folder, labels=labels)
        if as_json:
            changes = [_members(each, "name", "change", "file") for each in result.changes]
            print_json({"drift": result.drift, "changes": changes})
        else:
            rows = [(each.name, each.change, each.file) for each in result.changes]
            empty = f"No drift: {plural(result.unchanged, group.noun)} unchanged."
            print_table(("name", "change", "file"), rows, empty)
        raise typer.Exit(DRIFT if result.drift else 0)

    @command(app, group)
    def diff(
        folder: Folder, *, dsn: Dsn = None, schema: Schema = None, labels: Labels = False
    ) -> None:
        """Show differences between a folder and the database.

        The exit code is 3 if there are any. To compare two revisions in the database, use compare.

        \b
        Examples:
          draive-pg <command> diff <folder>
        """
        with opened(dsn, schema) as db:
            result = group.namespace(db).diff_folder(folder, labels=labels)
        print_diff(str(result).splitlines())
        raise typer.Exit(DRIFT if result else 0)


def _members(record: object, *names: str) -> dict[str, object]:
    return {name: getattr(record, name) for name in names}


def _report(result: FolderStatus, *, as_json: bool) -> None:
    """Print what a push or a pull did or would do, and exit with 4 after a conflict."""
    changes = [
        {
            **_members(each, "name", "change", "file", "action"),
            "done": ACTION_TEXT[each.action or "nothing"][result.done],
        }
        for each in result.changes
    ]
    if as_json:
        conflicts = len(result.conflicts)
        print_json({"done": result.done, "conflicts": conflicts, "changes": changes})
    else:
        columns = ("name", "change", "done", "file")
        rows = [[each[column] for column in columns] for each in changes if each["done"]]
        print_table(columns, rows, "Nothing to do.")
        if result.conflicts:
            names = ", ".join(f"{name!r:.80}" for name in result.conflicts)
            echo(
                f"draive-pg: nothing was done: both sides changed {names}: compare them with diff, "
                "then take the database's with pull --force, or the folder's with push --force",
                err=True,
            )
        elif rows and not result.done:
            echo("Dry run: nothing was done.", err=True)
    raise typer.Exit(CONFLICT if result.conflicts else 0)
