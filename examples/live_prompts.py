"""A draive service that uses a new prompt as soon as it is published.

    python examples/live_prompts.py

The service reads the prompt that is labelled "production" before each answer. The prompt is cached;
with live=True the cached value is invalidated when the label moves, from a notebook or by
`draive-pg prompts label`; no restart is needed. The database is $DRAIVE_PG_DSN, or an embedded
PostgreSQL without it.
"""

import asyncio
import time

from draive import Instructions, InstructionsRepository, ctx

from draive_pg import Client
from draive_pg.adapters import PostgresConnectionPool, PostgresInstructionsRepository

PROMPT = "live-prompts-example"
GREETINGS = ("Good day, {name}.", "Hi {name}!")
TIMEOUT = 10.0  # seconds


async def serve(db: Client) -> None:
    """Greet a guest, publish another greeting, and greet again."""
    async with ctx.scope(
        "service",
        PostgresInstructionsRepository(label="production"),
        disposables=(PostgresConnectionPool.of(live=True),),
    ):
        print(f"The service says: {await greeting()}")

        # In practice another process does this.
        await asyncio.to_thread(publish, db, GREETINGS[1])
        published = time.monotonic()

        while await greeting() != "Hi Ada!":
            if time.monotonic() - published > TIMEOUT:
                raise TimeoutError("the service did not see the new prompt")
            await asyncio.sleep(0.01)
        waited = time.monotonic() - published
        print(f"The service says: {await greeting()}")
        print(f"It was told {'within a second' if waited < 1 else f'after {waited:.1f} s'}.")


async def greeting() -> str:
    """Return the greeting for one guest."""
    return await InstructionsRepository.resolve(Instructions.of(PROMPT, arguments={"name": "Ada"}))


def publish(db: Client, content: str) -> None:
    """Define a new revision, and move the label to it."""
    revision = db.instructions.define(PROMPT, content=content)
    db.instructions.label(PROMPT, "production", revision)


def main() -> None:
    with Client() as db:
        db.setup()
        db.instructions.remove(PROMPT, labelled=True)  # allow repeated runs
        publish(db, GREETINGS[0])
        asyncio.run(serve(db))


if __name__ == "__main__":
    main()
