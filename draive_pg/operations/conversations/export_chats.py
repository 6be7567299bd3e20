"""Write conversations as chat logs: messages of OpenAI, or another format."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from draive_pg.chat import ExportFormat
from draive_pg.chat.conversation import Conversation
from draive_pg.chat.export import FORMATS, openai
from draive_pg.chat.export.rules import answered, problems
from draive_pg.chat.export.stored import Kind, Stored, read
from draive_pg.chat.export.writer import Writer
from draive_pg.codec.json import parse
from draive_pg.codec.timestamps import from_epoch_us
from draive_pg.codec.validation import check_path, check_text
from draive_pg.errors import StoredDataInvalid
from draive_pg.models.conversations import ChatExport
from draive_pg.operations.conversations.annotations import NO_ANNOTATIONS, annotated
from draive_pg.operations.conversations.expressions import epoch_us
from draive_pg.operations.conversations.listing import memory_missing
from draive_pg.operations.conversations.relations import CONVERSATIONS, ELEMENTS, SNAPSHOTS
from draive_pg.operations.conversations.transfer import Selection, write_batches
from draive_pg.operations.operation import Query, Row, Steps, read_rows, workflow

AFTER = "messages after the last answer"

# For each memory: its row, its annotations, then its snapshots and elements in order. A snapshot of
# the same time as an element was current when that was written.
READ = Query(
    "memories.chat",
    f"""
SELECT identifier, kind, {epoch_us("moment")}, document
FROM (
    SELECT
        identifier,
        0 AS kind,
        NULL::TIMESTAMPTZ AS created,
        NULL::TIMESTAMPTZ AS moment,
        '' AS document,
        NULL::TID AS place
    FROM {CONVERSATIONS} AS conversation
    WHERE identifier = ANY (:identifiers::TEXT[])
    UNION ALL
    SELECT
        identifier,
        3,
        NULL,
        annotated,
        (to_jsonb(annotation) - ARRAY['identifier', 'id', 'digest', 'occurrence'])::TEXT,
        NULL
    FROM {annotated("identifier = ANY (:identifiers::TEXT[])")} AS annotation
    UNION ALL
    SELECT identifier, 1, created, created, variables::TEXT, place
    FROM {SNAPSHOTS} AS snapshot
    WHERE identifier = ANY (:identifiers::TEXT[])
    UNION ALL
    SELECT identifier, 2, created, moment, content::TEXT, place
    FROM {ELEMENTS} AS element
    WHERE identifier = ANY (:identifiers::TEXT[])
) AS stored
ORDER BY identifier, created NULLS FIRST, kind, place, moment
""",
)


KINDS: Mapping[int, Kind] = {1: "variables", 2: "element", 3: "annotation"}


@dataclass(slots=True)
class Report:
    """What an export did so far: the values of a `ChatExport`."""

    conversations: int = 0
    messages: int = 0
    refused: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    ignored: Counter[str] = field(default_factory=Counter[str])

    def result(self, path: Path) -> ChatExport:
        """Return the record."""
        return ChatExport(
            path,
            self.conversations,
            self.messages,
            tuple(self.refused),
            tuple(self.problems),
            dict(sorted(self.ignored.items())),
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """How to export.

    Attributes
    ----------
    format : str
        Name of the format.
    metadata : bool
        Write identifiers, times, variables, reasoning and meta.
    only_valid : bool
        Leave out conversations that an API would refuse.
    """

    format: ExportFormat
    metadata: bool
    only_valid: bool


@workflow
def export_chats(path: object, selection: Selection, rules: Rules) -> Steps[ChatExport]:
    """Write conversations to a file, which appears or is replaced when it is complete."""
    if not isinstance(rules.format, str) or rules.format not in FORMATS:
        known = ", ".join(map(repr, FORMATS))
        raise ValueError(f"format must be one of {known}, not {rules.format!r:.60}")
    target = check_path(path)
    report = Report()
    write = partial(_write_lines, rules, report)
    yield from write_batches(target, selection, READ, write)
    return report.result(target)


@workflow
def chat(identifier: str, *, metadata: bool) -> Steps[list[dict[str, Any]]]:
    """Return a memory as OpenAI messages."""
    check_text(identifier, "identifier")
    name = f"read memory {identifier!r:.80} as a chat"
    statement = READ(identifiers=[identifier])
    rows: Sequence[Row] = yield read_rows(name, statement, list, fallback=NO_ANNOTATIONS)
    if not rows:
        raise (yield from memory_missing(f"{name}: there is no such memory", identifier))
    try:
        conversation = _conversation(identifier, rows)
    except ValueError as error:
        raise StoredDataInvalid(f"{name}: {error}") from error
    writer = Writer(metadata)
    return [openai.write_message(each, writer) for each in conversation.messages]


def _conversation(identifier: str, rows: Iterable[Row]) -> Conversation:
    stored = [
        Stored(from_epoch_us(created), KINDS[kind], parse(document, "a row"))
        for _, kind, created, document in rows
        if kind
    ]
    return read(identifier, stored)


def _write_lines(rules: Rules, report: Report, file: IO[bytes], rows: Sequence[Row]) -> set[str]:
    """Write memories, and return their identifiers."""
    identifiers: set[str] = set()
    for identifier, stored in groupby(rows, key=lambda row: row[0]):
        identifiers.add(identifier)
        for line in _lines(identifier, stored, rules, report):
            file.write(line)
    return identifiers


def _lines(identifier: str, rows: Iterable[Row], rules: Rules, report: Report) -> Iterator[bytes]:
    """Yield the line of a memory, or note why it has none."""
    where = f"memory {identifier!r:.80}"
    try:
        conversation = _conversation(identifier, rows)
    except (ValueError, StoredDataInvalid) as error:
        report.refused.append(f"{where}: {error}")
        return
    if not conversation.messages:
        report.refused.append(f"{where}: there are no messages")
        return
    if rules.only_valid:
        whole, conversation = conversation, answered(conversation)
        if len(conversation.messages) < len(whole.messages):
            report.ignored[AFTER] += 1
    if (problem := next(problems(conversation.messages, rules.format), None)) is not None:
        invalid = report.refused if rules.only_valid else report.problems
        invalid.append(f"{where}: {problem}")
        if rules.only_valid:
            return
    writer = Writer(rules.metadata)
    document = FORMATS[rules.format](conversation, writer)
    report.ignored.update(writer.left_out | conversation.ignored)
    report.conversations += 1
    report.messages += len(conversation.messages)
    yield f"{json.dumps(document, ensure_ascii=False)}\n".encode()
