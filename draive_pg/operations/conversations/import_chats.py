"""Import conversations of chat logs; importing again adds only what is new."""

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast

from draive_pg.chat import Branches, OnError
from draive_pg.chat.convert import Chat, Element, convert
from draive_pg.chat.files.containers import Containers
from draive_pg.chat.formats.format import Options
from draive_pg.chat.reader import Log, read, read_messages
from draive_pg.codec.elements import UNTIMED, Document
from draive_pg.codec.json import encode, encode_list
from draive_pg.codec.validation import check_optional, check_sent, check_text, check_texts
from draive_pg.display.progress import progress, watched
from draive_pg.errors import ChatInvalid, MemoryExists, StoredDataSkipped, warn
from draive_pg.models.conversations import ChatImport
from draive_pg.operations.conversations.prefetch import prefetch
from draive_pg.operations.conversations.relations import (
    CONVERSATIONS,
    CREATE_CONVERSATIONS,
    ELEMENTS,
    INSERT_ELEMENTS,
    INSERT_SNAPSHOTS,
    SNAPSHOTS,
    STEP,
    USE_INDEXES,
    WRITES,
    lock_memories,
    lock_memory,
)
from draive_pg.operations.conversations.transfer import batches
from draive_pg.operations.operation import (
    LINE,
    Call,
    Operation,
    Query,
    Row,
    Statement,
    Steps,
    workflow,
)

DEFAULT = Options()
MAX_PROBLEMS = 10_000  # of each sort that are reported one by one
MAX_IDENTIFIER = 2_600  # bytes that fit into an index of PostgreSQL

# The caller holds the locks. A conversation that has begun with the same elements gets the others;
# one with different elements is not changed. Meta is not compared, because exports differ in it.
# Variables are current at the end of the log; if only they changed, no earlier snapshot has them.
IMPORT = Query(
    "memories.import_chats",
    f"""
WITH given AS (
    SELECT
        *,
        sum(json_array_length(times)) OVER (ORDER BY line) - json_array_length(times)
            AS elements_before
    FROM ROWS FROM (
        json_to_recordset(:lines::JSON) AS (
            identifier TEXT,
            created TIMESTAMPTZ,
            times JSON,
            elements JSON,
            positions JSON,
            variables JSON
        )
    ) WITH ORDINALITY AS given (
        identifier, created, times, elements, positions, variables, line
    )
),
given_elements AS MATERIALIZED (
    SELECT
        given.identifier,
        item.number,
        item.created::TIMESTAMPTZ AS created,
        item.content::JSONB AS content
    FROM given
    CROSS JOIN LATERAL ROWS FROM (
        json_array_elements_text(given.times), json_array_elements(given.elements)
    ) WITH ORDINALITY AS item (created, content, number)
),
stored AS (
    SELECT
        identifier,
        row_number() OVER (PARTITION BY identifier ORDER BY created, place) AS number,
        created,
        content
    FROM {ELEMENTS} AS element
    -- Citus cannot plan a condition on `ctid` that is known to be false.
    WHERE identifier = ANY (:identifiers::TEXT[]) AND NOT (SELECT :append::BOOLEAN)
),
state AS MATERIALIZED (
    SELECT
        given.identifier,
        count(stored.number) AS stored,
        (:only_new::BOOLEAN AND count(stored.number) > 0)
        OR coalesce(
            bool_or(given_elements.content -> 'blocks' <> stored.content -> 'blocks'), FALSE
        ) AS differs,
        newest.created AS last,
        -- Conversations without times follow each other in the order of the log.
        statement_timestamp() + given.elements_before * {STEP} AS now
    FROM given
    LEFT JOIN (
        SELECT identifier, (
            SELECT max(created)
            FROM {WRITES} AS element
            WHERE element.identifier = conversation.identifier AND element.created < 'infinity'
        ) AS created
        FROM {CONVERSATIONS} AS conversation
        WHERE identifier = ANY (:identifiers::TEXT[])
    ) AS newest USING (identifier)
    LEFT JOIN stored USING (identifier)
    LEFT JOIN given_elements USING (identifier, number)
    GROUP BY given.identifier, given.elements_before, newest.created
),
new_elements AS MATERIALIZED (
    SELECT
        state.identifier,
        given_elements.number,
        given_elements.content,
        greatest(
            coalesce(given_elements.created, state.now + given_elements.number * {STEP}),
            state.last + given_elements.number * {STEP}
        ) AS created
    FROM state
    JOIN given_elements ON given_elements.identifier = state.identifier
        AND given_elements.number > state.stored
    WHERE NOT state.differs
),
recorded AS MATERIALIZED (
    SELECT identifier, variables, created, place
    FROM {SNAPSHOTS} AS snapshot
    WHERE identifier = ANY (:identifiers::TEXT[])
),
latest AS (
    SELECT DISTINCT ON (identifier) identifier, variables, created
    FROM recorded
    ORDER BY identifier, created DESC, place DESC
),
given_snapshots AS MATERIALIZED (
    SELECT
        given.identifier,
        item.number,
        item.variables::JSONB AS variables,
        item.position::INT8 AS position,
        item.position::INT8 >= state.stored OR (
            item.number = json_array_length(given.positions)
            AND json_array_length(given.times) >= state.stored
        ) AS is_current,
        json_array_length(given.times) > state.stored AS has_grown
    FROM state
    JOIN given USING (identifier)
    CROSS JOIN LATERAL ROWS FROM (
        json_array_elements_text(given.positions), json_array_elements(given.variables)
    ) WITH ORDINALITY AS item (position, variables, number)
    WHERE NOT state.differs
),
changed_snapshots AS MATERIALIZED (
    SELECT given_snapshots.*, latest.created AS last
    FROM given_snapshots
    LEFT JOIN latest USING (identifier)
    WHERE CASE
        WHEN has_grown AND is_current
            THEN latest.variables || given_snapshots.variables = latest.variables IS NOT TRUE
        ELSE NOT EXISTS (
            SELECT FROM recorded
            WHERE recorded.identifier = given_snapshots.identifier
                AND recorded.variables || given_snapshots.variables = recorded.variables
        )
    END
),
new_snapshots AS MATERIALIZED (
    SELECT
        state.identifier,
        changed.number,
        changed.variables,
        greatest(
            coalesce(
                new_elements.created,
                (
                    SELECT max(each.created) + {STEP} FROM new_elements AS each
                    WHERE each.identifier = state.identifier
                ),
                state.last + {STEP},
                state.now
            ),
            changed.last + changed.number * {STEP}
        ) AS created
    FROM state
    JOIN changed_snapshots AS changed USING (identifier)
    LEFT JOIN new_elements ON new_elements.identifier = state.identifier
        AND new_elements.number = greatest(changed.position + 1, state.stored + 1)
    WHERE changed.is_current
),
new_conversations AS (
    SELECT given.identifier, coalesce(given.created, now()) AS created
    FROM given
    JOIN state USING (identifier)
    WHERE NOT state.differs
),
{CREATE_CONVERSATIONS},
{INSERT_SNAPSHOTS},
{INSERT_ELEMENTS}
SELECT
    state.identifier,
    state.stored,
    state.differs,
    coalesce(counted.added, 0) AS added,
    EXISTS (
        SELECT FROM new_snapshots WHERE new_snapshots.identifier = state.identifier
    ) AS has_new_variables,
    EXISTS (
        SELECT FROM changed_snapshots AS changed
        WHERE changed.identifier = state.identifier AND NOT changed.is_current
    ) AS has_other_variables
FROM state
LEFT JOIN (
    SELECT identifier, count(*) AS added FROM new_elements GROUP BY identifier
) AS counted USING (identifier)
""",
)


class Given(NamedTuple):
    """A conversation that is imported: a JSON object for `IMPORT`."""

    identifier: str
    text: str
    elements: int
    where: str
    has_variables: bool

    @property
    def size(self) -> int:
        """Characters of the text."""
        return len(self.text)


@dataclass(slots=True)
class Problems:
    """Descriptions of problems, of which only the first are kept: a file may have any number."""

    first: list[str] = field(default_factory=list[str])
    more: int = 0

    def add(self, problem: str) -> None:
        """Add a problem."""
        if len(self.first) < MAX_PROBLEMS:
            self.first.append(problem)
        else:
            self.more += 1

    @property
    def total(self) -> int:
        """Number of all problems."""
        return len(self.first) + self.more

    def described(self) -> Sequence[str]:
        """Return the first problems, and how many more there are."""
        return [*self.first, f"and {self.more:,} more"] if self.more else self.first


@dataclass(slots=True)
class Report:
    """What an import did so far: the values of a `ChatImport`.

    Attributes
    ----------
    conflicts : Problems
        Refusals of the database; ``refused`` has those of the conversations that are read ahead.
    read : int
        Bytes of files.
    """

    imported: int = 0
    extended: int = 0
    unchanged: int = 0
    elements: int = 0
    refused: Problems = field(default_factory=Problems)
    repaired: Problems = field(default_factory=Problems)
    ignored: Counter[str] = field(default_factory=Counter[str])
    untimed: int = 0
    conflicts: Problems = field(default_factory=Problems)
    read: int = 0

    def count(self, size: int) -> None:
        """Add a number of bytes that were read."""
        self.read += size

    def result(self) -> ChatImport:
        """Return the record."""
        return ChatImport(
            self.imported,
            self.extended,
            self.unchanged,
            self.elements,
            (*self.refused.described(), *self.conflicts.described()),
            tuple(self.repaired.described()),
            dict(sorted((+self.ignored).items())),
            self.untimed,
            self.refused.total + self.conflicts.total,
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """How to import.

    Attributes
    ----------
    options : Options
        What to read of the documents.
    prefix : str
        Prefix of all identifiers.
    on_error : {"refuse", "skip", "repair"}
        What to do with a malformed message.
    append : bool
        Append to memories that have elements, whatever they are.
    """

    options: Options = DEFAULT
    prefix: str = ""
    on_error: OnError = "refuse"
    append: bool = False


def rules(
    identifier: str | None,
    prefix: str,
    variables: Iterable[str] | None,
    meta: Iterable[str] | None,
    branches: Branches,
    on_error: OnError,
    *,
    append: bool,
) -> Rules:
    """Check the arguments of an import."""
    if branches not in ("active", "all"):
        raise ValueError(f"branches must be 'active' or 'all', not {branches!r:.60}")
    if on_error not in ("refuse", "skip", "repair"):
        raise ValueError(f"on_error must be 'refuse', 'skip' or 'repair', not {on_error!r:.60}")
    options = Options(
        check_optional(identifier, "identifier"),
        check_texts(variables, "variables"),
        check_texts(meta, "meta"),
        branches,
    )
    return Rules(options, check_text(prefix, "prefix"), on_error, append)


def check(source: Any, rules: Rules) -> ChatImport:
    """Read and check chat logs, and return what an import into an empty database would do."""
    report = Report()
    with progress(_size(source), "Checking", "B", wanted=watched()) as bar:
        for given in _prepared(source, rules, report):
            report.imported += 1
            report.elements += given.elements
            bar.update(report.read - bar.n)
    return report.result()


@workflow
def import_chats(source: Any, rules: Rules, *, dry_run: bool = False) -> Steps[ChatImport]:
    """Write the conversations of chat logs in batches, each conversation whole or not at all."""
    if dry_run:
        return (yield Call(partial(check, source, rules)))
    report = Report()
    with_variables: bool = not (yield LINE).has_turns
    with (
        progress(_size(source), "Importing", "B", wanted=watched()) as bar,
        prefetch(batches(_prepared(source, rules, report)), threaded=_are_files(source)) as take,
    ):
        while batch := (yield Call(take)):
            states = yield _write(batch, append=rules.append)
            _count(batch, states, rules, report, with_variables=with_variables)
            bar.update(report.read - bar.n)
            if not with_variables:
                written = (each for each in batch if states[each.identifier][3])
                report.ignored["variables"] += sum(each.has_variables for each in written)
    return report.result()


def _sources(source: Any) -> Sequence[Any]:
    """Return one or several sources: a list of paths is several."""
    if isinstance(source, list | tuple) and source:
        values = cast("Sequence[Any]", source)
        if all(isinstance(each, str | PathLike) for each in values):
            return values
    return (cast("Any", source),)


def _are_files(source: Any) -> bool:
    return all(isinstance(each, str | PathLike) and each != "-" for each in _sources(source))


def _size(source: Any) -> int | None:
    """Return the number of bytes of files; None for other sources."""
    if not _are_files(source):
        return None
    total = 0
    for each in _sources(source):
        path = Path(cast("str", each))
        files = path.rglob("*") if path.is_dir() else (path,)
        total += sum(file.stat().st_size for file in files if file.is_file())
    return total


def _prepared(source: Any, rules: Rules, report: Report) -> Generator[Given]:
    """Read and check conversations, and note those that are refused."""
    containers = Containers(
        ignored=lambda name: report.ignored.update([f"file {name}"]),
        progress=report.count,
    )
    for each in _sources(source):
        for entry in read(each, containers, rules.options):
            if isinstance(entry, ChatInvalid):
                report.refused.add(str(entry))
                continue
            if not entry.conversation.messages:
                report.ignored["conversations without messages"] += 1
                continue
            try:
                given = _given(entry, rules, report)
            except (TypeError, ValueError) as error:
                report.refused.add(f"{entry.where}: {error}")
            except RecursionError:
                report.refused.add(f"{entry.where}: a value is nested too deeply")
            else:
                yield given


def _given(log: Log, rules: Rules, report: Report) -> Given:
    identifier = _identifier(f"{rules.prefix}{log.identifier}")
    chat = convert(log.conversation, rules.on_error)
    text = _line(identifier, chat, log.conversation.created)
    for repair in chat.repairs:
        report.repaired.add(f"{log.where}: {repair}")
    report.ignored.update(log.conversation.ignored)
    report.ignored["times before those of earlier messages"] += chat.has_later_times
    report.untimed += any(each.untimed for each in chat.elements)
    return Given(identifier, text, len(chat.elements), log.where, bool(chat.snapshots))


def _identifier(identifier: str) -> str:
    check_text(identifier, "identifier")
    if len(identifier.encode()) > MAX_IDENTIFIER:
        raise ValueError(f"its identifier {identifier!r:.60} is longer than {MAX_IDENTIFIER} bytes")
    return identifier


def _line(identifier: str, chat: Chat, created: datetime | None) -> str:
    """Return a conversation as a JSON object for `IMPORT`."""
    first = next((element.created for element in chat.elements), None)
    known = [time for time in (created, first) if time is not None]
    times = [_time(each.created) for each in chat.elements]
    elements = encode_list(
        [_marked(each) for each in chat.elements], (each.source for each in chat.elements)
    )
    positions = [str(each.position) for each in chat.snapshots]
    variables = [encode(each.variables, "variables") for each in chat.snapshots]
    began = _time(min(known, default=None))
    text = (
        f'{{"identifier":{encode(identifier, "identifier")},"created":{began},'
        f'"times":[{",".join(times)}],"elements":{elements},'
        f'"positions":[{",".join(positions)}],"variables":[{",".join(variables)}]}}'
    )
    return check_sent(text, "the items together are")


def _marked(element: Element) -> Document:
    """Return the document of an element, whose meta says if its time is not its own."""
    if element.untimed is None:
        return element.document
    meta = {**element.document["meta"], UNTIMED: element.untimed}
    return {**element.document, "meta": meta}


def _time(time: datetime | None) -> str:
    return "null" if time is None else f'"{time.isoformat()}"'


def _count(
    batch: Sequence[Given],
    states: Mapping[str, Row],
    rules: Rules,
    report: Report,
    *,
    with_variables: bool,
) -> None:
    for given in batch:
        _, stored, differs, added, has_new_variables, has_other_variables = states[given.identifier]
        if differs:
            report.conflicts.add(
                f"{given.where}: memory {given.identifier!r:.80} has other elements; if the log "
                "continues it, append; if not, import with another prefix, or remove the memory"
            )
        elif not (added or (with_variables and has_new_variables) or rules.append):
            report.unchanged += 1
        elif stored == 0 or rules.append:
            report.imported += 1
        else:
            report.extended += 1
        report.elements += added
        report.ignored["earlier variables"] += with_variables and has_other_variables


def _write(batch: Sequence[Given], *, append: bool) -> Operation[Mapping[str, Row]]:
    first, *others = batch
    more = f", and {len(others)} more" if others else ""
    return Operation(
        name=f"import {first.where}: memory {first.identifier!r:.80}{more}",
        statements=(
            USE_INDEXES(),
            *lock_memories([given.identifier for given in batch]),
            _statement(batch, append=append, only_new=False),
        ),
        decode=lambda rows: {row[0]: row for row in rows},
    )


def _statement(batch: Sequence[Given], *, append: bool, only_new: bool) -> Statement:
    return IMPORT(
        lines=f"[{','.join(given.text for given in batch)}]",
        identifiers=[given.identifier for given in batch],
        append=append,
        only_new=only_new,
    )


@workflow
def import_chat(
    identifier: str,
    messages: Iterable[Mapping[str, Any]],
    *,
    append: bool,
) -> Steps[int]:
    """Append the messages of a chat log as elements, and return how many elements they made."""
    check_text(identifier, "identifier")
    conversation = read_messages(messages)
    chat = convert(conversation)
    try:
        text = _line(identifier, chat, conversation.created)
    except (TypeError, ValueError) as error:
        raise ChatInvalid(str(error)) from error

    def decode(rows: Sequence[Row]) -> int:
        _, _, refused, added, *_ = rows[0]
        if refused:
            raise MemoryExists(
                f"import chat into memory {identifier!r:.80}: it already has elements; "
                "remove it first, or append to it with append=True"
            )
        return added

    given = Given(identifier, text, len(chat.elements), "", bool(chat.snapshots))
    added: int = yield Operation(
        name=f"import chat into memory {identifier!r:.80}",
        statements=(
            lock_memory(identifier),
            _statement([given], append=append, only_new=not append),
        ),
        decode=decode,
    )
    if added and given.has_variables and (yield LINE).has_turns:
        warn(
            f"import chat into memory {identifier!r:.80}: its variables, such as the text of "
            "system messages, were left out, because turns have none",
            StoredDataSkipped,
        )
    return added
