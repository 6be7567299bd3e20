"""A prompt, a configuration and a conversation go into PostgreSQL, and come back.

    python examples/quickstart.py

It uses the database of $DRAIVE_PG_DSN, or without one an embedded PostgreSQL, which starts when it
is needed and stops at the end.
"""

from draive import ModelInput, ModelOutput, MultimodalContent

from draive_pg import Client


def main() -> None:
    # Making a client opens nothing yet, and `with` closes what its use opened.
    with Client() as db:
        db.setup()  # makes the tables; to repeat it does no harm
        clean(db)
        show_prompt(db)
        show_configuration(db)
        show_conversation(db)


def clean(db: Client) -> None:
    """Remove what an earlier run left."""
    db.instructions.remove("quickstart.welcome")
    db.configurations.remove("quickstart.model")
    db.memory("quickstart").remove()


def show_prompt(db: Client) -> None:
    # Each definition is a new revision: the newest holds, and the older ones stay.
    db.instructions.define("quickstart.welcome", content="Hi {name}")
    db.instructions.define("quickstart.welcome", content="Welcome back, {name}!")
    welcome = db.instructions.resolve("quickstart.welcome", arguments={"name": "Ada"})
    print(f"The prompt says: {welcome}\n")
    print(db.frames.instruction_revisions("quickstart.welcome")[["revision", "content", "current"]])


def show_configuration(db: Client) -> None:
    # A configuration is any JSON object, or an instance of a draive Configuration class.
    db.configurations.define("quickstart.model", {"model": "small", "temperature": 0.2})
    print(f"\nThe configuration is: {db.configurations.load_raw('quickstart.model')}")


def show_conversation(db: Client) -> None:
    memory = db.memory("quickstart")
    # All of one call is written, or nothing of it. Variables are what is known beside the talk.
    memory.remember(
        ModelInput.of(MultimodalContent.of("Is the bridge open for bicycles?")),
        ModelOutput.of(MultimodalContent.of("It is, from six in the morning.")),
        variables={"name": "Ada", "visits": 1},
    )
    memory.remember(
        ModelInput.of(MultimodalContent.of("And on Sundays?")),
        ModelOutput.of(MultimodalContent.of("On Sundays it opens at eight.")),
    )

    # What a model needs to go on: the newest elements, from a turn of the user on.
    recalled = memory.recall(limit=2)
    print(f"\nRecalled for {recalled.variables['name']}:")
    for element in recalled.context:
        print(f"  {element.content.to_str()}")

    # And for analysis all of it, as a pandas DataFrame.
    print("\nThe whole log:")
    print(memory.log()[["position", "role", "text", "n_chars"]].to_string(index=False))


if __name__ == "__main__":
    main()
