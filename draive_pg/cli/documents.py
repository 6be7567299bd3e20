"""``draive-pg prompts|configs``: revisions and labels; both groups have the same commands."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from draive_pg.api.documents import Documents
from draive_pg.cli.folders import add_folder_commands
from draive_pg.cli.kinds import Kind, command
from draive_pg.cli.options import (
    AsJson,
    Author,
    Dsn,
    Expected,
    Message,
    Schema,
    Yes,
    confirm,
    document,
    opened,
    read_file,
    timestamp,
)
from draive_pg.cli.output import echo, print_diff, print_json, print_records, print_stored
from draive_pg.codec.timestamps import check_timestamp
from draive_pg.database import Database

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
MOVES = ("label", "revision", "moved", "author", "message")


def group(kind: Kind) -> typer.Typer:
    """Return the command group of a kind of documents."""
    app = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help=HELP.replace("<noun>", kind.noun)
    )
    _add_reading_commands(app, kind)
    _add_writing_commands(app, kind)
    _add_label_commands(app, kind)
    add_folder_commands(app, kind)
    return app


def _add_reading_commands(app: typer.Typer, kind: Kind) -> None:
    @command(app, kind, "list")
    def list_(*, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False) -> None:
        """List <noun>s with their current revisions.

        \b
        Examples:
          draive-pg <command> list
          draive-pg <command> list --json | jq '.[].revision'
        """
        with opened(dsn, schema) as db:
            found = kind.namespace(db).list()
        names = (kind.key, *COLUMNS[:3], *kind.columns)
        print_records(found, *names, as_json=as_json, empty=f"There are no {kind.noun}s.")

    @command(app, kind)
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
            documents = _documents(kind, db)
            found = documents.revision(name, _revision(documents, name, revision))
        if as_json:
            print_json(found)
        else:
            text = kind.document.of_revision(found).encode(kind.suffix).decode()
            print_stored(text)

    @command(app, kind)
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
            documents = kind.namespace(db)
            found = documents.label_history(name) if moves else documents.history(name)
        empty = f"No moves of {name!r:.80}." if moves else f"There is no {kind.noun} {name!r:.80}."
        columns = MOVES if moves else COLUMNS
        print_records(found, *columns, as_json=as_json, empty=empty)
        raise typer.Exit(0 if found else 1)

    @command(app, kind)
    def compare(
        name: Name,
        before: Revision,
        after: OptionalRevision = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
    ) -> None:
        """Compare two revisions of a <noun>.

        \b
        Examples:
          draive-pg <command> compare <name> production
          draive-pg <command> compare <name> 3 5
        """
        with opened(dsn, schema) as db:
            documents = _documents(kind, db)
            sides = (_revision(documents, name, each) for each in (before, after))
            print_diff(str(documents.diff(name, *sides)).splitlines())

    @command(app, kind)
    def search(
        text: Annotated[
            str | None,
            typer.Argument(metavar="TEXT", help="In name, content, description or message."),
        ] = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        meta: Annotated[
            str | None,
            typer.Option(metavar="JSON", help='Meta contains this: \'{"lang": "en"}\'.'),
        ] = None,
        since: Annotated[
            str | None, typer.Option(metavar="TIME", help="Written at this time or later.")
        ] = None,
        until: Annotated[
            str | None, typer.Option(metavar="TIME", help="Written before this time.")
        ] = None,
        author: Annotated[str | None, typer.Option(metavar="TEXT", help="Written by.")] = None,
        label: Annotated[str | None, typer.Option(metavar="LABEL", help="With this label.")] = None,
        current: Annotated[bool, typer.Option("--current", help="Only current revisions.")] = False,
        limit: Annotated[
            int | None, typer.Option(metavar="NUMBER", help="At most this many.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Find revisions of all <noun>s.

        All conditions must hold.

        \b
        Examples:
          draive-pg <command> search refund --current
          draive-pg <command> search --since 2026-01-01 --author ada
        """
        conditions: dict[str, Any] = {
            "meta": document(meta, "--meta"),
            "since": timestamp(since, "--since"),
            "until": timestamp(until, "--until"),
        }
        with opened(dsn, schema) as db:
            found = kind.namespace(db).search(
                text, author=author, label=label, current=current, limit=limit, **conditions
            )
        print_records(found, kind.key, *COLUMNS, as_json=as_json, empty="Nothing was found.")


def _add_writing_commands(app: typer.Typer, kind: Kind) -> None:
    @command(app, kind)
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
            typer.Option(kind.option, metavar=kind.metavar, help="The content, without a file."),
        ] = None,
        label: Annotated[
            list[str] | None,
            typer.Option(metavar="LABEL", help="Label the revision; can be repeated."),
        ] = None,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        as_json: AsJson = False,
    ) -> None:
        """Write a new revision of a <noun>.

        Nothing is written if the current one is equal. The file is like those of show and pull.
        What a prompt's front matter does not contain stays as it was; its labels are ignored: use
        --label.

        \b
        Examples:
          draive-pg <command> define <name> <name><suffix> -m 'Friendlier'
          draive-pg <command> define <name> <option> <value> --label staging
          draive-pg <command> define <name> <name><suffix> --expected 4
        """
        if (file is None) == (value is None):
            raise typer.BadParameter(f"give either a FILE (- for stdin) or {kind.option}.")
        if value is not None:
            content = kind.parse(value)
        else:
            path = cast("Path", file)
            content = kind.document.read(read_file(path), path.suffix, str(path))
        with opened(dsn, schema) as db, db.transaction():
            note = {"message": message, "author": author}
            defined = kind.define(db, name, content, expected=expected, **note)
            for each in label or ():
                _documents(kind, db).label(name, each, defined, **note)
            if label:  # read the labels, too
                defined = _documents(kind, db).revision(name, defined)
        _print_current(kind, defined, as_json=as_json)

    @command(app, kind)
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
            documents = _documents(kind, db)
            restored = documents.restore(
                name,
                _revision(documents, name, revision),
                message=message,
                author=author,
                expected=expected,
            )
        _print_current(kind, restored, as_json=as_json)

    @command(app, kind)
    def rename(
        name: Name,
        new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
        *,
        dsn: Dsn = None,
        schema: Schema = None,
    ) -> None:
        """Rename a <noun>.

        Revisions and labels are kept. The new name must not exist yet.

        \b
        Examples:
          draive-pg <command> rename <name> support/<name>
        """
        with opened(dsn, schema) as db:
            kind.namespace(db).rename(name, new)
        echo(f"Renamed {name!r:.80} to {new!r:.80}.")

    @command(app, kind)
    def remove(name: Name, *, dsn: Dsn = None, schema: Schema = None, yes: Yes = False) -> None:
        """Remove all revisions of a <noun>.

        The exit code is 1 if there are none.

        \b
        Examples:
          draive-pg <command> remove <name>
          draive-pg <command> remove <name> --yes
        """
        confirm(f"Remove all revisions of {name!r:.80}?", yes=yes)
        with opened(dsn, schema) as db:
            count = kind.namespace(db).remove(name)
        echo(f"Removed {count} revision{'' if count == 1 else 's'} of {name!r:.80}.")
        raise typer.Exit(0 if count else 1)


def _add_label_commands(app: typer.Typer, kind: Kind) -> None:
    @command(app, kind)
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
            found = kind.namespace(db).labels(name)
        print_records(found, "name", *MOVES, as_json=as_json, empty="There are no labels.")

    @command(app, kind)
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
        as_json: AsJson = False,
    ) -> None:
        """Move a label to a revision of a <noun>.

        \b
        Examples:
          draive-pg <command> label <name> production
          draive-pg <command> label <name> production 3 -m 'Back to the old one' --expected 4
        """
        with opened(dsn, schema) as db:
            documents = _documents(kind, db)
            moved = documents.label(
                name,
                label,
                _revision(documents, name, revision),
                message=message,
                author=author,
                expected=expected,
            )
        if as_json:
            print_json(moved)
        else:
            echo(f"{moved.label} is on revision {moved.revision} of {moved.name}")

    @command(app, kind)
    def unlabel(
        name: Name,
        label: Label,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        message: Message = None,
        author: Author = None,
    ) -> None:
        """Remove a label from a <noun>.

        Its moves are kept. The exit code is 1 if the label is not on any revision.

        \b
        Examples:
          draive-pg <command> unlabel <name> staging
        """
        with opened(dsn, schema) as db:
            removed = kind.namespace(db).unlabel(name, label, message=message, author=author)
        echo("Removed." if removed else f"There is no {label!r:.80} on {name!r:.80}.")
        raise typer.Exit(0 if removed else 1)

    @command(app, kind)
    def promote(
        source: Annotated[str, typer.Argument(metavar="SOURCE", help="The label to follow.")],
        target: Annotated[str, typer.Argument(metavar="TARGET", help="The label to move.")],
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="NAME", help="The names; default: all with the first label."),
        ] = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        message: Message = None,
        author: Author = None,
        as_json: AsJson = False,
    ) -> None:
        """Move a label to where another label is.

        All documents are moved, or none.

        \b
        Examples:
          draive-pg <command> promote staging production -m 'Release 7'
          draive-pg <command> promote staging production <name>
        """
        with opened(dsn, schema) as db:
            moved = kind.namespace(db).promote(
                source, target, names or None, message=message, author=author
            )
        print_records(moved, "name", *MOVES, as_json=as_json, empty=f"No label {source!r:.80}.")


def _documents(kind: Kind, db: Any) -> Documents[Database, str, Any]:
    return cast("Documents[Database, str, Any]", kind.namespace(db))


def _revision(
    documents: Documents[Database, str, Any], name: str, text: str | None
) -> int | str | datetime | None:
    """Parse REVISION; a label that also reads as a time is a label."""
    if text is None or not text[:1].isdecimal():
        return text
    if text.isdecimal():
        return int(text)
    try:
        time = check_timestamp(text, "REVISION")
    except ValueError:
        return text
    return text if any(each.label == text for each in documents.labels(name)) else time


def _print_current(kind: Kind, record: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(record)
    else:
        name = getattr(record, kind.key)
        echo(f"{name} is at revision {record.revision} of {record.created}")
