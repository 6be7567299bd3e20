"""Store a prompt, a configuration and a conversation, and read them.

    python examples/quickstart.py

The database is $DRAIVE_PG_DSN, or without it an embedded PostgreSQL, which starts on demand and
stops at the end.
"""

from draive import ModelInput, ModelOutput, MultimodalContent

from draive_pg import Client


def main() -> None:
    # Connections are opened on first use, and closed at the end of the block.
    with Client() as db:
        db.setup()  # creates the tables; can be repeated
        clean(db)
        show_prompt(db)
        show_configuration(db)
        show_conversation(db)


def clean(db: Client) -> None:
    """Remove the data of an earlier run."""
    db.instructions.remove("quickstart.welcome")
    db.configurations.remove("quickstart.model")
    db.memory("quickstart").remove()


def show_prompt(db: Client) -> None:
    # Each definition is a new revision; the newest is current.
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
    # One call is one transaction. Variables hold facts about the conversation.
    memory.remember(
        ModelInput.of(MultimodalContent.of("Is the bridge open for bicycles?")),
        ModelOutput.of(MultimodalContent.of("It is, from six in the morning.")),
        variables={"name": "Ada", "visits": 1},
    )
    memory.remember(
        ModelInput.of(MultimodalContent.of("And on Sundays?")),
        ModelOutput.of(MultimodalContent.of("On Sundays it opens at eight.")),
    )

    # The context for the next model call: the newest elements, starting with a user turn.
    recalled = memory.recall(limit=2)
    print(f"\nRecalled for {recalled.variables['name']}:")
    for element in recalled.context:
        print(f"  {element.content.to_str()}")

    # Everything, as a pandas DataFrame.
    print("\nThe whole log:")
    print(memory.log()[["position", "role", "text", "n_chars"]].to_string(index=False))


if __name__ == "__main__":
    main()
