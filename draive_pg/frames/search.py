"""Search of elements: full text, tools, metadata, errors and variables."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, LiteralString, get_args

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.validation import MAX_INTEGER, check_text, shown
from draive_pg.frames.frame import Frame
from draive_pg.frames.query import Filters, FrameQuery
from draive_pg.frames.read import read_query
from draive_pg.operations.conversations.expressions import (
    CALLS,
    CHOSEN,
    FAILURES,
    RESPONDS,
    ROLE,
    SPOKEN,
    TOOLS,
    speaker,
    vector,
)
from draive_pg.operations.conversations.store import ELEMENTS
from draive_pg.operations.operation import Steps, Workflow, workflow

if TYPE_CHECKING:
    from pandas import DataFrame

type Match = Literal["words", "substring"]

VECTOR = vector(":language::REGCONFIG")

# URLs, which PostgreSQL splits differently in a query and in a text, and letters of scripts in
# which it finds no words: Thai, Lao, Burmese, Khmer, Japanese, Chinese, Korean.
WITHOUT_WORDS = re.compile(
    "://|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
    "\U00020000-\U0003ffff]"
)
MATCHES: tuple[Match, ...] = get_args(Match.__value__)
TEXT_PARAMETERS: tuple[str, ...] = ("text", "indexed", "contained", "excluded", "marked")
BLANK = "text must not be blank; to search without text, use None"
TERM = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')

TEXTS: LiteralString = """
        SELECT coalesce(string_agg(part #>> '{}', ' '), '') AS text
        FROM jsonb_path_query(content, '$.blocks[*].parts[*].text') AS part
    """

# Positions and excerpts are computed only for the returned rows.
SEARCH = Frame(
    "search",
    {
        "identifier": "text",
        "position": "integer",
        "created": "timestamp",
        "role": "text",
        "speaker": "text",
        "excerpt": "text",
        "rank": "float",
    },
    f"""
    SELECT
        found.identifier,
        (
            SELECT count(*)
            FROM {ELEMENTS} AS before
            WHERE before.identifier = found.identifier
                AND before.created <= found.created
                AND (before.created, before.place) < (found.created, found.place)
        ) AS position,
        found.created,
        {ROLE} AS role,
        {speaker()} AS speaker,
        CASE
            WHEN :text::TEXT IS NOT NULL THEN ts_headline(
                :language::REGCONFIG,
                spoken.text,
                websearch_to_tsquery(:language::REGCONFIG, :text::TEXT),
                'StartSel=[[, StopSel=]], MaxWords=24, MinWords=12, ShortWord=0, '
                'MaxFragments=2, FragmentDelimiter=" ... "'
            )
            WHEN :marked::TEXT IS NOT NULL THEN regexp_replace(
                substr(
                    spoken.text,
                    greatest(1, regexp_instr(spoken.text, :marked::TEXT, 1, 1, 0, 'i') - 60),
                    160
                ),
                :marked::TEXT,
                '[[\\1]]',
                'gi'
            )
            WHEN spoken.text <> '' THEN left(spoken.text, 160)
            ELSE left(coalesce(used.text, ''), 160)
        END AS excerpt,
        found.rank
    FROM (
        SELECT
            identifier,
            created,
            place,
            content,
            CASE
                WHEN :text::TEXT IS NULL THEN 0
                ELSE ts_rank(
                    {VECTOR},
                    websearch_to_tsquery(:language::REGCONFIG, :text::TEXT)
                )
            END AS rank
        FROM {ELEMENTS} AS element
        WHERE {CHOSEN}
            AND (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
            AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
            AND (:text::TEXT IS NULL OR (
                {VECTOR}
            ) @@ websearch_to_tsquery(:language::REGCONFIG, :text::TEXT))
            -- The first condition can use an index. It matches JSON, so it finds too much.
            AND (:indexed::TEXT IS NULL OR {SPOKEN}::TEXT ILIKE :indexed::TEXT)
            AND (:contained::TEXT[] IS NULL OR (
                SELECT spoken.text ILIKE ALL (:contained::TEXT[])
                    AND NOT spoken.text ILIKE ANY (:excluded::TEXT[])
                FROM ({TEXTS}) AS spoken
            ))
            AND (:role::TEXT IS NULL OR content ->> 'type' = :role::TEXT)
            AND (:speaker::TEXT IS NULL OR {speaker()} = :speaker::TEXT)
            AND (:tool::TEXT[] IS NULL OR {TOOLS} ?| :tool::TEXT[])
            AND (:meta::JSONB IS NULL OR content -> 'meta' @> :meta::JSONB)
            AND (:error::BOOLEAN IS NULL OR :error::BOOLEAN = ({RESPONDS} AND {FAILURES} > 0))
        ORDER BY rank DESC, created DESC, identifier, place DESC
        LIMIT :limit::INT8
    ) AS found
    CROSS JOIN LATERAL ({TEXTS}) AS spoken
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
)


@dataclass(frozen=True, slots=True)
class SearchCriteria:
    """Criteria of a search in addition to `Filters`; all must match."""

    text: str | None
    match: Match | None
    language: str
    meta: Mapping[str, Any] | None
    error: bool | None

    def parameters(self) -> Mapping[str, object]:
        """Return the parameters of the statement, or raise TypeError or ValueError."""
        if not isinstance(self.error, bool | None):
            raise TypeError(f"error must be a bool or None, not {type(self.error).__name__}")
        return {
            **_text_parameters(self.text, self.match),
            "language": check_text(self.language, "language"),
            "meta": encode_mapping(self.meta, "meta"),
            "error": self.error,
        }


def check_match(match: object) -> object:
    """Return a valid ``match``, or raise ValueError."""
    if match not in MATCHES:
        raise ValueError(f"match must be 'words' or 'substring', not {shown(match)}")
    return match


def _text_parameters(text: str | None, match: Match | None) -> Mapping[str, object]:
    """Return the parameters for a text: `text` for words, the others for parts of words."""
    if match is not None:
        check_match(match)
    parameters = dict.fromkeys(TEXT_PARAMETERS)
    if text is None:
        return parameters
    if not check_text(text, "text").strip():
        raise ValueError(BLANK)
    if match == "words" or (match is None and not WITHOUT_WORDS.search(text)):
        return parameters | {"text": text}
    contained: list[str] = []
    excluded: list[str] = []
    for sign, phrase, word in TERM.findall(text):
        if word.lower() == "or":
            raise ValueError("'or' is no operator if parts of words are searched; quote the word")
        if term := phrase or word:
            (excluded if sign else contained).append(term)
    if not contained and not excluded:
        raise ValueError(BLANK)
    longest = max(contained, key=len, default="")
    return parameters | {
        "indexed": _pattern(json.dumps(longest, ensure_ascii=False)[1:-1]),
        "contained": [_pattern(term) for term in contained],
        "excluded": [_pattern(term) for term in excluded],
        "marked": f"({'|'.join(map(re.escape, contained))})" if contained else None,
    }


def _pattern(term: str) -> str:
    """Return the LIKE pattern of a text that contains a term."""
    return f"%{re.sub(r'[%_\\]', r'\\\g<0>', term)}%"


def search(criteria: SearchCriteria, filters: Filters) -> "Workflow[DataFrame]":
    """Return the matching elements; ``attrs["truncated"]`` is true if the limit cut them.

    Raises
    ------
    TypeError, ValueError
        For a criterion or a filter of a wrong type or value.
    """
    limit = filters.get("limit")
    query = search_query(criteria, filters)
    if limit is not None and limit < MAX_INTEGER:
        query = search_query(criteria, {**filters, "limit": limit + 1})
    return _search(query, limit)


def search_query(criteria: SearchCriteria, filters: Filters) -> FrameQuery:
    """Return the query of the elements that match."""
    return FrameQuery(SEARCH, filters, parameters=criteria.parameters())


@workflow
def _search(query: FrameQuery, limit: int | None) -> "Steps[DataFrame]":
    from draive_pg.display.found import Found

    found: DataFrame = yield read_query(query)
    shown = Found(found.iloc[:limit])
    shown.attrs["truncated"] = len(shown) < len(found)
    return shown
