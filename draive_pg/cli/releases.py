"""``draive-pg release|promote|rollback``, for all kinds and in each group: move a label.

Outside a group, names have it as a prefix: ``prompts:greeting``.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import typer

from draive_pg import Release
from draive_pg.cli.kinds import GROUPS, CommandGroup, command, documents_of, revision_of
from draive_pg.cli.options import AsJson, Author, Dsn, Message, Schema, author_of, opened
from draive_pg.cli.output import print_json, print_table

Label = Annotated[str, typer.Argument(metavar="LABEL", help="Such as production.")]
Expected = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=NUMBER",
        help="Only if the label is on this revision now; 0: on none. Can be repeated.",
    ),
]
MOVES = ("label", "revision", "moved", "author", "message")


def add_release_commands(app: typer.Typer, group: CommandGroup | None = None) -> None:
    """Add the commands to a group of one kind, or to the command line for all kinds."""

    @_command(app, group)
    def release(
        label: Label,
        targets: Annotated[
            list[str],
            typer.Argument(
                metavar="NAME[=REVISION]",
                help="Names, with a number, label or time; default: the current revision.",
            ),
        ],
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        as_json: AsJson = False,
    ) -> None:
        """Move a label to revisions of several <noun>s.

        All are moved, or none. After a name that contains =, write another =.

        \b
        Examples:
          draive-pg <command> release production <name> <other>
          draive-pg <command> release production <name>=3 <other>=2 --expected <name>=4
        """
        with opened(dsn, schema) as db:
            wanted: dict[str, Any] = {
                each.labels: {
                    label: {
                        name: revision_of(documents_of(each, db), name, text)
                        for name, text in map(_pair, texts)
                    }
                }
                for each, texts in _by_group(group, targets).items()
            }
            conditions: dict[str, Any] = {
                each.expected: numbers for each, numbers in _numbers(group, expected).items()
            }
            moved = db.release(
                **wanted, **conditions, message=message, author=author_of(db, author)
            )
        _print(group, moved, as_json=as_json)

    @_command(app, group)
    def promote(
        source: Annotated[str, typer.Argument(metavar="SOURCE", help="The label to follow.")],
        target: Annotated[str, typer.Argument(metavar="TARGET", help="The label to move.")],
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="[NAME]...", help="Default: all with the first label."),
        ] = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        as_json: AsJson = False,
    ) -> None:
        """Move a label to where another label is.

        All <noun>s are moved, or none.

        \b
        Examples:
          draive-pg <command> promote staging production -m 'Release 7'
          draive-pg <command> promote staging production <name> --expected <name>=4
        """
        with opened(dsn, schema) as db:
            moved = db.promote(
                source,
                target,
                _chosen(group, names),
                message=message,
                author=author_of(db, author),
                expected=_conditions(group, expected),
            )
        _print(group, moved, as_json=as_json)

    @_command(app, group)
    def rollback(
        label: Label,
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="[NAME]...", help="Default: those that were moved last."),
        ] = None,
        *,
        dsn: Dsn = None,
        schema: Schema = None,
        message: Message = None,
        author: Author = None,
        expected: Expected = None,
        as_json: AsJson = False,
    ) -> None:
        """Move a label to where it was before.

        Without names, the newest release or move of the label is undone. All <noun>s are moved, or
        none. A second roll-back moves the label back again.

        \b
        Examples:
          draive-pg <command> rollback production -m 'People did not like it'
          draive-pg <command> rollback production <name> --expected <name>=4
        """
        with opened(dsn, schema) as db:
            moved = db.rollback(
                label,
                _chosen(group, names),
                message=message,
                author=author_of(db, author),
                expected=_conditions(group, expected),
            )
        _print(group, moved, as_json=as_json)


def _command[F: Callable[..., None]](
    app: typer.Typer, group: CommandGroup | None
) -> Callable[[F], F]:
    if group is not None:
        return command(app, group, other="other")
    words = {"command": "", "noun": "document", "name": "prompts:greeting"}
    return command(app, GROUPS["prompts"], **words, other="configs:limits")


def _by_group(group: CommandGroup | None, texts: Iterable[str]) -> Mapping[CommandGroup, list[str]]:
    """Return names, with what follows them, by their group."""
    if group is not None:
        return {group: list(texts)}
    found: dict[CommandGroup, list[str]] = {}
    for text in texts:
        prefix, colon, name = text.partition(":")
        if not colon or prefix not in GROUPS:
            raise typer.BadParameter(
                f"write {text!r:.80} with what it is, such as prompts:{text:.60}; possible are "
                f"{', '.join(GROUPS)}."
            )
        found.setdefault(GROUPS[prefix], []).append(name)
    return found


def _chosen(
    group: CommandGroup | None, names: list[str] | None
) -> Mapping[str, list[str] | None] | None:
    if names:
        return {each.kind: given for each, given in _by_group(group, names).items()}
    return None if group is None else {group.kind: None}


def _numbers(
    group: CommandGroup | None, expected: list[str] | None
) -> Mapping[CommandGroup, Mapping[str, int]]:
    return {
        each: {name: _number(number) for name, number in map(_pair, texts)}
        for each, texts in _by_group(group, expected or ()).items()
    }


def _conditions(
    group: CommandGroup | None, expected: list[str] | None
) -> Mapping[str, Mapping[str, int]]:
    return {each.kind: numbers for each, numbers in _numbers(group, expected).items()}


def _pair(text: str) -> tuple[str, str | None]:
    """Split ``NAME=VALUE`` or ``NAME``."""
    name, equals, value = text.rpartition("=")
    return (name, value or None) if equals else (text, None)


def _number(text: str | None) -> int:
    if text is None or not text.isdecimal():
        raise typer.BadParameter("--expected must be NAME=NUMBER.")
    return int(text)


def _print(group: CommandGroup | None, moved: Release, *, as_json: bool) -> None:
    moves: dict[str, Any] = {
        name: getattr(moved, each.labels) for name, each in GROUPS.items() if group in (None, each)
    }
    if as_json:
        print_json(moves if group is None else list(moves[group.command]))
        return
    rows = [
        (
            each.name if group else f"{name}:{each.name}",
            *(getattr(each, column) for column in MOVES),
            "moved" if each.changed else "was there",
        )
        for name, found in moves.items()
        for each in found
    ]
    print_table(("name", *MOVES, "result"), rows)
