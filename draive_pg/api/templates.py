"""Template revisions, the prompts of draive 0.90 and newer: `db.templates`."""

from collections.abc import Mapping
from typing import Any

from draive_pg.api._method import method
from draive_pg.api.documents import Documents
from draive_pg.api.folders import Folders
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.models.documents import TemplateRevision
from draive_pg.operations.documents import load, templates
from draive_pg.operations.documents.kind import TEMPLATES, TemplateReference
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import select
from draive_pg.operations.operation import Operation, Request


class Templates[D: Database | AsyncDatabase](
    Documents[D, TemplateReference, TemplateRevision], Folders[D]
):
    """Templates by identifier; the newest revision is the current one.

    They are the prompts of draive 0.90 and newer, with variables written ``{%name%}``. An
    identifier may be given as text, or as a ``Template`` or ``TemplateDeclaration`` of draive,
    which need not be installed.
    """

    __slots__ = ()

    _documents = TEMPLATES

    @method
    def resolve(
        self,
        template: TemplateReference,
        /,
        *,
        arguments: Mapping[str, Any] | None = None,
        default: str | None = None,
        revision: int | TemplateRevision | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
        strict: bool = True,
    ) -> Request[str]:
        """Return the content with its ``{%variables%}`` filled; its content is cached.

        Parameters
        ----------
        template : str | Template | TemplateDeclaration
            The template to resolve.
        arguments : Mapping[str, Any] | None
            Values by name: texts, or what ``str`` converts. They override the arguments of a
            Template reference.
        default : str | None
            The template to use if the identifier, the revision or the label does not exist.
        revision, label, as_of
            Which revision, as in `load`; the newest by default.
        strict : bool
            False: ignore arguments that the template does not use, as draive does. The default
            template accepts all arguments.

        Raises
        ------
        DocumentMissing
            If there is no template of that identifier, and no default.
        RevisionMissing
            If there is no such revision or label, and no default.
        TemplateInvalid
            If an argument is missing, or unknown, unless ``strict`` is False.

        Examples
        --------
        >>> db.templates.resolve("greeting", arguments={"name": "Ada"})
        'Hello Ada!'
        """
        return templates.resolve(
            template,
            arguments=arguments,
            default=default,
            selector=select(revision=revision, label=label, as_of=as_of),
            strict=strict,
        )

    @method
    def load(
        self,
        template: TemplateReference,
        /,
        *,
        revision: int | TemplateRevision | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Request[str]:
        """Return the content of the newest or of another revision, without filling it; cached.

        Parameters
        ----------
        template : str | Template | TemplateDeclaration
            The template to load.
        revision : int | TemplateRevision | None
            The number of a revision, or its record.
        label : str | None
            Load the revision with this label; there is no fallback to another revision.
        as_of : datetime | date | str | None
            Load the revision that was the newest, or had the label, at this time.

        Raises
        ------
        DocumentMissing
            If there is no template of that identifier.
        RevisionMissing
            If there is no such revision or label; the message lists the existing ones.
        """
        selector = select(revision=revision, label=label, as_of=as_of)
        return load.load_text(TEMPLATES, template, selector, required=True)

    @method
    def define(
        self,
        template: TemplateReference,
        /,
        *,
        content: str,
        description: str | None = None,
        variables: Mapping[str, str] | None = None,
        meta: Mapping[str, Any] | None = None,
        message: str | None = None,
        author: str | None = None,
        expected: Expected[TemplateRevision] = None,
    ) -> Operation[TemplateRevision]:
        """Write a new revision, the newest of its identifier, and return it.

        If nothing would change, nothing is written, and the newest revision is returned.

        Parameters
        ----------
        template : str | Template | TemplateDeclaration
            An identifier, or a declaration of draive with description, variables and meta.
        content : str
            The text; each ``{%name%}`` in it is a variable. There is no escape.
        description : str | None
            What the template is for; None keeps that of the newest revision.
        variables : Mapping[str, str] | None
            The description of each variable in the text, and of no other. None keeps those of the
            newest revision; if that describes variables, the text must not use others, and if not,
            new variables are described by their names.
        meta : Mapping[str, Any] | None
            Metadata; None keeps that of the newest revision.
        message, author : str | None
            Reason and author of the change; stored with the revision.
        expected : int | TemplateRevision | None
            Write only if this revision is the newest; 0: only if there is no revision yet.

        Raises
        ------
        RevisionConflict
            If the newest revision is not the expected one; the message names both.
        TemplateInvalid
            If the variables of the text are not the declared ones.

        Examples
        --------
        >>> db.templates.define("greeting", content="Hello {%name%}!").variables
        {'name': 'name'}
        """
        return templates.define_template(
            template,
            content=content,
            description=description,
            variables=variables,
            meta=meta,
            message=message,
            author=author,
            expected=expected,
        )
