"""``draive-pg prompts define|restore|label|unlabel|remove``: what changes prompts."""

from pathlib import Path
from typing import Annotated, cast

import typer

from draive_pg import Revision
from draive_pg.cli.options import (
    AsJson,
    Author,
    Dsn,
    Expected,
    Message,
    Schema,
    Yes,
    confirm,
    opened,
    read_file,
)
from draive_pg.cli.output import print_json
from draive_pg.cli.prompts import Name, Wanted, target
from draive_pg.sync.formats import Prompt

__all__ = ("app",)

app = typer.Typer()


@app.command()
def define(
    name: Name,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The prompt as a file; - is stdin.")
    ] = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    content: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The text, in place of a file.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Put on the revision at once; can be repeated."),
    ] = None,
    message: Message = None,
    author: Author = None,
    expected: Expected = None,
    as_json: AsJson = False,
) -> None:
    """Write a new revision of a prompt.

    Nothing is written where the newest one is the same.

    A file may begin with front matter, as show prints it, for description, arguments and meta; what
    it does not have stays as it was. The line feed that ends a file is no part of the text.

    \b
    Examples:
      draive-pg prompts define greeting greeting.md -m 'Friendlier'
      draive-pg prompts define greeting --content 'Hello {name}!' --label staging
      draive-pg prompts define greeting greeting.md --expected 4
    """
    if (file is None) == (content is None):
        raise typer.BadParameter("give either a FILE (- for stdin) or --content.")
    if content is not None:
        prompt = Prompt(content)
    else:
        prompt = Prompt.read(read_file(cast("Path", file)), ".md", str(file))
    with opened(dsn, schema) as db, db.transaction():
        defined = db.instructions.define(
            prompt.declaration(name) if prompt.declares else name,
            content=prompt.content,
            message=message,
            author=author,
            expected=expected,
        )
        for each in label or ():
            db.instructions.label(name, each, defined, message=message, author=author)
    _print_newest(defined, as_json=as_json)


@app.command()
def restore(
    name: Name,
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="Number, label or time.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    message: Message = None,
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Write a new revision that is as an old one was.

    \b
    Examples:
      draive-pg prompts restore greeting 3 -m 'The new one confused people'
    """
    with opened(dsn, schema) as db:
        restored = db.instructions.restore(name, target(revision), message=message, author=author)
    _print_newest(restored, as_json=as_json)


@app.command()
def label(
    name: Name,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Such as production.")],
    revision: Wanted = None,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    message: Message = None,
    author: Author = None,
    expected: Expected = None,
    as_json: AsJson = False,
) -> None:
    """Put a label on a revision of a prompt, or move it there.

    \b
    Examples:
      draive-pg prompts label greeting production
      draive-pg prompts label greeting production 3 -m 'Back to the old one' --expected 4
    """
    with opened(dsn, schema) as db:
        moved = db.instructions.label(
            name, label, target(revision), message=message, author=author, expected=expected
        )
    if as_json:
        print_json(moved)
    else:
        typer.echo(f"{moved.label} is on revision {moved.revision} of {moved.name}")


@app.command()
def unlabel(
    name: Name,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Such as production.")],
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    message: Message = None,
    author: Author = None,
) -> None:
    """Take a label off a prompt.

    Its moves are kept. The exit code is 1 if it was on none.

    \b
    Examples:
      draive-pg prompts unlabel greeting staging
    """
    with opened(dsn, schema) as db:
        removed = db.instructions.unlabel(name, label, message=message, author=author)
    typer.echo("Removed." if removed else f"There is no {label!r:.80} on {name!r:.80}.")
    raise typer.Exit(0 if removed else 1)


@app.command()
def remove(name: Name, *, dsn: Dsn = None, schema: Schema = None, yes: Yes = False) -> None:
    """Remove all revisions of a prompt.

    The exit code is 1 if there were none.

    \b
    Examples:
      draive-pg prompts remove greeting
      draive-pg prompts remove greeting --yes
    """
    confirm(f"Remove all revisions of {name!r:.80}?", yes=yes)
    with opened(dsn, schema) as db:
        count = db.instructions.remove(name)
    typer.echo(f"Removed {count} revision{'' if count == 1 else 's'} of {name!r:.80}.")
    raise typer.Exit(0 if count else 1)


def _print_newest(revision: Revision, *, as_json: bool) -> None:
    if as_json:
        print_json(revision)
    else:
        typer.echo(f"{revision.name} is at revision {revision.revision} of {revision.created}")
