"""What several statements say of stored elements and times, in SQL, each said once."""

from typing import LiteralString

__all__ = ("CALLS", "ROLE", "STARTS_TURN", "TOOLS", "microseconds", "vector")

ROLE: LiteralString = """
CASE content ->> 'type'
    WHEN 'model_input' THEN 'input'
    WHEN 'model_output' THEN 'output'
    ELSE content ->> 'type'
END
"""

# Whether an element is of the user, and no response of a tool.
STARTS_TURN: LiteralString = """
content ->> 'type' = 'model_input' AND NOT content -> 'blocks' @> '[{"type": "tool_response"}]'
"""

# The path of the blocks that request tools or respond for them, and the names of those tools.
CALLS: LiteralString = '$.blocks[*] ? (@.type == "tool_request" || @.type == "tool_response")'
TOOLS: LiteralString = f"jsonb_path_query_array(content, '{CALLS}.tool')"

SPOKEN: LiteralString = "jsonb_path_query_array(content, '$.blocks[*].parts[*].text')"


def vector(language: LiteralString) -> LiteralString:
    """Return what is spoken in an element, as words of a language.

    That is the text of its content, neither that of tools, reasoning and artifacts nor what is
    hidden. PostgreSQL makes no more than 1 MB of words of one text, and would refuse to index more,
    so of a text over 250 kB the beginning counts. What is indexed and what is looked for must be
    the same expression.
    """
    return f"""CASE
    WHEN octet_length({SPOKEN}::TEXT) <= 250000 THEN to_tsvector({language}, {SPOKEN})
    ELSE to_tsvector({language}, replace(left({SPOKEN}::TEXT, 60000), '\\n', ' '))
END"""


def microseconds(time: LiteralString) -> LiteralString:
    """Return a time as `content.moments.moment` takes it: an infinite one is NULL."""
    return f"(extract(EPOCH FROM CASE WHEN isfinite({time}) THEN {time} END) * 1000000)::INT8"
