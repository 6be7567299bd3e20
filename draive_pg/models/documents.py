"""Records of prompts and configurations: revisions, label moves, diffs and releases."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from draive_pg.display.notebook import ShownAsText
from draive_pg.errors import warn
from draive_pg.models.record import Record, Records


class DocumentRevision(Record):
    """Base of the records of revisions, with what they have in common."""

    __slots__ = ()

    revision: int
    created: datetime
    author: str | None
    message: str | None
    labels: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True, repr=False)
class Revision(DocumentRevision):
    """One revision of instructions.

    Attributes
    ----------
    name : str
        Name of the instructions.
    revision : int
        Number among the revisions of the name, from 1 in order of ``created``. Removed revisions
        keep their numbers.
    created : datetime
        Time of the write, in UTC; unique among the revisions of a name.
    content : str
        The template.
    description : str | None
        The declared description.
    arguments : sequence of mappings
        The declared arguments: ``name``, ``description``, ``required``.
    meta : Mapping[str, Any]
        The declared metadata.
    author, message : str | None
        Who wrote it, and why; None if not given.
    labels : tuple[str, ...]
        The labels that point to it now.
    current : bool
        True if it is the newest of its name.
    """

    _first = ("name", "revision", "current", "labels", "author", "message")

    name: str
    revision: int
    created: datetime
    content: str
    description: str | None
    arguments: Sequence[Mapping[str, Any]]
    meta: Mapping[str, Any]
    author: str | None
    message: str | None
    labels: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True, repr=False)
class TemplateRevision(DocumentRevision):
    """One revision of a template.

    Attributes
    ----------
    identifier : str
        Identifier of the template.
    revision : int
        Number among the revisions of the identifier, from 1 in order of ``created``. Removed
        revisions keep their numbers.
    created : datetime
        Time of the write, in UTC; unique among the revisions of an identifier.
    content : str
        The text, with its ``{%variables%}``.
    description : str | None
        The declared description.
    variables : Mapping[str, str]
        The description of each variable, by its name.
    meta : Mapping[str, Any]
        The declared metadata.
    author, message : str | None
        Who wrote it, and why; None if not given.
    labels : tuple[str, ...]
        The labels that point to it now.
    current : bool
        True if it is the newest of its identifier.
    """

    identifier: str
    revision: int
    created: datetime
    content: str
    description: str | None
    variables: Mapping[str, str]
    meta: Mapping[str, Any]
    author: str | None
    message: str | None
    labels: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True, repr=False)
class Snapshot(DocumentRevision):
    """One revision of a configuration.

    Attributes
    ----------
    identifier : str
        Identifier of the configuration.
    revision : int
        Number among the snapshots of the identifier, from 1 in order of ``created``. Removed
        snapshots keep their numbers.
    created : datetime
        Time of the write, in UTC; unique among the snapshots of an identifier.
    content : Mapping[str, Any]
        The JSON document.
    author, message : str | None
        Who wrote it, and why; None if not given.
    labels : tuple[str, ...]
        The labels that point to it now.
    current : bool
        True if it is the newest of its identifier.
    """

    _first = ("identifier", "revision", "current", "labels", "author", "message")

    identifier: str
    revision: int
    created: datetime
    content: Mapping[str, Any]
    author: str | None
    message: str | None
    labels: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True, repr=False)
class LabelMove(Record):
    """One move of a label.

    Attributes
    ----------
    name, label : str
        The name of the document, and the label.
    revision : int | None
        The number of the revision that the label was moved to; None if the label was removed, or
        the revision was removed since.
    revision_created : datetime | None
        When that revision was written, in UTC; None if the label was removed.
    moved : datetime
        When the label was moved, in UTC; different for all moves of a label.
    author, message : str | None
        Who moved it, and why; None if not given.
    changed : bool | None
        Whether the call that returned it moved the label; False if the label was on the revision
        already, and None in listings.
    """

    _first = ("name", "label", "revision", "changed", "author", "message", "moved")

    name: str
    label: str
    revision: int | None
    revision_created: datetime | None
    moved: datetime
    author: str | None
    message: str | None
    changed: bool | None = field(default=None, compare=False, repr=False)

    @property
    def created(self) -> datetime | None:
        """Deprecated: use ``revision_created``."""
        warn("LabelMove.created is deprecated; use revision_created", DeprecationWarning)
        return self.revision_created


@dataclass(frozen=True, slots=True, repr=False)
class Diff[R: DocumentRevision](Record, ShownAsText):
    """The difference between two revisions.

    ``str`` is a unified diff, and a notebook shows both sides. It is true if they differ.

    Attributes
    ----------
    a, b : Revision | TemplateRevision | Snapshot
        The revisions before and after.
    """

    a: R
    b: R

    def __str__(self) -> str:
        from draive_pg.display import diff

        old, new = self._titles()
        return diff.unified(
            (f"{old} {part}", f"{new} {part}", before.split("\n"), after.split("\n"))
            for part, before, after in self._parts()
        )

    def __repr__(self) -> str:
        from draive_pg.display import diff, text

        added, removed = diff.count_lines(self._parts())
        change = f"+{added:,} -{removed:,} lines" if self else "no difference"
        name = text.escaped(f"{document_name(self.a):.80}")
        return f"Diff({name}: revision {self.a.revision} -> {self.b.revision}, {change})"

    def _repr_html_(self) -> str:
        from draive_pg.display import diff

        return diff.side_by_side(self._titles(), self._parts())

    def __bool__(self) -> bool:
        return any(before != after for _, before, after in self._parts())

    def _titles(self) -> tuple[str, str]:
        return (_titled(self.a), _titled(self.b))

    def _parts(self) -> list[tuple[str, str, str]]:
        before, after = _parts_of(self.a), _parts_of(self.b)
        return [(part, before[part], after[part]) for part in before]


@dataclass(frozen=True, slots=True, repr=False)
class Release(Record, ShownAsText):
    """The result of a release, including what was unchanged.

    Attributes
    ----------
    prompts : Records[Revision]
        The newest revisions of the released prompts, in the given order, with the labels that
        they had before.
    configurations : Records[Snapshot]
        The newest snapshots of the released configurations, in the given order.
    labels, configuration_labels, template_labels : Records[LabelMove]
        The newest moves of the released labels, in the given order.
    templates : Records[TemplateRevision]
        The newest revisions of the released templates, in the given order.
    """

    prompts: Records[Revision]
    configurations: Records[Snapshot]
    labels: Records[LabelMove]
    configuration_labels: Records[LabelMove]
    templates: Records[TemplateRevision]
    template_labels: Records[LabelMove]

    def __str__(self) -> str:
        tables = [f"{name}:\n{value}" for name, value in self._members() if value]
        return "\n\n".join(tables) or "nothing was released"


@dataclass(frozen=True, slots=True, repr=False)
class ServedRevision(Record):
    """A revision that was loaded, as `served_revisions` records it.

    Attributes
    ----------
    kind : str
        ``"instructions"``, ``"configurations"`` or ``"templates"``.
    name : str
        Name of the document.
    created : datetime
        Time of the revision, in UTC: with the name it identifies it, as in `Revision.created`.
    label : str | None
        The label by which it was selected; None if it was not by label.
    """

    kind: str
    name: str
    created: datetime
    label: str | None

    def to_meta(self) -> dict[str, str]:
        """Return the record as JSON, for the meta of an element."""
        meta = {"kind": self.kind, "name": self.name, "created": self.created.isoformat()}
        return meta if self.label is None else {**meta, "label": self.label}


def document_name(revision: DocumentRevision) -> str:
    """Return the name of the document that a record is a revision of."""
    match revision:
        case Revision():
            return revision.name
        case TemplateRevision() | Snapshot():
            return revision.identifier
        case _:
            raise TypeError(f"{type(revision).__name__} is no revision of a document")


def _titled(revision: DocumentRevision) -> str:
    return f"{document_name(revision)} {revision.revision} ({revision.created:%Y-%m-%d %H:%M:%S})"


def _parts_of(revision: DocumentRevision) -> dict[str, str]:
    match revision:
        case Revision():
            declared = {"arguments": _indented(revision.arguments)}
        case TemplateRevision():
            declared = {"variables": _indented(revision.variables)}
        case Snapshot():
            return {"content": _indented(revision.content)}
        case _:
            return {}
    return {
        "content": revision.content,
        "description": revision.description or "",
        **declared,
        "meta": _indented(revision.meta),
    }


def _indented(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
