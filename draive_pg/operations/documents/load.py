"""Load contents of documents for services; the newest revision takes one cached index lookup."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from draive_pg.codec.json import parse
from draive_pg.codec.validation import check_mapping, check_text
from draive_pg.operations.documents.declaration import InstructionsReference, given_arguments
from draive_pg.operations.documents.kind import (
    CONFIGURATIONS,
    INSTRUCTIONS,
    DocumentKind,
    per_kind,
)
from draive_pg.operations.documents.read import (
    Existing,
    existing,
    missing_error,
    names,
    required,
    revision_missing_error,
)
from draive_pg.operations.documents.selectors import NEWEST, SELECTED_CREATED, RevisionSelector
from draive_pg.operations.operation import Key, Operation, Request, Row, Steps, workflow
from draive_pg.templates import check_known, declared_names, render

if TYPE_CHECKING:
    from draive import Configuration

# Uses only draive's table: the adapters must work without the tables of draive_pg.
LOAD = per_kind(
    "load",
    """
SELECT document.content::TEXT, document.arguments::TEXT
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
    document.content::TEXT, document.arguments::TEXT, document.description, document.meta::TEXT
FROM {{documents}} AS document
WHERE document.name = :name::TEXT AND document.created = {SELECTED_CREATED}
""",
)


class Template(NamedTuple):
    """The content of instructions, and the names of their declared arguments."""

    content: str
    declared: tuple[str, ...]

    @classmethod
    def of(cls, content: str, arguments: str) -> Self:
        """Return the template of a row, whose arguments are JSON."""
        try:
            return cls(content, declared_names(json.loads(arguments)))
        except (ValueError, RecursionError):  # unreadable: no declared arguments
            return cls(content, ())


def load_text_or_none(name: str, selector: RevisionSelector = NEWEST) -> Operation[str | None]:
    """Load the content of a name's selected revision, or None."""
    check_text(name, "the name of the instructions")
    return _template(name, selector, lambda found: None if found is None else found.content)


def load_instructions(
    instructions: InstructionsReference, selector: RevisionSelector
) -> Request[str]:
    """Load the content of the selected revision.

    Raises
    ------
    DocumentMissing, RevisionMissing
        If there is none.
    """
    name = INSTRUCTIONS.name_of(instructions)
    return required(
        INSTRUCTIONS,
        f"load {INSTRUCTIONS.titled(name)}",
        name,
        selector,
        load_text_or_none(name, selector),
    )


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

    def to_result(found: Template | None) -> str | None:
        if found is None:
            return None if default is None else render(default, values, name=name)
        text = render(found.content, values, name=name)
        if strict or (strict is None and found.declared):
            check_known(found.content, values, found.declared, name=name)
        return text

    load = _template(name, selector, to_result)
    if default is not None:
        return cast("Operation[str]", load)
    return required(INSTRUCTIONS, f"load {INSTRUCTIONS.titled(name)}", name, selector, load)


def load_raw_or_none(
    identifier: str, selector: RevisionSelector = NEWEST
) -> Operation[dict[str, Any] | None]:
    """Load the selected snapshot as a new dict, or None."""
    name = CONFIGURATIONS.name_of(identifier)
    title = CONFIGURATIONS.titled(name)
    return _load(
        CONFIGURATIONS,
        name,
        selector,
        decode=lambda rows: rows[0][0] if rows else None,
        to_result=lambda content: None if content is None else parse(content, title),
    )


def load_raw(identifier: str, selector: RevisionSelector) -> Request[dict[str, Any] | None]:
    """Load the selected snapshot as a new dict, or None if there are no snapshots.

    Raises
    ------
    RevisionMissing
        If there are snapshots, but not the revision or label that is asked for.
    """
    load = load_raw_or_none(identifier, selector)
    return _unless_missing(load, identifier, selector) if selector.is_explicit else load


def load_configuration[Config: "Configuration"](
    config: "type[Config]",
    *,
    identifier: str | None,
    default: "Config | None",
    required: bool,
    selector: RevisionSelector,
) -> "Request[Config | None]":
    """Load the selected snapshot as an instance of a class, or return the default.

    Raises
    ------
    DocumentMissing
        If there is no snapshot, one is required, and the class has no defaults.
    RevisionMissing
        If there are snapshots, but not the revision or label that is asked for, and no default.
    """
    from draive_pg.codec import draive_configurations as codec

    if not (isinstance(config, type) and issubclass(config, codec.Configuration)):
        raise TypeError(f"load takes a Configuration class, not {config!r:.80}")
    name = CONFIGURATIONS.name_of(config if identifier is None else identifier)

    def decode(rows: Sequence[Row]) -> Callable[[], Config] | None:
        if not rows:
            return None
        text = rows[0][0]

        def made() -> Config:
            content = parse(text, CONFIGURATIONS.titled(name))
            return codec.decode_configuration(config, name, content)

        return codec.immutable_or_factory(made)

    load: Operation[Config | None] = _load(
        CONFIGURATIONS,
        name,
        selector,
        decode=decode,
        to_result=lambda loaded: default if loaded is None else loaded(),
        variant=config,
    )
    if default is not None:
        return load
    found = _unless_missing(load, name, selector) if selector.is_explicit else load
    return _or_defaults(config, name, found) if required else found


@workflow
def _unless_missing[T](
    load: Request[T | None], name: str, selector: RevisionSelector
) -> Steps[T | None]:
    """Return None only if the configuration has no snapshots at all."""
    found: T | None = yield load
    if found is None:
        there: Existing = yield existing(CONFIGURATIONS, name)
        if there.revisions:
            raise revision_missing_error(f"load {CONFIGURATIONS.titled(name)}", selector, there)
    return found


@workflow
def _or_defaults[Config: "Configuration"](
    config: "type[Config]", name: str, load: "Request[Config | None]"
) -> "Steps[Config]":
    """Return ``config()`` if nothing is stored, as draive does."""
    found = yield load
    if found is None:
        try:
            return config()
        except Exception:  # the class has fields without defaults, or its validation failed
            others: Sequence[str] = yield names(CONFIGURATIONS)
        raise missing_error(CONFIGURATIONS, f"load {CONFIGURATIONS.titled(name)}", name, others)
    return found


def _template[T](
    name: str, selector: RevisionSelector, to_result: Callable[[Template | None], T]
) -> Operation[T]:
    return _load(
        INSTRUCTIONS,
        name,
        selector,
        decode=lambda rows: Template.of(*rows[0][:2]) if rows else None,
        to_result=to_result,
    )


def _load[T](
    kind: DocumentKind[Any, Any],
    name: str,
    selector: RevisionSelector,
    *,
    decode: Callable[[Sequence[Row]], Any],
    to_result: Callable[[Any], T],
    variant: object = None,
) -> Operation[T]:
    """Load the selected revision; cached, except for what was current at a time."""
    newest = selector == NEWEST
    return Operation(
        name=f"load {kind.titled(name)}",
        statements=(
            LOAD[kind](name=name)
            if newest
            else LOAD_SELECTED[kind](name=name, **selector.parameters()),
        ),
        fallback=None if newest else kind.fallback,
        read_only=True,
        decode=decode,
        to_result=to_result,
        # Not cached: an entry per timestamp would evict everything else.
        key=None
        if selector.as_of
        else Key(kind.table, name, (variant, selector), pinned=selector.is_pinned),
    )
