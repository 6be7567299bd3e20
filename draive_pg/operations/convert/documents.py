"""Convert prompts with their revisions, labels, authors and messages; copy configurations."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

from draive_pg.codec.json import encode, parse
from draive_pg.errors import StoredDataInvalid, TemplateInvalid
from draive_pg.lines.placeholders import instruction_from_template, template_from_instruction
from draive_pg.lines.turns import Loss
from draive_pg.operations.convert.conversations import CHANGED
from draive_pg.operations.convert.report import OnTarget, Report
from draive_pg.operations.documents.kind import DocumentKind, per_kind
from draive_pg.operations.documents.selectors import digest
from draive_pg.operations.operation import Operation, Row, Steps, advisory_locks, read_rows

MAX_PAGE = 20  # documents per statement
OTHER = "the target has other revisions or labels of it: rename or remove one of them"

LIST = per_kind(
    "convert_list",
    """
SELECT DISTINCT name
FROM {every} AS document
WHERE :after::TEXT IS NULL OR name > :after::TEXT
ORDER BY name
LIMIT :limit::INT8
""",
)

UTC: LiteralString = "to_json({time} AT TIME ZONE 'UTC') #>> '{}' || 'Z'"


def _utc(time: LiteralString) -> LiteralString:
    """Return SQL for a time as text, which is the same in each session."""
    return UTC.replace("{time}", time)


# For each name: its revisions, its moves of labels, and the times of its removed revisions.
READ = per_kind(
    "convert_read",
    f"""
SELECT
    0,
    document.name,
    {_utc("document.created")},
    document.content::TEXT,
    document.description,
    document.arguments::TEXT,
    document.meta::TEXT,
    note.author,
    note.message
FROM {{every}} AS document
LEFT JOIN {{notes}} AS note ON note.name = document.name AND note.created = document.created
WHERE document.name = ANY (:names::TEXT[])
UNION ALL
SELECT
    1,
    name,
    {_utc("moved")},
    label,
    {_utc("revision")},
    NULL,
    NULL,
    author,
    message
FROM {{labels}} AS move
WHERE name = ANY (:names::TEXT[])
UNION ALL
SELECT 2, name, {_utc("created")}, NULL, NULL, NULL, NULL, NULL, NULL
FROM {{removals}} AS removal
WHERE name = ANY (:names::TEXT[])
ORDER BY 2, 1, 3
""",
)

# The caller holds the locks. Names that were written to since they were read are left out.
WRITE = per_kind(
    "convert_write",
    f"""
WITH unchanged AS (
    SELECT name
    FROM json_to_recordset(:seen::JSON) AS seen (
        name TEXT,
        revisions INT8,
        labels INT8,
        removals INT8
    )
    WHERE revisions = (SELECT count(*) FROM {{every}} AS stored WHERE stored.name = seen.name)
        AND labels = (SELECT count(*) FROM {{labels}} AS move WHERE move.name = seen.name)
        AND removals = (SELECT count(*) FROM {{removals}} AS gone WHERE gone.name = seen.name)
),
document AS (
    SELECT
        name,
        created,
        content::{{content_type}} AS content,
        description,
        arguments::JSONB AS arguments,
        meta::JSONB AS meta,
        author,
        message
    FROM json_to_recordset(:revisions::JSON) AS given (
        name TEXT,
        created TIMESTAMPTZ,
        content TEXT,
        description TEXT,
        arguments TEXT,
        meta TEXT,
        author TEXT,
        message TEXT
    )
    WHERE name IN (SELECT name FROM unchanged)
),
written AS (
    INSERT INTO {{table}} ({{columns}})
    SELECT {{values}} FROM document
    ON CONFLICT DO NOTHING
    RETURNING {{key}} AS name, created
),
annotated AS (
    INSERT INTO {{notes}} (name, created, author, message)
    SELECT name, created, author, message
    FROM document
    WHERE author IS NOT NULL OR message IS NOT NULL
    ON CONFLICT DO NOTHING
),
moved AS (
    INSERT INTO {{labels}} (name, label, revision, moved, author, message, digest)
    SELECT
        move.name,
        move.label,
        move.revision,
        move.moved,
        move.author,
        move.message,
        CASE WHEN document.name IS NOT NULL THEN {digest("document")} END
    FROM json_to_recordset(:labels::JSON) AS move (
        name TEXT,
        label TEXT,
        revision TIMESTAMPTZ,
        moved TIMESTAMPTZ,
        author TEXT,
        message TEXT
    )
    LEFT JOIN (
        SELECT name, created, content, description, arguments, meta FROM document
        UNION ALL
        SELECT name, created, content, description, arguments, meta FROM {{every}} AS stored
    ) AS document ON document.name = move.name AND document.created = move.revision
    WHERE move.name IN (SELECT name FROM unchanged)
    ON CONFLICT DO NOTHING
),
removed AS (
    INSERT INTO {{removals}} (name, created)
    SELECT name, created
    FROM json_to_recordset(:removals::JSON) AS removal (name TEXT, created TIMESTAMPTZ)
    WHERE name IN (SELECT name FROM unchanged)
    ON CONFLICT DO NOTHING
)
SELECT name FROM unchanged
""",
)


class Stored(NamedTuple):
    """What is stored of a name.

    Attributes
    ----------
    revisions : dict
        Content, description, arguments, meta, author and message by time.
    labels : dict
        The same, of which the description is the revision, by label and time of each move.
    removals : dict
        Empty rows by the times of removed revisions.
    """

    revisions: dict[str, Row]
    labels: dict[tuple[str, str], Row]
    removals: dict[str, Row]


NONE = Stored({}, {}, {})


class Content(NamedTuple):
    """The content and the arguments of a revision, and what they lack."""

    content: str
    arguments: str
    losses: Sequence[str]


type Conversion = Callable[[str, str, str], Content]
"""Convert the content and the arguments of a revision of a name."""


def _same(name: str, content: str, arguments: str) -> Content:
    del name
    return Content(content, arguments, ())


def _template(name: str, content: str, arguments: str) -> Content:
    declared = parse(arguments, "the arguments")
    template, losses = template_from_instruction(content, declared, name=name)
    return Content(template.content, encode(template.variables, "the variables"), losses)


def _instruction(name: str, content: str, variables: str) -> Content:
    described = parse(variables, "the variables")
    instruction, losses = instruction_from_template(content, described, name=name)
    return Content(instruction.content, encode(instruction.arguments, "the arguments"), losses)


CONVERSIONS: Mapping[tuple[str, str], Conversion] = {
    ("instructions", "templates"): _template,
    ("templates", "instructions"): _instruction,
}


def convert_documents(
    subject: str,
    source: DocumentKind[Any, Any],
    target: DocumentKind[Any, Any],
    on_target: OnTarget,
    report: Report,
    *,
    is_new: bool,
    dry_run: bool,
) -> Steps[None]:
    """Convert all documents of a kind, a page of names at a time.

    Parameters
    ----------
    subject : str
        ``prompts`` or ``configurations``, for the report.
    source, target : DocumentKind
        The kinds.
    on_target : callable
        Makes the requests for the target.
    report : Report
        Gets the results.
    is_new : bool
        Whether the target's table does not exist yet.
    dry_run : bool
        Whether to write nothing.
    """
    conversion = CONVERSIONS.get((source.table, target.table), _same)
    after: str | None = None
    while names := (yield _list(source, after)):
        found: Mapping[str, Stored] = yield _read(source, names)
        there: Mapping[str, Stored] = {} if is_new else (yield on_target(_read(target, names)))
        additions: dict[str, Stored] = {}
        losses: dict[str, Sequence[Loss]] = {}
        for name in names:
            try:
                converted, losses[name] = _converted(name, found[name], conversion)
                additions[name] = _added(converted, there.get(name))
            except ValueError as error:
                report.refuse(subject, name, str(error))
        missing = {name: added for name, added in additions.items() if any(added)}
        if missing and not dry_run:
            written: Collection[str] = yield on_target(_write(target, missing, there))
            for name in missing.keys() - written:
                report.refuse(subject, name, CHANGED)
                del additions[name]
        for name, added in additions.items():
            report.lose(subject, name, losses[name])
            report.done["documents" if name in missing else "unchanged"] += 1
            report.done["revisions"] += len(added.revisions)
        report.bar.update(len(names))
        after = names[-1]


def _list(kind: DocumentKind[Any, Any], after: str | None) -> Operation[Sequence[str]]:
    return read_rows(
        f"convert: list {kind.table}",
        LIST[kind](after=after, limit=MAX_PAGE),
        lambda rows: [row[0] for row in rows],
    )


def _read(kind: DocumentKind[Any, Any], names: Sequence[str]) -> Operation[Mapping[str, Stored]]:
    def decode(rows: Sequence[Row]) -> Mapping[str, Stored]:
        found: dict[str, Stored] = {}
        for part, name, time, *row in rows:
            parts: Any = found.setdefault(name, Stored({}, {}, {}))
            parts[part][(row[0], time) if part == 1 else time] = row
        return found

    return read_rows(
        f"convert: read {kind.table} from {names[0]!r:.80} on",
        READ[kind](names=names),
        decode,
        fallback=kind.fallback,
    )


def _converted(name: str, stored: Stored, conversion: Conversion) -> tuple[Stored, Sequence[Loss]]:
    revisions: dict[str, Row] = {}
    losses: list[Loss] = []
    for position, (created, row) in enumerate(stored.revisions.items()):
        content, description, arguments, *rest = row
        try:
            new = conversion(name, content, arguments)
        except (KeyError, TypeError, StoredDataInvalid, TemplateInvalid) as error:
            raise ValueError(f"revision {position + 1} has no counterpart: {error}") from error
        losses += (Loss(position, loss) for loss in new.losses)
        revisions[created] = (new.content, description, new.arguments, *rest)
    return Stored(revisions, stored.labels, stored.removals), losses


def _added(stored: Stored, there: Stored | None) -> Stored:
    """Return what the target lacks; raise ValueError if it has something else."""
    if there is None:
        return stored
    known = there.revisions.keys() | there.removals.keys()
    added = Stored(
        {created: row for created, row in stored.revisions.items() if created not in known},
        {move: row for move, row in stored.labels.items() if move not in there.labels},
        {created: row for created, row in stored.removals.items() if created not in known},
    )
    revised = there.revisions.keys() - stored.revisions.keys()
    moved = there.labels.keys() - stored.labels.keys()
    if (added.revisions and revised) or (added.labels and (revised or moved)):
        raise ValueError(OTHER)
    for created in stored.revisions.keys() & there.revisions.keys():
        content, _, arguments, *_ = stored.revisions[created]
        present, _, declared, *_ = there.revisions[created]
        if (content, json.loads(arguments)) != (present, json.loads(declared)):
            raise ValueError(OTHER)
    return added


def _write(
    kind: DocumentKind[Any, Any], added: Mapping[str, Stored], there: Mapping[str, Stored]
) -> Operation[Collection[str]]:
    """Write what the target lacks, and return the names that are still as they were read."""
    members = ("content", "description", "arguments", "meta", "author", "message")
    revisions = [
        {"name": name, "created": created, **dict(zip(members, row, strict=True))}
        for name, stored in added.items()
        for created, row in stored.revisions.items()
    ]
    labels = [
        {
            "name": name,
            "label": label,
            "revision": revision,
            "moved": moved,
            "author": author,
            "message": message,
        }
        for name, stored in added.items()
        for (label, moved), (_, revision, _, _, author, message) in stored.labels.items()
    ]
    seen = [
        dict(zip(("revisions", "labels", "removals"), map(len, there.get(name, NONE)), strict=True))
        | {"name": name}
        for name in added
    ]
    removals = [
        {"name": name, "created": created}
        for name, stored in added.items()
        for created in stored.removals
    ]
    return Operation(
        name=f"convert: write {len(added)} {kind.table}",
        statements=(
            advisory_locks(map(kind.subject, added)),
            WRITE[kind](
                revisions=json.dumps(revisions),
                labels=json.dumps(labels),
                removals=json.dumps(removals),
                seen=json.dumps(seen),
            ),
        ),
        decode=lambda rows: {row[0] for row in rows},
        invalidates=kind.stale(*added),
    )
