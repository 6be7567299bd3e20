"""The kinds of files that a folder can hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from draive_pg.operations.documents.kind import CONFIGURATIONS as STORED_CONFIGURATIONS
from draive_pg.operations.documents.kind import INSTRUCTIONS as STORED_PROMPTS
from draive_pg.operations.documents.kind import TEMPLATES as STORED_TEMPLATES
from draive_pg.operations.documents.kind import DocumentKind
from draive_pg.sync.formats import Configuration, FileContent, Prompt
from draive_pg.sync.template_file import Template


@dataclass(frozen=True)
class FileKind:
    """One kind of files.

    Attributes
    ----------
    name : str
        The kind in the state file and in messages.
    suffixes : tuple[str, ...]
        Suffixes of its files; new files get the first one.
    content : type[FileContent]
        The parser of its files.
    stored : DocumentKind
        The kind of its documents in the database.
    """

    name: str
    suffixes: tuple[str, ...]
    content: type[FileContent]
    stored: DocumentKind[Any, Any]


PROMPTS = FileKind(
    name="prompts",
    suffixes=(".md",),
    content=Prompt,
    stored=STORED_PROMPTS,
)

TEMPLATES = FileKind(
    name="templates",
    suffixes=(".md",),
    content=Template,
    stored=STORED_TEMPLATES,
)

CONFIGURATIONS = FileKind(
    name="configurations",
    suffixes=(".json", ".toml"),
    content=Configuration,
    stored=STORED_CONFIGURATIONS,
)

# By the kind of the documents in the database.
FILES: Mapping[DocumentKind[Any, Any], FileKind] = {
    each.stored: each for each in (PROMPTS, TEMPLATES, CONFIGURATIONS)
}
