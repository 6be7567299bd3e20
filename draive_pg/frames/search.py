"""Search of elements: full text, tools, metadata, errors and variables."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, LiteralString, get_args

from draive_pg.codec.embedding import EmbeddingModel, encode_vectors
from draive_pg.codec.json import encode_mapping
from draive_pg.codec.validation import MAX_INTEGER, check_text, shown
from draive_pg.frames.frame import Columns, Frame
from draive_pg.frames.query import Filters, FrameQuery
from draive_pg.frames.read import read_query
from draive_pg.operations.conversations.embeddings import (
    NEAREST,
    check_model,
    extension_for,
    of_vector,
)
from draive_pg.operations.conversations.expressions import (
    CALLS,
    CHOSEN,
    FAILURES,
    FILTERS,
    ROLE,
    SPEAKER,
    SPOKEN,
    SPOKEN_TEXT,
    vector,
)
from draive_pg.operations.conversations.relations import (
    ELEMENTS,
    END_UNLESS,
    NEWEST_ELEMENTS,
    UNLESS_INDEXED,
)
from draive_pg.operations.operation import (
    Call,
    Operation,
    Query,
    Steps,
    Workflow,
    transactional,
    workflow,
)

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
MAX_WORDS = 5_000  # PostgreSQL parses a query recursively, and exceeds its stack at 14,000
TERM = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')

COLUMNS: Columns = {
    "identifier": "text",
    "position": "integer",
    "created": "timestamp",
    "role": "text",
    "speaker": "text",
    "excerpt": "text",
    "rank": "float",
}


def _rows(elements: LiteralString, *columns: LiteralString, order: LiteralString) -> LiteralString:
    """Return the SQL of a search in some elements, with further columns of them.

    Positions and excerpts are computed only for the returned rows.
    """
    selected: LiteralString = ", ".join(("rank", *columns))
    return f"""
    WITH found AS MATERIALIZED (
        SELECT
            identifier,
            created,
            place,
            type,
            kind,
            composite,
            content,
            CASE
                WHEN :text::TEXT IS NULL THEN 0
                ELSE ts_rank(
                    {VECTOR},
                    websearch_to_tsquery(:language::REGCONFIG, :text::TEXT)
                )
            END AS {selected}
        FROM {elements} AS element
        WHERE {CHOSEN}
            AND {FILTERS}
            AND (:text::TEXT IS NULL OR (
                {VECTOR}
            ) @@ websearch_to_tsquery(:language::REGCONFIG, :text::TEXT))
            -- Before a turn is split. By `coalesce`, the planner expects many to match, and reads
            -- the newest by an index instead of sorting all that match.
            AND (
                {UNLESS_INDEXED}
                :indexed::TEXT IS NULL OR coalesce(said::TEXT ILIKE :indexed::TEXT, TRUE)
                {END_UNLESS}
            )
            -- The first condition can use an index. It matches JSON, so it finds too much.
            AND (:indexed::TEXT IS NULL OR {SPOKEN}::TEXT ILIKE :indexed::TEXT)
            AND (:contained::TEXT[] IS NULL OR (
                SELECT spoken.text ILIKE ALL (:contained::TEXT[])
                    AND NOT spoken.text ILIKE ANY (:excluded::TEXT[])
                FROM ({SPOKEN_TEXT}) AS spoken
            ))
            AND (:meta::JSONB IS NULL OR meta @> :meta::JSONB)
            AND (:error::BOOLEAN IS NULL OR :error::BOOLEAN = ({FAILURES} > 0))
        ORDER BY {order}, created DESC, identifier, place DESC
        LIMIT :limit::INT8
    ),
    numbered AS MATERIALIZED (
        SELECT found.identifier, found.created, found.place, count(*) - 1 AS position
        FROM found
        JOIN {ELEMENTS} AS before ON before.identifier = found.identifier
            AND before.created <= found.created
            AND (before.created, before.place) <= (found.created, found.place)
        WHERE {UNLESS_INDEXED}
            before.identifier = ANY (ARRAY(SELECT identifier FROM found))
        {END_UNLESS}
        GROUP BY found.identifier, found.created, found.place
    )
    SELECT
        found.identifier,
        numbered.position,
        found.created,
        {ROLE} AS role,
        {SPEAKER} AS speaker,
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
                E'[[\\\\1]]',
                'gi'
            )
            WHEN spoken.text <> '' THEN left(spoken.text, 160)
            ELSE left(coalesce(used.text, ''), 160)
        END AS excerpt,
        {selected}
    FROM found
    JOIN numbered ON numbered.identifier = found.identifier
        AND numbered.created = found.created
        AND numbered.place = found.place
    CROSS JOIN LATERAL ({SPOKEN_TEXT}) AS spoken
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
    ORDER BY {order}, found.created DESC, found.identifier, found.place DESC
    """


SEARCH = Frame("search", COLUMNS, _rows(NEWEST_ELEMENTS, order="rank DESC"))
SEARCH_NEAR = Frame(
    "search_near",
    {**COLUMNS, "distance": "float"},
    _rows(NEAREST, "distance", order="distance"),
)


# Without it, an index returns 40 rows at most.
ITERATE = Query("search.iterate", "SELECT set_config('hnsw.iterative_scan', 'strict_order', TRUE)")

MAX_APPROXIMATE = 1_000  # rows that an index returns well


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
        if (words := len(re.findall(r"\w+", text))) > MAX_WORDS:
            raise ValueError(f"text must have at most {MAX_WORDS:,} words, not {words:,}")
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
    search_query(criteria, filters)  # check the filters before one of them is changed
    return _search(search_query(criteria, _one_more(filters)), filters.get("limit"))


def search_query(criteria: SearchCriteria, filters: Filters) -> FrameQuery:
    """Return the query of the elements that match."""
    return FrameQuery(SEARCH, filters, parameters=criteria.parameters())


@workflow
def search_near(
    near: str,
    model: EmbeddingModel | None,
    criteria: SearchCriteria,
    filters: Filters,
    schema: str | None,
) -> "Steps[DataFrame]":
    """Return the matching elements whose texts have embeddings, nearest first."""
    if not check_text(near, "near").strip():
        raise ValueError("near must not be blank")
    if model is None:
        raise ValueError("near needs the model whose embeddings embed() stored")
    check_model(model)
    limit = filters.get("limit")
    search_query(criteria, filters)  # checked before the model is called
    result = yield Call(partial(model.function, [near]))
    (vector,), dimensions = encode_vectors(model, result, [near])
    extension = yield from extension_for(model, dimensions, schema)
    parameters = {**criteria.parameters(), "near": vector, "model": model.name}
    query = FrameQuery(SEARCH_NEAR, _one_more(filters), parameters=parameters)
    # An index is approximate, so it might lose rows that the filters leave.
    filtered = criteria != SearchCriteria(None, None, criteria.language, None, None) or any(
        value is not None for name, value in filters.items() if name != "limit"
    )
    approximate = limit is not None and limit <= MAX_APPROXIMATE and not filtered
    first = limit + 1 if limit is not None and approximate else None
    query.statement = of_vector(query.statement, extension, dimensions, first)
    return (yield _nearest(query, limit))


@transactional
def _nearest(query: FrameQuery, limit: int | None) -> "Steps[DataFrame]":
    yield Operation(query.name, (ITERATE(),))
    return (yield _search(query, limit))


def _one_more(filters: Filters) -> Filters:
    """Return filters by which one more row than the limit is read, which tells of truncation."""
    limit = filters.get("limit")
    return filters if limit is None or limit >= MAX_INTEGER else {**filters, "limit": limit + 1}


@workflow
def _search(query: FrameQuery, limit: int | None) -> "Steps[DataFrame]":
    from draive_pg.display.found import Found

    found: DataFrame = yield read_query(query)
    shown = Found(found.iloc[:limit])
    shown.attrs = {**found.attrs, "truncated": len(shown) < len(found)}
    return shown
