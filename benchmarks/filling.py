"""Databases for benchmarks, and the elements in them."""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from draive import (
    ModelInput,
    ModelOutput,
    ModelReasoning,
    ModelToolRequest,
    ModelToolResponse,
    MultimodalContent,
    TextContent,
)
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from draive_pg import Client

type Elements = Sequence[ModelInput | ModelOutput]

SCHEMA = Path(__file__).parent.parent / "schema"

PER_MEMORY = 50

# A hundred elements of a conversation: questions and answers in turn.
ELEMENTS = tuple(
    (ModelInput if number % 2 == 0 else ModelOutput).of(
        MultimodalContent.of(f"text {number} " * 20)
    )
    for number in range(100)
)

SENTENCES = (
    'Could you tell me where my parcel "A-17" is? It was sent on Monday. ',
    "Zażółć gęślą jaźń, czyli proszę o zwrot pieniędzy. ",
    "配送状況を教えてください。 ",
    "Thank you, that helps 😀. ",
    "The refund was approved:\n\n- it takes **five** working days\n- nothing else is due\n\n",
    "Please note that express delivery is not available for this address. ",
)


def _varied(number: int) -> ModelInput | ModelOutput:
    """Return a typical element: one text, several texts, tool calls, or reasoning."""
    length = 2 + number % 7
    said = MultimodalContent.of("".join((SENTENCES * 2)[number % 5 : number % 5 + length]))
    match number % 8:
        case 1:
            request = ModelToolRequest.of(f"call-{number}", tool="find", arguments={"n": number})
            return ModelOutput.of(request)
        case 2:
            found = json.dumps({"orders": [{"id": f"A-{n}", "sent": True} for n in range(length)]})
            response = MultimodalContent.of(found)
            return ModelInput.of(
                ModelToolResponse.of(f"call-{number}", tool="find", content=response)
            )
        case 5:
            return ModelOutput.of(ModelReasoning.of(said), MultimodalContent.of(SENTENCES[4]))
        case 6 if number % 3 == 0:
            parts = (TextContent.of(SENTENCES[0]), *said.parts)
            return ModelInput.of(MultimodalContent(parts=parts), meta={"source": "web"})
        case _:
            return (ModelInput if number % 2 == 0 else ModelOutput).of(said)


# A conversation of mixed elements. Their JSON has about 450 characters on average; an eighth
# requests tools, another thinks, and a sixth has several blocks or parts.
CONVERSATION = tuple(_varied(number) for number in range(PER_MEMORY))

# Skips foreign key checks, for speed.
QUICKLY = "SET session_replication_role = replica"

MEMORIES = """
INSERT INTO memories (identifier)
SELECT 'm' || n FROM generate_series(1, $1::INT8) AS n
"""

VARIABLES = """
INSERT INTO memories_variables (identifier, variables)
SELECT 'm' || n, '{"user": "Ada", "turn": 25}' FROM generate_series(1, $1::INT8) AS n
"""

# Elements of all memories are interleaved, as in concurrent conversations.
CONTENTS = """
INSERT INTO memories_elements (identifier, content, created)
SELECT
    'm' || n,
    ($2::JSONB[])[turn % cardinality($2::JSONB[]) + 1],
    TIMESTAMPTZ '2026-01-01Z' + turn * INTERVAL '1 minute' + n * INTERVAL '1 microsecond'
FROM generate_series(0, $3::INT4 - 1) AS turn, generate_series(1, $1::INT8) AS n
"""

_numbers = count()


@contextmanager
def database(dsn: str) -> Generator[str]:
    """Create an empty database on a server, and drop it at the end."""
    name = f"draive_pg_benchmark_{next(_numbers)}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        drop = SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name))
        connection.execute(drop)
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield make_conninfo(dsn, dbname=name)
        finally:
            connection.execute(drop)


@contextmanager
def filled(
    dsn: str, rows: int, elements: Elements = ELEMENTS[:2], *, partitioned: bool = False
) -> Generator[str]:
    """Create a database with all tables, plain or partitioned, and ``rows`` elements."""
    with database(dsn) as own:
        if partitioned:
            apply(own, "partitioned/tables.sql")
        with Client(own) as db:
            db.setup()
        fill(own, rows, elements)
        yield own


def apply(dsn: str, *names: str) -> None:
    """Run files of ``schema/``."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name in names:
            text = (SCHEMA / name).read_text(encoding="utf-8")
            connection.execute(cast("LiteralString", text))


def fill(
    dsn: str, rows: int, elements: Elements = ELEMENTS[:2], *, per_memory: int = PER_MEMORY
) -> None:
    """Write ``rows`` elements into the memories ``m1``, ``m2``, …, interleaved."""
    contents = [element.to_json() for element in elements]
    memories = rows // per_memory
    with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute(QUICKLY)
        connection.execute(MEMORIES, (memories,))
        connection.execute(VARIABLES, (memories,))
        connection.execute(CONTENTS, (memories, contents, per_memory))
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")  # not during a measurement
