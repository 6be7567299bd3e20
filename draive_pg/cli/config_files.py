"""``draive-pg configs pull|push|status|diff``: folders of configurations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

import typer

from draive_pg import Client, Snapshot
from draive_pg.cli import syncing
from draive_pg.cli.options import AsJson, Dsn, Schema, opened
from draive_pg.cli.syncing import Delete, DryRun, ForceHere, ForceThere, InFolder, Push
from draive_pg.sync.folder import CONFIGURATIONS
from draive_pg.sync.formats import Configuration
from draive_pg.sync.plan import Head

__all__ = ("app",)

app = typer.Typer()


class Configurations:
    """The configurations of a database, as the other side of a folder."""

    kind = CONFIGURATIONS

    def __init__(self) -> None:
        self._newest: Mapping[str, Snapshot] = {}

    def heads(self, db: Client) -> Mapping[str, Head]:
        """Return the newest snapshot of each configuration."""
        self._newest = {each.identifier: each for each in db.configurations.newest()}
        return {
            name: Head(
                Configuration.of(snapshot.content, f"the stored configuration {name!r:.80}"),
                snapshot.created,
            )
            for name, snapshot in self._newest.items()
        }

    def check(self, pushes: Sequence[Push]) -> None:
        """Accept all: what cannot be written was refused when the files were read."""

    def publish(self, db: Client, pushes: Sequence[Push]) -> Mapping[str, datetime]:
        """Write the configurations in one transaction.

        Raises
        ------
        RevisionConflict
            If a configuration has a newer snapshot than the one that was seen, or is there again.
        """
        seen = {push.name: self._newest.get(push.name, 0) for push in pushes}
        with db.transaction():
            # What is to be removed is defined as it was, on condition, and nobody else can write
            # it before this transaction ends.
            released = db.release(
                configurations={push.name: self._value(push) for push in pushes},
                expected_configurations=seen,
            )
            for push in pushes:
                if push.document is None:
                    db.configurations.remove(push.name)
        return {snapshot.identifier: snapshot.created for snapshot in released.configurations}

    def _value(self, push: Push) -> Mapping[str, object]:
        if push.document is None:
            return self._newest[push.name].content
        return cast("Configuration", push.document).value


@app.command()
def pull(
    folder: InFolder,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    force: ForceThere = False,
    delete: Delete = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write what changed in the database into a folder.

    That is what changed since the last pull or push.

    Each configuration has a file of JSON, or of TOML where you made one: limits.toml for limits.
    The file .draive_pg.json says which snapshots were pulled: keep it in git with the others.

    What changed only here stays. Where both sides changed nothing is done, and the exit code is 4.
    Files of configurations that are gone stay without --delete.

    \b
    Examples:
      draive-pg configs pull configs
      draive-pg configs pull configs --dry-run
    """
    how = {"force": force, "delete": delete, "dry_run": dry_run, "as_json": as_json}
    with opened(dsn, schema) as db:
        syncing.pull(db, Configurations(), folder, **how)


@app.command()
def push(
    folder: InFolder,
    *,
    dsn: Dsn = None,
    schema: Schema = None,
    force: ForceHere = False,
    delete: Delete = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write what changed in a folder into the database.

    That is what changed since the last pull or push.

    All of it is one transaction: it becomes visible at once, or not at all. Where both sides
    changed, or somebody writes at the same time, nothing is done, and the exit code is 4.
    Configurations whose files are gone stay without --delete, which removes all their snapshots.

    \b
    Examples:
      draive-pg configs push configs
      draive-pg configs push configs --dry-run
    """
    how = {"force": force, "delete": delete, "dry_run": dry_run, "as_json": as_json}
    with opened(dsn, schema) as db:
        syncing.push(db, Configurations(), folder, **how)


@app.command()
def status(
    folder: InFolder, *, dsn: Dsn = None, schema: Schema = None, as_json: AsJson = False
) -> None:
    """Say how a folder and the database differ.

    The exit code is 3 if they do.

    \b
    Examples:
      draive-pg configs status configs
      draive-pg configs status configs --json | jq -r '.changes[].name'
    """
    with opened(dsn, schema) as db:
        syncing.status(db, Configurations(), folder, as_json=as_json)


@app.command()
def diff(folder: InFolder, *, dsn: Dsn = None, schema: Schema = None) -> None:
    """Show line by line how a folder and the database differ.

    The exit code is 3 if they do.

    \b
    Examples:
      draive-pg configs diff configs
    """
    with opened(dsn, schema) as db:
        syncing.diff(db, Configurations(), folder)
