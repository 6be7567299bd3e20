"""The content of instructions, for whoever puts it before a model: loaded, and resolved."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, LiteralString, NamedTuple, Self

from draive_pg.codec.validation import check_mapping, check_text
from draive_pg.operations.documents.instructions import TABLE, Reference, name_of
from draive_pg.operations.documents.revisions import asked
from draive_pg.operations.documents.selectors import CHOICES, KNOWN, NEWEST, Choice, Known, columns
from draive_pg.operations.operation import Key, Operation, Row, Statement
from draive_pg.templates import check_known, declared_names, render

__all__ = ("Body", "load", "load_content", "resolve")

# The newest alone is read without a look at the others, for this is what services ask.
BODY = """
SELECT content, arguments::TEXT
FROM {schema}.instructions
WHERE name = $1::TEXT
ORDER BY created DESC
LIMIT 1
"""


# What else there is is looked for only in vain.
CHOSEN: LiteralString = f"""
SELECT
    body.content,
    body.arguments::TEXT,
    known.revisions,
    known.labels
FROM choices
LEFT JOIN {{schema}}.instructions AS body
    ON body.name = $1::TEXT AND body.created = choices.created
LEFT JOIN LATERAL (SELECT {KNOWN}) AS known (revisions, labels) ON body.content IS NULL
"""


class Body(NamedTuple):
    """What is kept of a revision to load and resolve it."""

    content: str
    declared: tuple[str, ...]  # names of arguments

    @classmethod
    def of(cls, content: str, arguments: str) -> Self:
        """Return the body of a row, whose arguments are JSON."""
        try:
            return cls(content, declared_names(json.loads(arguments)))
        except (ValueError, RecursionError):  # what Python cannot hold declares nothing
            return cls(content, ())


def load_content(name: str, choice: Choice = NEWEST) -> Operation[str | None]:
    """The content of a name's newest or chosen revision, or None."""
    check_text(name, "the name of the instructions")
    return _loading(name, choice, lambda found: found.content if isinstance(found, Body) else None)


def load(instructions: Reference, choice: Choice) -> Operation[str]:
    """The content of the chosen revision, or RevisionMissing, or InstructionsMissing."""
    name = name_of(instructions)
    return _loading(name, choice, lambda found: _required(found, choice).content)


def resolve(
    instructions: Reference | None,
    *,
    arguments: Mapping[str, Any] | None,
    default: str | None,
    choice: Choice,
    strict: bool | None,
) -> Operation[str]:
    """The chosen content with its placeholders filled, else the default's."""
    values = {} if arguments is None else dict(check_mapping(arguments, "arguments"))
    if default is not None:
        check_text(default, "default")
    if instructions is None:
        return Operation(
            name="resolve the default instructions",
            statements=(),
            decode=lambda _: render(default or "", values, name="default"),
        )
    name = name_of(instructions)
    if not isinstance(instructions, str):
        from draive_pg.codec import draive_types as codec

        values = {**codec.as_reference(instructions).arguments, **values}

    def present(found: Body | Known) -> str:
        if default is not None and not isinstance(found, Body):
            return render(default, values, name=name)
        body = _required(found, choice)
        text = render(body.content, values, name=name)
        if strict or (strict is None and body.declared):
            check_known(body.content, values, body.declared, name=name)
        return text

    return _loading(name, choice, present)


def _loading[T](name: str, choice: Choice, present: Callable[[Body | Known], T]) -> Operation[T]:
    def decode(rows: Sequence[Row]) -> Body | Known:
        ((content, arguments, revisions, labels),) = rows
        return Known(name, revisions, labels) if content is None else Body.of(content, arguments)

    loading: Operation[Any]
    if choice == NEWEST:
        loading = Operation(
            name=_loading_of(name),
            statements=(Statement(BODY, (name,)),),
            reads=True,
            decode=lambda rows: Body.of(*rows[0]) if rows else Known(name, 0, ()),
            key=Key(TABLE, name),
        )
    else:
        loading = replace(
            asked(_loading_of(name), CHOICES + CHOSEN, (name, *columns((choice,))), decode),
            key=Key(TABLE, name, choice),
        )
    return replace(loading, present=present)


def _required(found: Body | Known, choice: Choice) -> Body:
    if isinstance(found, Known):
        raise found.missing(_loading_of(found.name), choice)
    return found


def _loading_of(name: str) -> str:
    return f"load instructions {name!r:.80}"
