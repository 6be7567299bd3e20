"""``draive-pg prompts|configs pull|push|status|diff|check``: folders of files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from draive_pg import FolderStatus
from draive_pg.cli.classes import class_option, classes_of
from draive_pg.cli.kinds import CommandGroup, command
from draive_pg.cli.options import (
    AsJson,
    Author,
    Dsn,
    Message,
    Schema,
    Strict,
    Yes,
    author_of,
    confirm,
    opened,
    target_of,
)
from draive_pg.cli.output import CONFLICT, DRIFT, echo, print_diff, print_json, print_table
from draive_pg.display.text import plural
from draive_pg.sync.check import check_folder


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
ForceFolder = Annotated[
    bool, typer.Option("--force", help="Make the database as the folder is, whoever changed it.")
]
ForceDatabase = Annotated[
    bool, typer.Option("--force", help="Make the folder as the database is, whoever changed it.")
]
Delete = Annotated[
    bool, typer.Option("--delete", help="Remove what was removed on the other side, too.")
]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Carry over what has no conflict; still exit with 4.")
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Only these names or patterns, as 'support/*'."),
]
Prefix = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Only names that start with this.")
]

# By action: planned, and carried out.
ACTION_TEXT = {
    "write": ("to write", "written"),
    "rename": ("to rename", "renamed"),
    "remove": ("to remove", "removed"),
    "keep": ("kept, without --delete", "kept, without --delete"),
    "conflict": ("conflict", "conflict"),
    "nothing": ("", ""),
}


def add_folder_commands(app: typer.Typer, group: CommandGroup) -> None:
    """Add the commands about a folder of one kind of documents."""
    _add_transfers(app, group)
    _add_comparisons(app, group)


def _add_transfers(app: typer.Typer, group: CommandGroup) -> None:
    @command(app, group)
    def pull(
        folder: NewFolder,
        names: Names = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        prefix: Prefix = None,
        labels: Labels = False,
        force: ForceDatabase = False,
        delete: Delete = False,
        keep_going: KeepGoing = False,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Write changes of the database into a folder.

        Changes are relative to what folder and database had in common, which the database records.

        <files>

        If a <noun> changed on both sides, nothing is written, and the exit code is 4. Files of
        <noun>s that were removed stay without --delete. Labels are ignored without --labels.

        The file .draive_pg_ignore has names to ignore: one name or pattern per line.

        \b
        Examples:
          draive-pg <command> pull <folder>
          draive-pg <command> pull <folder> --dry-run
          draive-pg <command> pull <folder> --prefix support/ --delete
          draive-pg <command> pull <folder> <name> --force
        """
        with opened(dsn, schema) as db:
            target = _announce("Pull", "from", db)
            result = group.namespace(db).pull(
                folder,
                names or None,
                prefix=prefix,
                labels=labels,
                force=force,
                delete=delete,
                keep_going=keep_going,
                dry_run=dry_run,
            )
        _report(result, target, "The folder", "push", as_json=as_json)

    @command(app, group)
    def push(
        folder: Folder,
        names: Names = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        prefix: Prefix = None,
        labels: Labels = False,
        force: ForceFolder = False,
        delete: Delete = False,
        keep_going: KeepGoing = False,
        strict: Strict = False,
        classes: Annotated[list[str] | None, class_option(group)] = None,
        message: Message = None,
        author: Author = None,
        dry_run: DryRun = False,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        """Write changes of a folder into the database.

        Changes are relative to what folder and database had in common. All are written in one
        transaction. If a <noun> changed on both sides, or is written by somebody else at the same
        time, nothing is written, and the exit code is 4. A file with another name and the same
        content renames its <noun>, with history and labels.

        With --delete, documents whose files were removed are removed with all their revisions. It
        asks for confirmation; without a terminal, it needs --yes. If a label is on one of them, it
        needs --labels, too.

        Labels stay where they are. With --labels, those listed in a file move to the new revision,
        and those no longer listed are removed from it.

        \b
        Examples:
          draive-pg <command> push <folder> -m 'Friendlier greetings'
          draive-pg <command> push <folder> --dry-run
          draive-pg <command> push <folder> --prefix support/ --strict
          draive-pg <command> push <folder> <name> --force
        """
        with opened(dsn, schema) as db:
            target = _announce("Push", "to", db)
            author = author_of(db, author)
            checked = classes_of(classes)

            def run(*, dry_run: bool) -> FolderStatus:
                return group.namespace(db).push(
                    folder,
                    names or None,
                    prefix=prefix,
                    labels=labels,
                    force=force,
                    delete=delete,
                    keep_going=keep_going,
                    dry_run=dry_run,
                    strict=strict,
                    classes=checked,
                    message=message,
                    author=author,
                )

            if delete and not (dry_run or yes):
                planned = run(dry_run=True)
                removed = [each.name for each in planned.changes if each.action == "remove"]
                if removed and (keep_going or not planned.conflicts):
                    shown = ", ".join(f"{name!r:.80}" for name in removed)
                    confirm(f"Remove all revisions of {shown} from {target}?", yes=False)
            result = run(dry_run=dry_run)
        _report(result, target, "The database", "pull", as_json=as_json)


def _add_comparisons(app: typer.Typer, group: CommandGroup) -> None:
    @command(app, group)
    def status(
        folder: Folder,
        names: Names = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        prefix: Prefix = None,
        labels: Labels = False,
        as_json: AsJson = False,
    ) -> None:
        """List differences between a folder and the database.

        The exit code is 3 if there are any.

        \b
        Examples:
          draive-pg <command> status <folder>
          draive-pg <command> status <folder> --prefix support/
          draive-pg <command> status <folder> --json | jq -r '.changes[].name'
        """
        with opened(dsn, schema) as db:
            target = target_of(db)
            result = group.namespace(db).status(folder, names or None, prefix=prefix, labels=labels)
        if as_json:
            print_json({"target": target, **_members(result, "drift", "unread", "changes")})
        else:
            rows = [(each.name, each.change, each.file) for each in result.changes]
            empty = f"No drift: {plural(result.unchanged, group.noun)} unchanged in {target}."
            print_table(("name", "change", "file"), rows, empty)
            _print_unread(result.unread)
        raise typer.Exit(DRIFT if result.drift else 0)

    @command(app, group)
    def diff(
        folder: Folder,
        names: Names = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        prefix: Prefix = None,
        labels: Labels = False,
        as_json: AsJson = False,
    ) -> None:
        """Show differences between a folder and the database.

        The exit code is 3 if there are any. To compare two revisions in the database, use compare.

        \b
        Examples:
          draive-pg <command> diff <folder>
          draive-pg <command> diff <folder> <name>
        """
        with opened(dsn, schema) as db:
            result = group.namespace(db).diff_folder(
                folder, names or None, prefix=prefix, labels=labels
            )
        if as_json:
            print_json(result)
        else:
            print_diff(str(result).splitlines())
        raise typer.Exit(DRIFT if result else 0)

    @command(app, group)
    def check(
        folder: Folder,
        *,
        strict: Strict = False,
        classes: Annotated[list[str] | None, class_option(group)] = None,
        as_json: AsJson = False,
    ) -> None:
        """Check the files of a folder, without a database.

        The exit code is 1 if a push would refuse a file, and with --strict, if it would warn. With
        --class, unknown keys and wrong types of configurations are errors.

        \b
        Examples:
          draive-pg <command> check <folder>
          draive-pg <command> check <folder> --strict --json
        """
        result = check_folder(group.files_kind, folder, classes=classes_of(classes))
        if as_json:
            print_json({**_members(result, "names", "unread", "problems"), "valid": result.valid})
        else:
            rows = [
                (each.file, "error" if each.fatal or strict else "warning", each.problem)
                for each in result.problems
            ]
            empty = f"No problems: {plural(len(result.names), group.noun)} checked."
            print_table(("file", "severity", "problem"), rows, empty)
            _print_unread(result.unread)
        raise typer.Exit(0 if result.valid and not (strict and result.problems) else 1)


def _announce(verb: str, preposition: str, db: Any) -> str:
    """Print what is about to be read or written, and return it."""
    target = target_of(db)
    echo(f"{verb} {preposition} {target}", err=True)
    return target


def _members(record: object, *names: str) -> dict[str, object]:
    return {name: getattr(record, name) for name in names}


def _print_unread(unread: tuple[str, ...]) -> None:
    if unread:
        echo(f"draive-pg: not read: {', '.join(unread)}", err=True)


def _report(result: FolderStatus, target: str, other: str, opposite: str, *, as_json: bool) -> None:
    """Print what a push or a pull did or would do, and exit with 4 after a conflict.

    Changes of the `other` side only are for the `opposite` command.
    """
    changes = [
        {
            **_members(each, "name", "change", "file", "action", "renamed_from"),
            "done": ACTION_TEXT[each.action or "nothing"][result.done],
        }
        for each in result.changes
    ]
    if as_json:
        print_json(
            {
                "target": target,
                "done": result.done,
                "conflicts": len(result.conflicts),
                "unread": result.unread,
                "changes": changes,
            }
        )
    else:
        columns = ("name", "change", "done", "file")
        rows = [[each[column] for column in columns] for each in changes if each["done"]]
        print_table(columns, rows, "Nothing to do.")
        _print_unread(result.unread)
        left = len([each for each in result.changes if each.action == "nothing"])
        if left:
            echo(f"{other} has {plural(left, 'change')} of its own: use {opposite}.", err=True)
        if result.conflicts:
            names = ", ".join(f"{name!r:.80}" for name in result.conflicts)
            rest = "the rest was done" if result.done else "nothing was done"
            echo(
                f"draive-pg: {rest}: both sides changed {names}: compare them with diff, "
                "then take the database's with pull NAME --force, or the folder's with push NAME "
                "--force",
                err=True,
            )
        elif rows and not result.done:
            echo(f"Dry run: nothing was done in {target}.", err=True)
        elif rows:
            echo(f"Done: {target}", err=True)
    raise typer.Exit(CONFLICT if result.conflicts else 0)
