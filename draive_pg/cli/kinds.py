"""The command groups ``prompts``, ``templates`` and ``configs``: what differs between them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import typer

from draive_pg import Client, Revision, Snapshot, TemplateRevision
from draive_pg.api.configurations import Configurations
from draive_pg.api.documents import Documents
from draive_pg.api.instructions import Instructions
from draive_pg.api.templates import Templates
from draive_pg.codec.timestamps import check_timestamp
from draive_pg.database import Database
from draive_pg.sync.formats import Configuration, FileContent, Prompt
from draive_pg.sync.kinds import CONFIGURATIONS as CONFIGURATION_FILES
from draive_pg.sync.kinds import PROMPTS as PROMPT_FILES
from draive_pg.sync.kinds import TEMPLATES as TEMPLATE_FILES
from draive_pg.sync.kinds import FileKind
from draive_pg.sync.template_file import Template

type Namespace = Instructions[Database] | Templates[Database] | Configurations[Database]


@dataclass(frozen=True)
class CommandGroup:
    """One kind of documents, and the words for it in help texts.

    Attributes
    ----------
    command, noun : str
        The command group, and one document.
    key : str
        The attribute of a record that holds its name.
    columns : tuple[str, ...]
        Columns of a list, beside the name, the revision, its time and its labels.
    suffix : str
        The file format of ``show`` and of standard input.
    option, metavar : str
        The option of ``define`` that replaces a file, and its value.
    name, folder, value, files : str
        For help texts: a name, a folder, a value of the option, and what a folder contains.
    namespace : callable
        Returns the namespace of a client.
    files_kind : FileKind
        The kind of its files.
    parse : callable
        Returns the document of a value of the option.
    define : callable
        Defines a document under a name.
    kind, labels, expected : str
        The arguments of `Client.release` for documents, labels and expected revisions.
    shows_labels : bool
        Whether ``show`` prints the labels in the file.
    """

    command: str
    noun: str
    key: str
    columns: tuple[str, ...]
    suffix: str
    option: str
    metavar: str
    name: str
    folder: str
    value: str
    files: str
    namespace: Callable[[Client], Namespace]
    files_kind: FileKind
    parse: Callable[[str], FileContent]
    define: Callable[..., Revision | TemplateRevision | Snapshot]
    kind: str
    labels: str
    expected: str
    shows_labels: bool

    @property
    def content(self) -> type[FileContent]:
        """The parser of files."""
        return self.files_kind.content


def _define_prompt(db: Client, name: str, prompt: Prompt, **options: Any) -> Revision:
    reference = prompt.declaration(name) if prompt.declares else name
    return db.instructions.define(reference, content=prompt.content, **options)


def _define_template(
    db: Client, name: str, template: Template, *, strict: bool, **options: Any
) -> TemplateRevision:
    del strict  # a template can always be filled
    reference = template.declaration(name) if template.declares else name
    return db.templates.define(reference, content=template.content, **options)


def _define_configuration(
    db: Client, name: str, configuration: Configuration, *, strict: bool, **options: Any
) -> Snapshot:
    del strict
    return db.configurations.define(name, configuration.value, **options)


PROMPTS = CommandGroup(
    command="prompts",
    noun="prompt",
    key="name",
    columns=("description",),
    suffix=".md",
    option="--content",
    metavar="TEXT",
    name="greeting",
    folder="prompts",
    value="'Hello {name}!'",
    files="Each prompt has a file: support/refund.md for support/refund. It contains front matter "
    "in TOML between +++ lines (description, arguments, meta, labels) and the text, or only the "
    "text. The line feed that ends the file is not part of the text.",
    namespace=lambda db: db.instructions,
    files_kind=PROMPT_FILES,
    parse=Prompt,
    define=_define_prompt,
    kind="prompts",
    labels="labels",
    expected="expected",
    shows_labels=True,
)

TEMPLATES = CommandGroup(
    command="templates",
    noun="template",
    key="identifier",
    columns=("description",),
    suffix=".md",
    option="--content",
    metavar="TEXT",
    name="greeting",
    folder="templates",
    value="'Hello {%name%}!'",
    files="Each template has a file, like a prompt: support/refund.md for support/refund. The "
    "arguments in its front matter describe the variables of the text.",
    namespace=lambda db: db.templates,
    files_kind=TEMPLATE_FILES,
    parse=Template,
    define=_define_template,
    kind="templates",
    labels="template_labels",
    expected="expected_templates",
    shows_labels=True,
)

CONFIGS = CommandGroup(
    command="configs",
    noun="configuration",
    key="identifier",
    columns=(),
    suffix=".json",
    option="--value",
    metavar="JSON",
    name="limits",
    folder="configs",
    value="""'{"tokens": 500}'""",
    files="Each configuration has a file in JSON, or in TOML if you created one: limits.toml. Its "
    "member $labels is the list of its labels.",
    namespace=lambda db: db.configurations,
    files_kind=CONFIGURATION_FILES,
    parse=lambda text: Configuration.read(
        text.encode(errors="surrogateescape"), ".json", "--value"
    ),
    define=_define_configuration,
    kind="configurations",
    labels="configuration_labels",
    expected="expected_configurations",
    shows_labels=False,
)

GROUPS = {group.command: group for group in (PROMPTS, TEMPLATES, CONFIGS)}

WORDS = ("command", "noun", "suffix", "option", "name", "folder", "value", "files")


def command[F: Callable[..., None]](
    app: typer.Typer, group: CommandGroup, called: str | None = None, /, **words: str
) -> Callable[[F], F]:
    """Register a command; ``<noun>`` and so on in its docstring are replaced."""
    replacements = {word: getattr(group, word) for word in WORDS} | words

    def register(function: F) -> F:
        text = inspect.getdoc(function) or ""
        for word, replacement in replacements.items():
            text = text.replace(f"<{word}>", replacement)
        app.command(called, help=text.replace("draive-pg  ", "draive-pg "))(function)
        return function

    return register


def documents_of(group: CommandGroup, db: Client) -> Documents[Database, str, Any]:
    """Return the namespace of a group."""
    return cast("Documents[Database, str, Any]", group.namespace(db))


def revision_of(
    documents: Documents[Database, str, Any], name: str, text: str | None
) -> int | str | datetime | None:
    """Parse REVISION; a label that also reads as a time is a label."""
    if text is None or not text[:1].isdecimal():
        return text
    if text.isdecimal():
        return int(text)
    try:
        time = check_timestamp(text, "REVISION")
    except ValueError:
        return text
    return text if any(each.label == text for each in documents.labels(name)) else time
