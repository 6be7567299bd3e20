"""``draive-pg prompts pull|push|status|diff``: folders of prompts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, cast

import typer

from draive_pg import Client, Revision
from draive_pg.cli import syncing
from draive_pg.cli.options import AsJson, Dsn, Schema, opened
from draive_pg.cli.prompt_changes import Author, Message, declaration
from draive_pg.cli.prompts import prompt_of
from draive_pg.cli.syncing import Delete, DryRun, ForceHere, ForceThere, InFolder, Push
from draive_pg.sync.folder import PROMPTS
from draive_pg.sync.formats import Prompt
from draive_pg.sync.plan import Head
from draive_pg.templates import check_declared

__all__ = ("app",)

app = typer.Typer()

Labels = Annotated[bool, typer.Option("--labels", help="Labels count and are carried over, too.")]


class Prompts:
    """The prompts of a database, as the other side of a folder."""

    kind = PROMPTS

    def __init__(
        self, *, labels: bool = False, author: str | None = None, message: str | None = None
    ) -> None:
        self._labels = labels
        self._author = author
        self._message = message
        self._newest: Mapping[str, Revision] = {}

    def heads(self, db: Client) -> Mapping[str, Head]:
        """Return the newest revision of each prompt."""
        self._newest = {each.name: each for each in db.instructions.search(current=True)}
        return {
            name: Head(prompt_of(revision), revision.created)
            for name, revision in self._newest.items()
        }

    def check(self, pushes: Sequence[Push]) -> None:
        """Raise TemplateInvalid for a text that does not fit its arguments."""
        for push in pushes:
            if push.document is None:
                continue
            prompt = self._prompt(push)
            arguments = [argument["name"] for argument in prompt.arguments]
            check_declared(prompt.content, arguments, name=push.name)

    def publish(self, db: Client, pushes: Sequence[Push]) -> Mapping[str, datetime]:
        """Write the prompts, and with ``--labels`` their labels, in one transaction.

        Raises
        ------
        RevisionConflict
            If a prompt has a newer revision than the one that was seen, or is there again.
        """
        seen = {push.name: self._newest.get(push.name, 0) for push in pushes}
        prompts = {push.name: self._prompt(push) for push in pushes}
        kept = {push.name for push in pushes if push.document is not None}
        with db.transaction():
            # What is to be removed is defined as it was, on condition, and nobody else can write
            # it before this transaction ends.
            released = db.release(
                prompts={declaration(name, each): each.content for name, each in prompts.items()},
                labels=self._moves({name: prompts[name].labels for name in kept}),
                expected=seen,
                message=self._message,
                author=self._author,
            )
            for revision in released.prompts:
                if revision.name not in kept:
                    db.instructions.remove(revision.name)
                elif self._labels:
                    self._unlabel(db, revision, prompts[revision.name].labels)
        return {revision.name: revision.created for revision in released.prompts}

    def _prompt(self, push: Push) -> Prompt:
        if push.document is None:
            return prompt_of(self._newest[push.name])
        return cast("Prompt", push.document)

    def _moves(self, labels: Mapping[str, Sequence[str]]) -> Mapping[str, list[str]]:
        """Return which prompts each label moves to the newest revision of."""
        if not self._labels:
            return {}
        every = sorted({label for each in labels.values() for label in each})
        return {label: sorted(name for name in labels if label in labels[name]) for label in every}

    def _unlabel(self, db: Client, revision: Revision, labels: Sequence[str]) -> None:
        for label in revision.labels:
            if label not in labels:
                db.instructions.unlabel(
                    revision.name, label, author=self._author, message=self._message
                )


@app.command()
def pull(
    folder: InFolder,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    labels: Labels = False,
    force: ForceThere = False,
    delete: Delete = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write what changed in the database into a folder.

    That is what changed since the last pull or push.

    Each prompt has a file, support/refund.md for support/refund. It is the text itself, or front
    matter in TOML between lines of +++ (description, arguments, meta, labels) and the text; the
    line feed that ends the file is no part of it. The file .draive_pg.json says which revisions
    were pulled: keep it in git with the others.

    What changed only here stays. Where both sides changed nothing is done, and the exit code is 4.
    Files of prompts that are gone stay without --delete. Labels are neither read nor written
    without --labels.

    \b
    Examples:
      draive-pg prompts pull prompts
      draive-pg prompts pull prompts --dry-run
      draive-pg prompts pull prompts --labels --delete
    """
    how = {"force": force, "delete": delete, "dry_run": dry_run, "as_json": as_json}
    with opened(dsn, schema) as db:
        syncing.pull(db, Prompts(), folder, labels=labels, **how)


@app.command()
def push(
    folder: InFolder,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    labels: Labels = False,
    force: ForceHere = False,
    delete: Delete = False,
    message: Message = None,
    author: Author = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write what changed in a folder into the database.

    That is what changed since the last pull or push.

    All of it is one transaction: it becomes visible at once, or not at all. Where both sides
    changed, or somebody writes at the same time, nothing is done, and the exit code is 4. Prompts
    whose files are gone stay without --delete, which removes all their revisions.

    Labels stay where they are, so that who reads production goes on as before. With --labels those
    that the front matter lists move to the revision, and those that it lists no longer are taken
    off it.

    \b
    Examples:
      draive-pg prompts push prompts -m 'Friendlier greetings'
      draive-pg prompts push prompts --dry-run
      draive-pg prompts push prompts --labels --author "$USER"
    """
    how = {"force": force, "delete": delete, "dry_run": dry_run, "as_json": as_json}
    with opened(dsn, schema) as db:
        prompts = Prompts(labels=labels, author=author, message=message)
        syncing.push(db, prompts, folder, labels=labels, **how)


@app.command()
def status(
    folder: InFolder,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    labels: Labels = False,
    as_json: AsJson = False,
) -> None:
    """Say how a folder and the database differ.

    The exit code is 3 if they do.

    \b
    Examples:
      draive-pg prompts status prompts
      draive-pg prompts status prompts --json | jq -r '.changes[].name'
    """
    with opened(dsn, schema) as db:
        syncing.status(db, Prompts(), folder, labels=labels, as_json=as_json)


@app.command()
def diff(
    folder: InFolder, *, dsn: Dsn = None, schema: Schema = None, labels: Labels = False
) -> None:
    """Show line by line how a folder and the database differ.

    The exit code is 3 if they do.

    To compare revisions of the database there is compare.

    \b
    Examples:
      draive-pg prompts diff prompts
    """
    with opened(dsn, schema) as db:
        syncing.diff(db, Prompts(), folder, labels=labels)
