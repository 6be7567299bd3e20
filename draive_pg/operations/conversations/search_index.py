"""Create the indexes that make search in conversations fast; search works without them."""

from typing import LiteralString, cast

from psycopg.sql import Literal

from draive_pg.codec.validation import MAX_NAME, check_text
from draive_pg.operations.conversations.expressions import SPOKEN, vector
from draive_pg.operations.operation import Workflow
from draive_pg.operations.text_index import create_trigram_index, create_word_index

ELEMENTS: LiteralString = "memories_elements"


def create_search_index(language: str, schema: str | None) -> Workflow[bool]:
    """Create the index for a text search configuration, and return whether it was missing."""
    name = f"{ELEMENTS}_search_{check_text(language, 'language')}"
    if not language or len(name.encode()) > MAX_NAME:
        raise ValueError(f"language must name a text search configuration, not {language!r:.60}")
    # CREATE INDEX takes no parameters, so psycopg quotes the language.
    expression = vector(cast("LiteralString", f"{Literal(language).as_string()}::REGCONFIG"))
    return create_word_index(ELEMENTS, name, expression, schema)


def create_substring_index(schema: str | None) -> Workflow[bool]:
    """Create the index for parts of words, and return whether it was missing."""
    return create_trigram_index(ELEMENTS, "memories_elements_substring", [SPOKEN], schema)
