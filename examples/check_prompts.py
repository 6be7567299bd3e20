"""A check for CI: do the prompts in git equal those of the database?

    python examples/check_prompts.py prompts   # your folder: exits with 3 if they differ
    python examples/check_prompts.py           # a temporary folder, as a demonstration

The command line has the same check:

    draive-pg prompts status prompts

A folder is created by `draive-pg prompts pull prompts`, and kept in git. The
database is $DRAIVE_PG_DSN, or an embedded PostgreSQL without it.
"""

import sys
import tempfile
from pathlib import Path

from draive_pg import Client

NAME = "check_prompts.greeting"
DRIFT = 3  # the exit code


def main() -> int:
    with Client() as db:
        db.setup()
        if len(sys.argv) > 1:
            return check(db, Path(sys.argv[1]))
        with tempfile.TemporaryDirectory() as directory:
            return demonstrate(db, Path(directory, "prompts"))


def check(db: Client, folder: Path) -> int:
    """Print the differences, and return the exit code."""
    status = db.instructions.status(folder)
    for each in status.changes:
        print(f"  {each.change}: {each.name} ({each.file})")
    print(f"  {len(status.changes)} different" if status.drift else "  no prompt differs")
    return DRIFT if status.drift else 0


def demonstrate(db: Client, folder: Path) -> int:
    db.instructions.define(NAME, content="Hello {name}!")

    print("Right after a pull:")
    db.instructions.pull(folder)
    check(db, folder)

    # Somebody edits a prompt in the database, bypassing git: the check fails.
    db.instructions.define(NAME, content="Hello {name}, what can I do for you?")
    print("After a change in the database:")
    check(db, folder)

    # A pull writes the change into the folder, where it can be reviewed and committed.
    db.instructions.pull(folder)
    print("After another pull:")
    return check(db, folder)


if __name__ == "__main__":
    sys.exit(main())
