"""Load contents of documents for services; the newest revision takes one cached index lookup.

The cache holds one `Loaded` for each selected revision, whatever is made from its content.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial, reduce
from typing import TYPE_CHECKING, Any, LiteralString, cast

from draive_pg.codec.json import parse
from draive_pg.codec.validation import check_mapping, check_text
from draive_pg.instruction_syntax import check_known, declared_names, render
from draive_pg.models.documents import ServedRevision
from draive_pg.operations.documents.instruction_reference import (
    InstructionsReference,
    given_arguments,
)
from draive_pg.operations.documents.kind import (
    CONFIGURATIONS,
    INSTRUCTIONS,
    DocumentKind,
    per_kind,
)
from draive_pg.operations.documents.read import (
    NAMES,
    Existing,
    existing,
    missing,
    missing_error,
    names,
    revision_missing_error,
)
from draive_pg.operations.documents.selectors import (
    NEWEST,
    SELECTED_CREATED,
    RevisionSelector,
    select,
    unchanged,
)
from draive_pg.operations.documents.served import is_recording, record
from draive_pg.operations.operation import (
    Cached,
    Fallback,
    Key,
    Operation,
    Preload,
    Request,
    Statement,
    Steps,
    read_rows,
    workflow,
)

if TYPE_CHECKING:
    from draive import Configuration

# Uses only draive's table: the adapters must work without the tables of draive_pg.
LOAD = per_kind(
    "load",
    """
SELECT document.content::TEXT, document.{signature}::TEXT, document.created
FROM {documents} AS document
WHERE document.name = :name::TEXT
ORDER BY document.created DESC
LIMIT 1
""",
)

LOAD_SELECTED = per_kind(
    "load_selected",
    f"""
SELECT
    document.content::TEXT,
    document.{{signature}}::TEXT,
    document.created,
    document.description,
    document.meta::TEXT
FROM {{documents}} AS document
WHERE document.name = :name::TEXT AND document.created = {SELECTED_CREATED}
""",
)


# The same for all names, to fill the cache at once.
PRELOAD = per_kind(
    "preload",
    NAMES
    + """
SELECT document.name, document.content::TEXT, document.{signature}::TEXT, document.created
FROM names
CROSS JOIN LATERAL (
    SELECT revision.*
    FROM {documents} AS revision
    WHERE revision.name = names.name
    ORDER BY revision.created DESC
    LIMIT 1
) AS document
""",
)

PRELOAD_LABELLED = per_kind(
    "preload_labelled",
    f"""
SELECT document.name, document.content::TEXT, document.{{signature}}::TEXT, document.created
FROM {{current_labels}} AS move
JOIN {{documents}} AS document
    ON document.name = move.name AND document.created = move.revision
WHERE move.label = :label::TEXT AND {unchanged("document", "move")}
""",
)


class Loaded:
    """A loaded revision with `DocumentKind.signature`, and what was made from it."""

    __slots__ = ("_made", "content", "created", "signature")

    def __init__(self, content: str, signature: str | None, created: datetime) -> None:
        self.content = content
        self.signature = signature
        self.created = created
        self._made: dict[object, Any] = {}

    def made[T](self, key: object, make: Callable[..., T], *arguments: object) -> T:
        """Return what was made from the content before, or make it."""
        try:
            return self._made[key]
        except KeyError:
            value = self._made[key] = make(*arguments)
            return value

    @property
    def declared(self) -> tuple[str, ...]:
        """The names of the declared arguments."""
        return self.made("declared", _declared_names, self.signature or "[]")


def load_text(
    kind: DocumentKind[Any, Any], reference: object, selector: RevisionSelector, *, required: bool
) -> Cached[Any]:
    """Load the content of the selected revision of a prompt; without one, return None, or raise.

    Raises
    ------
    DocumentMissing, RevisionMissing
        If there is none, and it is required.
    """
    return _load_text(kind, kind.name_of(reference), selector, required=required)


# The request is kept for equal calls: building it takes longer than a hit in the cache.
@lru_cache(maxsize=1024)
def _load_text(
    kind: DocumentKind[Any, Any], name: str, selector: RevisionSelector, *, required: bool
) -> Cached[Any]:
    otherwise = missing_selected(kind, name, selector) if required else None
    return load_selected(kind, name, selector, _content, otherwise)


def _content(found: Loaded | None) -> str | None:
    return None if found is None else found.content


def missing_selected(
    kind: DocumentKind[Any, Any], name: str, selector: RevisionSelector
) -> Callable[[], Request[Any]]:
    """Return what builds the request that raises the error for a missing revision."""
    return lambda: missing(kind, f"load {kind.titled(name)}", name, selector)


def resolve(
    instructions: InstructionsReference | None,
    *,
    arguments: Mapping[str, Any] | None,
    default: str | None,
    selector: RevisionSelector,
    strict: bool | None,
) -> Request[str]:
    """Load the selected content, or use the default, and fill in the placeholders."""
    values = {} if arguments is None else dict(check_mapping(arguments, "arguments"))
    if default is not None:
        check_text(default, "default")
    if instructions is None:
        return Operation(
            name="resolve the default instructions",
            statements=(),
            decode=lambda _: render(default or "", values, name="default"),
        )
    name = INSTRUCTIONS.name_of(instructions)
    values = {**given_arguments(instructions), **values}

    def to_result(found: Loaded | None) -> str | None:
        if found is None:
            return None if default is None else render(default, values, name=name)
        text = render(found.content, values, name=name)
        if strict or (strict is None and found.declared):
            check_known(found.content, values, found.declared, name=name)
        return text

    otherwise = missing_selected(INSTRUCTIONS, name, selector)
    return cast("Cached[str]", load_selected(INSTRUCTIONS, name, selector, to_result, otherwise))


def load_raw(
    identifier: str, selector: RevisionSelector, *, required: bool
) -> Cached[dict[str, Any] | None]:
    """Load the selected snapshot as a new dict, or None if there are no snapshots.

    Raises
    ------
    RevisionMissing
        If there are snapshots, but not the required revision or label.
    """
    return _load_raw(CONFIGURATIONS.name_of(identifier), selector, required=required)


@lru_cache(maxsize=1024)
def _load_raw(name: str, selector: RevisionSelector, *, required: bool) -> Cached[Any]:
    otherwise = partial(_without_snapshot, name, selector) if required else None
    return load_selected(CONFIGURATIONS, name, selector, partial(_parsed, name), otherwise)


def _parsed(name: str, found: Loaded | None) -> dict[str, Any] | None:
    return None if found is None else parse(found.content, CONFIGURATIONS.titled(name))


def load_configuration[Config: "Configuration"](
    config: "type[Config]",
    *,
    identifier: str | None,
    default: "Config | None",
    required: bool,
    selector: RevisionSelector,
) -> "Cached[Config | None]":
    """Load the selected snapshot as an instance of a class, or return the default.

    Raises
    ------
    ConfigurationInvalid
        If the snapshot is of another class.
    DocumentMissing
        If there is no snapshot, one is required, and the class has no defaults.
    RevisionMissing
        If there are snapshots, but not the revision or label that is asked for, and no default.
    """
    if not isinstance(config, type):
        raise _not_a_class(config)
    name = CONFIGURATIONS.name_of(config if identifier is None else identifier)
    load = _load_class(config, name, selector, required=required)
    if default is None:
        return load
    return Cached(
        load.key, load.operation, lambda found: default if found is None else load.to_result(found)
    )


@lru_cache(maxsize=1024)
def _load_class(
    config: "type[Configuration]", name: str, selector: RevisionSelector, *, required: bool
) -> Cached[Any]:
    from draive_pg.codec.draive_configurations import Configuration

    if not issubclass(config, Configuration):
        raise _not_a_class(config)
    otherwise = None
    if required or selector.is_explicit:
        otherwise = partial(_without_snapshot, name, selector, config if required else None)
    return load_selected(
        CONFIGURATIONS, name, selector, partial(_configuration, config, name), otherwise
    )


def _not_a_class(config: object) -> TypeError:
    return TypeError(
        f"load takes a Configuration class, not {config!r:.80}: load_raw reads the content "
        "of an identifier"
    )


def _configuration[Config: "Configuration"](
    config: "type[Config]", name: str, found: Loaded | None
) -> "Config | None":
    return None if found is None else found.made(config, _decoded, config, name, found)()


def _decoded[Config: "Configuration"](
    config: "type[Config]", name: str, found: Loaded
) -> "Callable[[], Config]":
    """Return a factory of the instances of a class that a snapshot describes."""
    from draive_pg.codec import draive_configurations as codec

    if found.signature not in (None, config.__name__, name.rpartition(".")[2]):
        raise codec.ConfigurationInvalid(
            identifier=name,
            reason=f"it is of the class {found.signature!r:.80}, not {config.__name__!r:.80}",
        )

    def make() -> Config:
        content = parse(found.content, CONFIGURATIONS.titled(name))
        return codec.decode_configuration(config, name, content)

    return codec.immutable_or_factory(make)


@workflow
def _without_snapshot[Config: "Configuration"](
    name: str, selector: RevisionSelector, required: "type[Config] | None" = None
) -> "Steps[Config | None]":
    """Return None, or ``required()`` as draive does, if there are no snapshots at all."""
    action = f"load {CONFIGURATIONS.titled(name)}"
    if selector.is_explicit:
        there: Existing = yield existing(CONFIGURATIONS, name)
        if there.revisions:
            raise revision_missing_error(action, selector, there)
    if required is None:
        return None
    try:
        return required()
    except Exception:  # the class has fields without defaults, or its validation failed
        others: Sequence[str] = yield names(CONFIGURATIONS)
    raise missing_error(CONFIGURATIONS, action, name, others)


def load_selected[T](
    kind: DocumentKind[Any, Any],
    name: str,
    selector: RevisionSelector,
    to_result: Callable[[Loaded | None], T],
    otherwise: Callable[[], Request[T]] | None = None,
) -> Cached[T]:
    """Load the selected revision; cached, except for what was current at a time."""
    return Cached(
        # Not cached: an entry per timestamp would evict everything else.
        None if selector.as_of else _key(kind, name, selector),
        partial(_read_selected, kind, name, selector),
        partial(_recorded, kind, name, selector, to_result),
        otherwise,
    )


@lru_cache(maxsize=1024)  # as `_load_text`: building it takes as long as a tenth of the load
def _read_selected(
    kind: DocumentKind[Any, Any], name: str, selector: RevisionSelector
) -> Operation[Loaded | None]:
    """Read the selected revision of a name, or None."""
    statement, fallback = LOAD[kind](name=name), None
    if selector != NEWEST:
        statement, fallback = LOAD_SELECTED[kind](name=name, **selector.parameters()), kind.fallback
    return read_rows(
        f"load {kind.titled(name)}",
        statement,
        lambda rows: Loaded(*rows[0][:3]) if rows else None,
        fallback=fallback,
    )


def _recorded[T](
    kind: DocumentKind[Any, Any],
    name: str,
    selector: RevisionSelector,
    to_result: Callable[[Loaded | None], T],
    found: Loaded | None,
) -> T:
    """Return the result of a load, and record the revision if the caller wants that."""
    result = to_result(found)
    if found is not None and is_recording():
        record(
            ServedRevision(
                kind=kind.table,
                name=name,
                created=found.created.astimezone(UTC),
                label=selector.label,
            )
        )
    return result


def preload(kinds: Sequence[DocumentKind[Any, Any]], label: str | None) -> Preload[int]:
    """Load the newest or labelled revisions of all names of some kinds into the cache."""
    selector = select(label=label)
    queries = [
        (
            kind,
            PRELOAD[kind]() if selector == NEWEST else PRELOAD_LABELLED[kind](label=selector.label),
        )
        for kind in kinds
    ]
    sql: LiteralString = "\nUNION ALL\n".join(
        f"SELECT '{kind.table}' AS kind, loaded.* FROM ({query.sql}) AS loaded"
        for kind, query in queries
    )
    by_table = {kind.table: kind for kind in kinds}
    return Preload(
        read_rows(
            f"load all of {' and '.join(by_table)}",
            Statement(sql, queries[0][1].parameters),
            lambda rows: {
                _key(by_table[table], name, selector): Loaded(*loaded)
                for table, name, *loaded in rows
            },
            fallback=reduce(Fallback.__or__, (kind.absent for kind in kinds)),
        )
    )


def _key(kind: DocumentKind[Any, Any], name: str, selector: RevisionSelector) -> Key:
    return Key(kind.table, name, selector, pinned=selector.is_pinned)


def _declared_names(arguments: str) -> tuple[str, ...]:
    try:
        return declared_names(json.loads(arguments))
    except (ValueError, RecursionError):  # unreadable: no declared arguments
        return ()
