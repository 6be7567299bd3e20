"""``draive-pg prompts|configs``: revisions and labels; both groups have the same commands."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from draive_pg.cli.folders import add_folder_commands
from draive_pg.cli.kinds import CommandGroup, command, documents_of, revision_of
from draive_pg.cli.options import (
    AsJson,
    Author,
    Dsn,
    Expected,
    Message,
    Schema,
    Since,
    Strict,
    Until,
    Yes,
    author_of,
    confirm,
    json_option,
    opened,
    read_file,
)
from draive_pg.cli.output import print_diff, print_json, print_records, print_result, print_stored
from draive_pg.cli.releases import MOVES, add_release_commands
from draive_pg.display.text import plural, printable
from draive_pg.errors import warn

HELP = """Revisions and labels of <noun>s, and folders of them.

Each definition of a <noun> adds a revision; the newest is the current one. A label, such as
production, is on one revision and can be moved. REVISION is a number, a label, or a time, for the
revision that was current then (2026-01-02T12:00Z; without an offset it is UTC).

Exit codes: 0 success, 1 failure, 2 wrong usage, 3 drift (status and diff), 4 conflict: somebody
else changed it, and nothing was done.
"""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name.")]
Label = Annotated[str, typer.Argument(metavar="LABEL", help="Such as production.")]
Revision = Annotated[str, typer.Argument(metavar="REVISION", help="Number, label or time.")]
OptionalRevision = Annotated[
    str | None,
    typer.Argument(metavar="REVISION", help="Number, label or time; default: the current one."),
]
COLUMNS = ("revision", "created", "labels", "author", "message")


def make_group(group: CommandGroup) -> typer.Typer:
    """Return the command group of a kind of documents."""
    app = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help=HELP.replace("<noun>", group.noun)
    )
    _add_reading_commands(app, group)
    _add_writing_commands(app, group)
    _add_label_commands(app, group)
    add_release_commands(app, group)
    add_folder_commands(app, group)
    return app


def _add_reading_commands(app: typer.Typer, group: CommandGroup) -> None:
    @command(app, group, "list")
    def list_(*, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False) -> None:
        """List <noun>s with their current revisions.

        \b
        Examples:
          draive-pg <command> list
          draive-pg <command> list --json | jq '.[].revision'
        """
        with opened(dsn, schema) as db:
            found = group.namespace(db).list()
        names = (group.key, *COLUMNS[:3], *group.columns)
        print_records(found, *names, as_json=as_json, empty=f"There are no {group.noun}s.")

    @command(app, group)
    def show(
        name: Name,
        revision: OptionalRevision = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        as_json: AsJson = False,
    ) -> None:
        """Print a <noun> as its file.

        With --json, print the whole revision.

        \b
        Examples:
          draive-pg <command> show <name>
          draive-pg <command> show <name> production > <name><suffix>
          draive-pg <command> show <name> 3 --json | jq .content
        """
        with opened(dsn, schema) as db:
            documents = documents_of(group, db)
            found = documents.revision(name, revision_of(documents, name, revision))
        if as_json:
            print_json(found)
        else:
            content = group.content.of_revision(found)
            if not group.shows_labels:
                content = content.with_labels(())
            print_stored(content.encode(group.suffix).decode())

    @command(app, group)
    def history(
        name: Name,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        moves: Annotated[
            bool, typer.Option("--labels", help="Show label moves instead of revisions.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """List the revisions or label moves of a <noun>.

        The newest is first.

        \b
        Examples:
          draive-pg <command> history <name>
          draive-pg <command> history <name> --labels
        """
        with opened(dsn, schema) as db:
            documents = group.namespace(db)
            found = documents.label_history(name) if moves else documents.history(name)
        empty = f"No moves of {name!r:.80}." if moves else f"There is no {group.noun} {name!r:.80}."
        columns = MOVES if moves else COLUMNS
        print_records(found, *columns, as_json=as_json, empty=empty)
        raise typer.Exit(0 if found else 1)

    @command(app, group)
    def compare(
        name: Name,
        before: Revision,
        after: OptionalRevision = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        as_json: AsJson = False,
    ) -> None:
        """Compare two revisions of a <noun>.

        To compare a folder with the database, use diff.

        \b
        Examples:
          draive-pg <command> compare <name> production
          draive-pg <command> compare <name> 3 5
          draive-pg <command> compare <name> 3 5 --json | jq .b.content
        """
        with opened(dsn, schema) as db:
            documents = documents_of(group, db)
            sides = (revision_of(documents, name, each) for each in (before, after))
            difference = documents.diff(name, *sides)
        if as_json:
            print_json(difference)
        else:
            print_diff(str(difference).splitlines())

    @command(app, group)
    def search(
        text: Annotated[
            str | None,
            typer.Argument(metavar="TEXT", help="In name, content, description or message."),
        ] = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        meta: Annotated[
            dict[str, Any] | None, json_option('Meta contains this: \'{"lang": "en"}\'.')
        ] = None,
        since: Since = None,
        until: Until = None,
        author: Annotated[str | None, typer.Option(metavar="TEXT", help="Written by.")] = None,
        label: Annotated[str | None, typer.Option(metavar="LABEL", help="With this label.")] = None,
        current: Annotated[bool, typer.Option("--current", help="Only current revisions.")] = False,
        limit: Annotated[
            int | None, typer.Option(metavar="NUMBER", help="At most this many.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Find revisions of all <noun>s.

        All conditions must hold. The exit code is 1 if nothing is found.

        \b
        Examples:
          draive-pg <command> search refund --current
          draive-pg <command> search --since 2026-01-01 --author ada
        """
        with opened(dsn, schema) as db:
            found = group.namespace(db).search(
                text,
                meta=meta,
                since=since,
                until=until,
                author=author,
                label=label,
                current=current,
                limit=limit,
            )
        print_records(found, group.key, *COLUMNS, as_json=as_json, empty="Nothing was found.")
        raise typer.Exit(0 if found else 1)


def _add_writing_commands(app: typer.Typer, group: CommandGroup) -> None:
    @command(app, group)
    def define(
        name: Name,
        file: Annotated[
            Path | None, typer.Argument(metavar="FILE", help="The file; - is standard input.")
        ] = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        value: Annotated[
            str | None,
            typer.Option(group.option, metavar=group.metavar, help="The content, without a file."),
        ] = None,
        label: Annotated[
            list[str] | None,
            typer.Option(metavar="LABEL", help="Label the revision; can be repeated."),
        ] = None,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        strict: Strict = False,
        as_json: AsJson = False,
    ) -> None:
        """Write a new revision of a <noun>.

        Nothing is written if the current one is equal. The file is like those of show and pull.
        What a prompt's front matter does not contain stays as it was. Labels in the file are
        ignored with a warning: use --label.

        \b
        Examples:
          draive-pg <command> define <name> <name><suffix> -m 'Friendlier'
          draive-pg <command> define <name> <option> <value> --label staging
          draive-pg <command> define <name> <name><suffix> --expected 4
        """
        if (file is None) == (value is None):
            raise typer.BadParameter(f"give either a FILE (- for stdin) or {group.option}.")
        if value is not None:
            content = group.parse(value)
        else:
            path = cast("Path", file)
            content = group.content.read(read_file(path), path.suffix, str(path))
            if ignored := {*dict(content.labels)} - {*(label or ())}:
                options = " ".join(f"--label {each!r:.60}" for each in sorted(ignored))
                warn(f"the labels in {str(path)!r:.200} are not moved; use {options}", UserWarning)
        with opened(dsn, schema) as db, db.transaction():
            note: dict[str, Any] = {"message": message, "author": author_of(db, author)}
            defined = group.define(db, name, content, expected=expected, strict=strict, **note)
            for each in label or ():
                documents_of(group, db).label(name, each, defined, **note)
            if label:  # read the labels, too
                defined = documents_of(group, db).revision(name, defined)
        _print_current(group, defined, as_json=as_json)

    @command(app, group)
    def restore(
        name: Name,
        revision: Revision,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        as_json: AsJson = False,
    ) -> None:
        """Write a copy of an old revision of a <noun>.

        It becomes the current revision.

        \b
        Examples:
          draive-pg <command> restore <name> 3 -m 'The new one confused people'
        """
        with opened(dsn, schema) as db:
            documents = documents_of(group, db)
            restored = documents.restore(
                name,
                revision_of(documents, name, revision),
                message=message,
                author=author_of(db, author),
                expected=expected,
            )
        _print_current(group, restored, as_json=as_json)

    @command(app, group)
    def rename(
        name: Name,
        new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        as_json: AsJson = False,
    ) -> None:
        """Rename a <noun>.

        Revisions and labels are kept. The new name must not exist yet.

        \b
        Examples:
          draive-pg <command> rename <name> support/<name>
        """
        with opened(dsn, schema) as db:
            renamed = documents_of(group, db).rename(
                name, new, message=message, author=author_of(db, author), expected=expected
            )
        print_result(renamed, f"Renamed {name!r:.80} to {new!r:.80}.", as_json=as_json)

    @command(app, group)
    def remove(
        name: Name,
        revision: OptionalRevision = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        labelled: Annotated[
            bool, typer.Option("--labelled", help="Remove it even if a label is on it.")
        ] = False,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        """Remove a <noun>, or one revision of it.

        Numbers of removed revisions are not used again. The exit code is 1 if nothing was removed.

        \b
        Examples:
          draive-pg <command> remove <name>
          draive-pg <command> remove <name> 2
          draive-pg <command> remove <name> --labelled --yes
        """
        what = "all revisions" if revision is None else f"revision {revision!r:.60}"
        confirm(f"Remove {what} of {name!r:.80}?", yes=yes)
        with opened(dsn, schema) as db:
            documents = documents_of(group, db)
            count = documents.remove(
                name,
                revision=revision_of(documents, name, revision),
                labelled=labelled,
                message=message,
                author=author_of(db, author),
                expected=expected,
            )
        text = f"Removed {plural(count, 'revision')} of {name!r:.80}."
        print_result({"name": name, "removed": count}, text, as_json=as_json)
        raise typer.Exit(0 if count else 1)


def _add_label_commands(app: typer.Typer, group: CommandGroup) -> None:
    @command(app, group)
    def labels(
        name: Annotated[
            str | None, typer.Argument(metavar="NAME", help="The name; default: all.")
        ] = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        as_json: AsJson = False,
    ) -> None:
        """List labels and their revisions.

        \b
        Examples:
          draive-pg <command> labels
          draive-pg <command> labels <name> --json
        """
        with opened(dsn, schema) as db:
            found = group.namespace(db).labels(name)
        print_records(found, "name", *MOVES, as_json=as_json, empty="There are no labels.")

    @command(app, group)
    def label(
        name: Name,
        label: Label,
        revision: OptionalRevision = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        strict: Strict = False,
        as_json: AsJson = False,
    ) -> None:
        """Move a label to a revision of a <noun>.

        \b
        Examples:
          draive-pg <command> label <name> production
          draive-pg <command> label <name> production 3 -m 'Back to the old one' --expected 4
        """
        with opened(dsn, schema) as db:
            documents = documents_of(group, db)
            moved = documents.label(
                name,
                label,
                revision_of(documents, name, revision),
                message=message,
                author=author_of(db, author),
                expected=expected,
                strict=strict,
            )
        text = f"{moved.label} is on revision {moved.revision} of {moved.name}"
        print_result(moved, text, as_json=as_json)

    @command(app, group)
    def unlabel(
        name: Name,
        label: Label,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        as_json: AsJson = False,
    ) -> None:
        """Remove a label from a <noun>.

        Its moves are kept. The exit code is 1 if the label is not on any revision.

        \b
        Examples:
          draive-pg <command> unlabel <name> staging
        """
        with opened(dsn, schema) as db:
            removed = group.namespace(db).unlabel(
                name, label, message=message, author=author_of(db, author), expected=expected
            )
        result = {"name": name, "label": label, "removed": removed}
        text = "Removed." if removed else f"There is no {label!r:.80} on {name!r:.80}."
        print_result(result, text, as_json=as_json)
        raise typer.Exit(0 if removed else 1)


def _print_current(group: CommandGroup, record: Any, *, as_json: bool) -> None:
    name = getattr(record, group.key)
    text = f"{name} is at revision {record.revision} of {printable(record.created)}"
    print_result(record, text, as_json=as_json)
