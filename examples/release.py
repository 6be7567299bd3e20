"""Release two prompts and a configuration together, and roll them back together.

    python examples/release.py

Services read the revisions labelled production. A release moves the label to new revisions in one
transaction: a service sees either all old or all new ones. A roll-back moves the label back. No
revision is lost.

The database is $DRAIVE_PG_DSN, or an embedded PostgreSQL without it.
"""

from draive_pg import Client, RevisionConflict

GREETING, FAREWELL, LIMITS = "release.greeting", "release.farewell", "release.limits"


def main() -> None:
    with Client() as db:
        db.setup()
        clean(db)
        publish(
            db,
            {GREETING: "Hello {name}!", FAREWELL: "Goodbye {name}!"},
            {LIMITS: {"tokens": 1000}},
            "The first words",
        )
        serve(db, "After the first release")

        publish(
            db,
            {GREETING: "Yo {name}!", FAREWELL: "Laters {name}!"},
            {LIMITS: {"tokens": 5000}},
            "Younger words",
        )
        serve(db, "After the second release")

        roll_back(db)
        serve(db, "After rolling back")
        show_moves(db)
        show_conflict(db)


def clean(db: Client) -> None:
    """Remove the data of an earlier run."""
    db.instructions.remove(GREETING, labelled=True)
    db.instructions.remove(FAREWELL, labelled=True)
    db.configurations.remove(LIMITS, labelled=True)


def publish(
    db: Client,
    prompts: dict[str, str],
    configurations: dict[str, dict[str, int]],
    message: str,
) -> None:
    # One transaction: all of it becomes visible, or nothing.
    db.release(
        prompts=prompts,
        configurations=configurations,
        labels={"production": list(prompts)},
        message=message,
        author="ada",
    )


def serve(db: Client, when: str) -> None:
    """Print the prompts and the configuration that a service would use."""
    words = [
        db.instructions.resolve(name, arguments={"name": "Bo"}, label="production")
        for name in (GREETING, FAREWELL)
    ]
    print(f"{when}: {' '.join(words)} ({db.configurations.load_raw(LIMITS)})")


def roll_back(db: Client) -> None:
    # Roll back the prompts by their label, and the configuration by a new snapshot of the old one.
    first = {name: db.instructions.history(name)[-1] for name in (GREETING, FAREWELL)}
    db.release(
        configurations={LIMITS: db.configurations.history(LIMITS)[-1].content},
        labels={"production": first},
        message="People did not like the younger words",
        author="bo",
    )


def show_moves(db: Client) -> None:
    print(f"\nWho moved production of {GREETING}, the newest first:")
    for move in db.instructions.label_history(GREETING, "production"):
        print(f"  to revision {move.revision} by {move.author}: {move.message}")


def show_conflict(db: Client) -> None:
    # `expected` names the revision that was read, so nobody overwrites a newer one.
    seen = db.instructions.revision(GREETING)
    db.instructions.define(GREETING, content="Welcome {name}!", author="cy")
    try:
        db.release(prompts={GREETING: "Ahoy {name}!"}, expected={GREETING: seen})
    except RevisionConflict as conflict:
        print(f"\nNothing was released: {conflict}")


if __name__ == "__main__":
    main()
