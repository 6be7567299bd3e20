"""The command groups ``prompts``, ``templates`` and ``configs``: what differs between them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import typer

from draive_pg import Client, LabelMove, Records, Revision, Snapshot, TemplateRevision
from draive_pg.api.configurations import Configurations
from draive_pg.api.instructions import Instructions
from draive_pg.api.templates import Templates
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
    release : callable
        Moves labels, and returns the moves.
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
    release: Callable[..., Records[LabelMove]]
    shows_labels: bool

    @property
    def content(self) -> type[FileContent]:
        """The parser of files."""
        return self.files_kind.content


def _define_prompt(db: Client, name: str, prompt: Prompt, **options: Any) -> Revision:
    reference = prompt.declaration(name) if prompt.declares else name
    return db.instructions.define(reference, content=prompt.content, **options)


def _define_template(db: Client, name: str, template: Template, **options: Any) -> TemplateRevision:
    reference = template.declaration(name) if template.declares else name
    return db.templates.define(reference, content=template.content, **options)


def _define_configuration(
    db: Client, name: str, configuration: Configuration, **options: Any
) -> Snapshot:
    return db.configurations.define(name, configuration.value, **options)


def _release_prompts(db: Client, labels: Mapping[str, Any], **options: Any) -> Records[LabelMove]:
    return db.release(labels=labels, **options).labels


def _release_templates(
    db: Client, labels: Mapping[str, Any], *, expected: Mapping[str, int], **options: Any
) -> Records[LabelMove]:
    released = db.release(template_labels=labels, expected_templates=expected, **options)
    return released.template_labels


def _release_configurations(
    db: Client, labels: Mapping[str, Any], *, expected: Mapping[str, int], **options: Any
) -> Records[LabelMove]:
    released = db.release(configuration_labels=labels, expected_configurations=expected, **options)
    return released.configuration_labels


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
    release=_release_prompts,
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
    release=_release_templates,
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
    release=_release_configurations,
    shows_labels=False,
)

WORDS = ("command", "noun", "suffix", "option", "name", "folder", "value", "files")


def command[F: Callable[..., None]](
    app: typer.Typer, group: CommandGroup, name: str | None = None
) -> Callable[[F], F]:
    """Register a command; ``<noun>`` and so on in its docstring are replaced."""

    def register(function: F) -> F:
        text = inspect.getdoc(function) or ""
        for word in WORDS:
            text = text.replace(f"<{word}>", getattr(group, word))
        app.command(name, help=text)(function)
        return function

    return register
