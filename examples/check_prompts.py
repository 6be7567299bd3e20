"""A check for CI: are the prompts in git those of the database?

    python examples/check_prompts.py prompts   # your folder: exits with 3 where they differ
    python examples/check_prompts.py           # a folder of its own, to see how it goes

It runs `draive-pg prompts status`, which your CI can as well do by itself:

    draive-pg prompts status prompts

A folder comes from `draive-pg prompts pull prompts`, and is kept in git with the state file in it.
It uses the database of $DRAIVE_PG_DSN, or without one an embedded PostgreSQL.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from draive_pg import Client

NAME = "check_prompts.greeting"


def main() -> int:
    if len(sys.argv) > 1:
        return check(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as directory:
        return show(Path(directory, "prompts"))


def check(folder: Path) -> int:
    """Say how the folder and the database differ, and return the code to exit with."""
    done = draive_pg("prompts", "status", str(folder), "--json")
    if not done.stdout:  # it failed, and said so
        return done.returncode
    changes = json.loads(done.stdout)["changes"]
    for change in changes:
        print(f"  {change['change']}: {change['name']} ({change['file']})")
    print(f"  {len(changes)} different" if changes else "  no prompt differs")
    return done.returncode


def show(folder: Path) -> int:
    with Client() as db:
        db.setup()
        db.instructions.define(NAME, content="Hello {name}!")

        print("Right after a pull:")
        draive_pg("prompts", "pull", str(folder))
        check(folder)

        # Somebody edits a prompt in the database, past git: the check fails.
        db.instructions.define(NAME, content="Hello {name}, what can I do for you?")
        print("After a change in the database:")
        check(folder)

        # A pull brings the change into git, where it can be reviewed.
        draive_pg("prompts", "pull", str(folder))
        print("After another pull:")
        return check(folder)


def draive_pg(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "draive_pg", *arguments)
    # No shell, and every argument is ours.
    return subprocess.run(  # noqa: S603
        command, stdout=subprocess.PIPE, encoding="utf-8", check=False
    )


if __name__ == "__main__":
    sys.exit(main())
