"""Templates, the prompts of draive 0.90 and newer: load, resolve and define; none needs draive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from draive_pg.codec.json import encode, encode_mapping, parse
from draive_pg.codec.validation import check_mapping, check_optional, check_text
from draive_pg.models.documents import TemplateRevision
from draive_pg.operations.documents.define import Content, append, define
from draive_pg.operations.documents.kind import TEMPLATES, TemplateReference
from draive_pg.operations.documents.load import (
    Loaded,
    load_selected,
    missing_selected,
)
from draive_pg.operations.documents.preconditions import Expected, precondition
from draive_pg.operations.documents.selectors import RevisionSelector
from draive_pg.operations.operation import Cached, Operation, Query, Request, Row, read_rows
from draive_pg.template_syntax import check_known, check_variables, render, variables_of

# Uses only draive's table: the adapters must work without the tables of draive_pg. A loose index
# scan, as `read.NAMES`, downwards: draive lists templates in descending order. Without ORDER BY,
# PostgreSQL stops the recursion when a page is full.
DECLARATIONS = Query(
    "templates.declarations",
    TEMPLATES.fill("""
WITH RECURSIVE names AS (
    (
        SELECT first.name
        FROM {documents} AS first
        WHERE :before::TEXT IS NULL OR first.name < :before::TEXT
        ORDER BY first.name DESC
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT next.name
        FROM {documents} AS next
        WHERE next.name < names.name
        ORDER BY next.name DESC
        LIMIT 1
    )
    FROM names
    WHERE names.name IS NOT NULL
),
page AS (
    SELECT name
    FROM names
    WHERE name IS NOT NULL
    OFFSET :skipped::INT8
    LIMIT :limit::INT8
)
SELECT document.name, document.description, document.arguments::TEXT, document.meta::TEXT
FROM page
CROSS JOIN LATERAL (
    SELECT revision.*
    FROM {documents} AS revision
    WHERE revision.name = page.name
    ORDER BY revision.created DESC
    LIMIT 1
) AS document
ORDER BY document.name DESC
"""),
)


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """What is declared of a template."""

    identifier: str
    description: str | None
    variables: Mapping[str, str]
    meta: Mapping[str, Any]


def resolve(
    template: TemplateReference,
    *,
    arguments: Mapping[str, Any] | None,
    default: str | None,
    selector: RevisionSelector,
    strict: bool,
) -> Request[str]:
    """Load the selected content, or use the default, and fill in the variables."""
    name = TEMPLATES.name_of(template)
    values = {} if arguments is None else dict(check_mapping(arguments, "arguments"))
    bound = {} if isinstance(template, str) else getattr(template, "arguments", {})
    check_optional(default, "default")

    def to_result(found: Loaded | None) -> str | None:
        if found is None:
            return None if default is None else render(default, {**bound, **values}, name=name)
        if strict:
            check_known(found.content, values, name=name)
        return render(found.content, {**bound, **values}, name=name)

    otherwise = missing_selected(TEMPLATES, name, selector)
    return cast("Cached[str]", load_selected(TEMPLATES, name, selector, to_result, otherwise))


def define_template(
    template: TemplateReference,
    *,
    content: str,
    description: str | None = None,
    variables: Mapping[str, str] | None = None,
    meta: Mapping[str, Any] | None = None,
    message: str | None = None,
    author: str | None = None,
    expected: Expected[TemplateRevision] = None,
) -> Operation[TemplateRevision]:
    """Write a new revision if it differs from the newest one; return the newest one."""
    name = TEMPLATES.name_of(template)
    check_text(content, f"the content of {TEMPLATES.titled(name)}")
    if isinstance(template, str):
        proposed = Content(
            content,
            arguments=None if variables is None else _variables(content, variables, name),
            description=check_optional(description, "description"),
            meta=encode_mapping(meta, "meta"),
            described=description is not None,
        )
    else:
        if (description, variables, meta) != (None, None, None):
            raise TypeError(
                "define takes description, variables and meta with an identifier; a declaration "
                "has its own"
            )
        proposed = _declared(template, content, name)
    return define(
        TEMPLATES,
        name,
        proposed,
        placeholders=variables_of(content),
        condition=precondition(TEMPLATES, expected, name),
        author=author,
        message=message,
    )


def append_template(declaration: Declaration, *, content: str) -> Operation[None]:
    """Write a new revision even if it equals the newest one, as draive does."""
    name = TEMPLATES.name_of(declaration)
    check_text(content, f"the content of {TEMPLATES.titled(name)}")
    proposed = Content(
        content,
        arguments=encode(declaration.variables, "variables"),
        description=check_optional(declaration.description, "the description"),
        meta=encode(declaration.meta, "meta"),
    )
    return append(TEMPLATES, name, proposed)


def declarations(
    *, before: str | None = None, skipped: int = 0, limit: int | None = None
) -> Operation[Sequence[Declaration]]:
    """List the declarations of newest revisions, by identifier in descending order, as draive.

    Parameters
    ----------
    before : str | None
        Only identifiers before this one in the order of the database.
    skipped : int
        The number of templates to leave out first.
    limit : int | None
        The most declarations.
    """
    return read_rows(
        "list templates",
        DECLARATIONS(before=before, skipped=skipped, limit=limit),
        lambda rows: tuple(map(_declaration, rows)),
    )


def _declaration(row: Row) -> Declaration:
    identifier, description, variables, meta = row
    what = TEMPLATES.titled(identifier)
    return Declaration(
        identifier,
        description,
        parse(variables, f"the variables of {what}"),
        parse(meta, f"the meta of {what}"),
    )


def _declared(template: Any, content: str, name: str) -> Content:
    """Return a content with what a declaration of draive declares, or with a reference's meta."""
    if not hasattr(template, "variables"):
        return Content(content, meta=encode(template.meta, "meta") if template.meta else None)
    return Content(
        content,
        arguments=_variables(content, template.variables, name),
        description=check_optional(template.description, "the description"),
        meta=encode(template.meta, "meta"),
        described=True,
    )


def _variables(content: str, variables: Mapping[str, str], name: str) -> str:
    """Return declared variables as JSON text, if they are those of the content."""
    for variable, description in check_mapping(variables, "variables").items():
        check_text(variable, "the name of a variable")
        check_text(description, f"the description of the variable {variable!r:.60}")
    check_variables(content, variables, name=name)
    return encode(variables, "variables")
