"""Search of elements: full text, tools, metadata, errors and variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from draive_pg.codec.json import encode_mapping
from draive_pg.codec.validation import MAX_INTEGER, check_text
from draive_pg.frames.frame import Frame
from draive_pg.frames.query import Filters, FrameQuery
from draive_pg.frames.read import read_query
from draive_pg.operations.conversations.expressions import CALLS, ROLE, TOOLS, vector
from draive_pg.operations.conversations.store import ELEMENTS, SNAPSHOTS
from draive_pg.operations.operation import Steps, Workflow, workflow

if TYPE_CHECKING:
    from pandas import DataFrame

VECTOR = vector(":language::REGCONFIG")

# Positions and excerpts are computed only for the returned rows.
SEARCH = Frame(
    "search",
    {
        "identifier": "text",
        "position": "integer",
        "created": "timestamp",
        "role": "text",
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
        CASE
            WHEN :text::TEXT IS NOT NULL THEN ts_headline(
                :language::REGCONFIG,
                spoken.text,
                websearch_to_tsquery(:language::REGCONFIG, :text::TEXT),
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
        WHERE (:identifier::TEXT[] IS NULL OR identifier = ANY (:identifier::TEXT[]))
            AND (:since::TIMESTAMPTZ IS NULL OR created >= :since::TIMESTAMPTZ)
            AND (:until::TIMESTAMPTZ IS NULL OR created < :until::TIMESTAMPTZ)
            AND (:text::TEXT IS NULL OR (
                {VECTOR}
            ) @@ websearch_to_tsquery(:language::REGCONFIG, :text::TEXT))
            AND (:role::TEXT IS NULL OR content ->> 'type' = :role::TEXT)
            AND (:tool::TEXT[] IS NULL OR {TOOLS} ?| :tool::TEXT[])
            AND (:meta::JSONB IS NULL OR content -> 'meta' @> :meta::JSONB)
            AND (:error::BOOLEAN IS NULL OR :error::BOOLEAN = (content @>
                '{{"blocks": [{{"type": "tool_response", "handling": "error"}}]}}'
            ))
            AND (:variables::JSONB IS NULL OR (
                SELECT variables @> :variables::JSONB
                FROM {SNAPSHOTS} AS snapshot
                WHERE snapshot.identifier = element.identifier
                ORDER BY snapshot.created DESC, snapshot.place DESC
                LIMIT 1
            ))
        ORDER BY rank DESC, created DESC, identifier, place DESC
        LIMIT :limit::INT8
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
)


@dataclass(frozen=True, slots=True)
class SearchCriteria:
    """Criteria of a search in addition to `Filters`; all must match."""

    text: str | None
    language: str
    meta: Mapping[str, Any] | None
    error: bool | None
    variables: Mapping[str, Any] | None

    def parameters(self) -> Mapping[str, object]:
        """Return the parameters of the statement, or raise TypeError or ValueError."""
        if self.text is not None and not check_text(self.text, "text").strip():
            raise ValueError("text must not be blank; to search without text, use None")
        if not isinstance(self.error, bool | None):
            raise TypeError(f"error must be a bool or None, not {type(self.error).__name__}")
        return {
            "text": self.text,
            "language": check_text(self.language, "language"),
            "meta": encode_mapping(self.meta, "meta"),
            "error": self.error,
            "variables": encode_mapping(self.variables, "variables"),
        }


def search(criteria: SearchCriteria, filters: Filters) -> "Workflow[DataFrame]":
    """Return the matching elements, with ``attrs["truncated"]`` true if the limit cut them.

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
    found: DataFrame = yield read_query(query)
    shown = found if limit is None else found.iloc[:limit]
    shown.attrs["truncated"] = len(shown) < len(found)
    return shown
