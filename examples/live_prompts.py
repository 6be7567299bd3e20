"""A draive service that goes on with a new prompt as soon as somebody publishes it.

    python examples/live_prompts.py

The service reads the prompt that is labelled "production" before each answer. It keeps what it read
in memory, and with live=True it is told when that changes: moving the label from a notebook, or by
`draive-pg prompts label`, is enough, and nothing is restarted. It uses the database of
$DRAIVE_PG_DSN, or without one an embedded PostgreSQL.
"""

import asyncio
import time

from draive import Instructions, InstructionsRepository, ctx

from draive_pg import Client
from draive_pg.adapters import PostgresConnectionPool, PostgresInstructionsRepository

PROMPT = "live-prompts-example"
GREETINGS = ("Good day, {name}.", "Hi {name}!")
PATIENCE = 10.0  # seconds


async def serve(db: Client) -> None:
    """Greet a guest, let somebody publish another greeting, and greet again."""
    async with ctx.scope(
        "service",
        PostgresInstructionsRepository(label="production"),
        disposables=(PostgresConnectionPool.of(live=True),),
    ):
        print(f"The service says: {await greeting()}")

        # Whoever looks after the prompts does this, in another process.
        await asyncio.to_thread(publish, db, GREETINGS[1])
        published = time.monotonic()

        while await greeting() != "Hi Ada!":
            if time.monotonic() - published > PATIENCE:
                raise TimeoutError("the service was not told of the new prompt")
            await asyncio.sleep(0.01)
        waited = time.monotonic() - published
        print(f"The service says: {await greeting()}")
        print(f"It was told {'within a second' if waited < 1 else f'after {waited:.1f} s'}.")


async def greeting() -> str:
    """Do what the service does for each guest."""
    return await InstructionsRepository.resolve(Instructions.of(PROMPT, arguments={"name": "Ada"}))


def publish(db: Client, content: str) -> None:
    """Write a new revision, and let the label say that it is the one to use."""
    revision = db.instructions.define(PROMPT, content=content)
    db.instructions.label(PROMPT, "production", revision)


def main() -> None:
    with Client() as db:
        db.setup()
        db.instructions.remove(PROMPT)  # so that it can be run again
        publish(db, GREETINGS[0])
        asyncio.run(serve(db))


if __name__ == "__main__":
    main()
