"""Finding elements: by what was said, in full text, and by what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.validation import check_text
from draive_pg.frames.frame import Frame
from draive_pg.operations.conversations.expressions import CALLS, ROLE, TOOLS, vector

__all__ = ("SEARCH", "Wanted")

VECTOR = vector("$8::REGCONFIG")

# Found first, and only what is returned is counted to, and cut out of its text.
SEARCH = Frame(
    "search",
    {
        "identifier": "text",
        "position": "integer",
        "created": "time",
        "role": "text",
        "excerpt": "text",
        "rank": "number",
    },
    f"""
    SELECT
        found.identifier,
        (
            SELECT count(*)
            FROM {{schema}}.memories_elements AS before
            WHERE before.identifier = found.identifier
                AND before.created <= found.created
                AND (before.created, before.ctid) < (found.created, found.place)
        ) AS position,
        found.created,
        {ROLE} AS role,
        CASE
            WHEN $7::TEXT IS NOT NULL THEN ts_headline(
                $8::REGCONFIG,
                spoken.text,
                websearch_to_tsquery($8::REGCONFIG, $7::TEXT),
                'StartSel=**, StopSel=**, MaxWords=24, MinWords=12, ShortWord=0, '
                'MaxFragments=2, FragmentDelimiter=" … "'
            )
            WHEN spoken.text <> '' THEN left(spoken.text, 160)
            ELSE left(coalesce(used.text, ''), 160)
        END AS excerpt,
        found.rank
    FROM (
        SELECT
            identifier,
            created,
            ctid AS place,
            content,
            CASE
                WHEN $7::TEXT IS NULL THEN 0
                ELSE ts_rank(
                    {VECTOR},
                    websearch_to_tsquery($8::REGCONFIG, $7::TEXT)
                )
            END AS rank
        FROM {{schema}}.memories_elements AS element
        WHERE ($1::TEXT[] IS NULL OR identifier = ANY ($1::TEXT[]))
            AND ($2::TIMESTAMPTZ IS NULL OR created >= $2::TIMESTAMPTZ)
            AND ($3::TIMESTAMPTZ IS NULL OR created < $3::TIMESTAMPTZ)
            AND ($7::TEXT IS NULL OR (
                {VECTOR}
            ) @@ websearch_to_tsquery($8::REGCONFIG, $7::TEXT))
            AND ($5::TEXT IS NULL OR content ->> 'type' = $5::TEXT)
            AND ($6::TEXT[] IS NULL OR {TOOLS} ?| $6::TEXT[])
            AND ($9::JSONB IS NULL OR content -> 'meta' @> $9::JSONB)
            AND ($10::BOOLEAN IS NULL OR $10::BOOLEAN = (content @>
                '{{"blocks": [{{"type": "tool_response", "handling": "error"}}]}}'
            ))
            AND ($11::JSONB IS NULL OR (
                SELECT variables @> $11::JSONB
                FROM {{schema}}.memories_variables AS snapshot
                WHERE snapshot.identifier = element.identifier
                ORDER BY snapshot.created DESC, snapshot.ctid DESC
                LIMIT 1
            ))
        ORDER BY rank DESC, created DESC, identifier, place DESC
        LIMIT $4::INT8
    ) AS found
    CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(part #>> '{{}}', ' '), '') AS text
        FROM jsonb_path_query(found.content, '$.blocks[*].parts[*].text') AS part
    ) AS spoken
    CROSS JOIN LATERAL (
        SELECT string_agg(
            concat(
                block ->> 'tool',
                ' ',
                block ->> 'arguments',
                (
                    SELECT string_agg(part #>> '{{}}', ' ')
                    FROM jsonb_path_query(block, '$.content.parts[*].text') AS part
                )
            ),
            ' '
        ) AS text
        FROM jsonb_path_query(found.content, '{CALLS}') AS block
    ) AS used
    ORDER BY found.rank DESC, found.created DESC, found.identifier, found.place DESC
    """,
    filters=("role", "tool"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for beside what filters frames; all that is given must hold."""

    text: str | None
    language: str
    meta: Mapping[str, Any] | None
    error: bool | None
    variables: Mapping[str, Any] | None

    def parameters(self) -> tuple[object, ...]:
        """Return the parameters of the statement from the seventh on.

        Raises
        ------
        TypeError, ValueError
            For what is of a wrong type or value.
        """
        if self.text is not None and not check_text(self.text, "text").strip():
            raise ValueError("text must have a word to look for; for no text give None")
        if not isinstance(self.error, bool | None):
            raise TypeError(f"error must be a bool or None, not {type(self.error).__name__}")
        return (
            self.text,
            check_text(self.language, "language"),
            encode_mapping(self.meta, "meta"),
            self.error,
            encode_mapping(self.variables, "variables"),
        )
