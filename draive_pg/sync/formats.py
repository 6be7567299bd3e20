"""File formats: prompts as Markdown with front matter, configurations as JSON or TOML.

The front matter is TOML between ``+++`` lines: unlike YAML, its parser refuses duplicate keys and
does not read ``no`` as a boolean. A file without front matter is all content. The labels of a
configuration are the member ``$labels`` of its file.

Labels are a list; or a table from each label to ``current``, or to the digest of an older revision.
"""

import hashlib
import json
import re
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self, cast

from draive_pg.codec.json import encode, reason
from draive_pg.codec.validation import check_mapping, check_optional, check_text
from draive_pg.errors import FileInvalid
from draive_pg.instruction_syntax import check_declared, malformed
from draive_pg.models.documents import Revision, Snapshot
from draive_pg.operations.documents.define import define_configuration, define_instructions
from draive_pg.operations.documents.instruction_reference import Declaration
from draive_pg.operations.documents.selectors import check_label
from draive_pg.operations.operation import Operation

FENCE = "+++\n"
LABELS = "$labels"  # the member with the labels in the file of a configuration
CURRENT = "current"  # the revision of the file itself, in a table of labels

YAML = re.compile(r"---\n(.*\n)?---(\n|\Z)", re.DOTALL)
DIGESTED = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
DIGEST = re.compile(r"[0-9a-f]{64}")

type Labels = tuple[tuple[str, str], ...]
"""Labels in order, each with the digest of its revision, which is empty for the file's own."""


class FileContent(ABC):
    """The content of one file; subclasses are frozen dataclasses.

    Attributes
    ----------
    labels : Labels
        The labels.
    """

    labels: Labels

    @classmethod
    @abstractmethod
    def of_revision(cls, revision: Any) -> Self:
        """Return the content of a file for a stored revision, or raise FileInvalid."""

    @classmethod
    @abstractmethod
    def read(cls, data: bytes, suffix: str, where: str) -> Self:
        """Parse a file with the suffix, or raise FileInvalid; ``where`` names it in errors."""

    @abstractmethod
    def encode(self, suffix: str) -> bytes:
        """Return the bytes of the file; equal contents have equal bytes."""

    @abstractmethod
    def define(self, name: str, **options: Any) -> Operation[Any]:
        """Define it under a name, with the options of `write.define`."""

    @abstractmethod
    def check(self, name: str) -> None:
        """Raise if it cannot be defined under a name; does no I/O."""

    @abstractmethod
    def problem(self, name: str) -> str | None:
        """Return why it can be defined, but probably not be used; None if nothing is wrong."""

    @abstractmethod
    def _identity(self) -> object:
        """Return all but the labels, as JSON."""

    @cached_property
    def digest(self) -> str:
        """A hash that excludes the labels."""
        return hashlib.sha256(DIGESTED.encode(self._identity()).encode()).hexdigest()

    def with_labels(self, labels: Labels) -> Self:
        """Return a copy with other labels."""
        return replace(cast("Any", self), labels=labels)


@dataclass(frozen=True)
class Prompt(FileContent):
    """A revision of a prompt, with its labels."""

    content: str
    description: str | None = None
    arguments: Sequence[Mapping[str, Any]] = ()
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    labels: Labels = ()

    @classmethod
    def of(
        cls,
        content: str,
        description: str | None,
        arguments: object,
        meta: object,
        labels: Labels,
        where: str,
    ) -> Self:
        """Build a prompt from unchecked values, or raise FileInvalid."""
        try:
            return cls(
                content=check_text(content, "the text"),
                description=check_optional(description, "description"),
                arguments=_arguments(arguments),
                meta=_meta(meta),
                labels=labels,
            )
        except (TypeError, ValueError) as error:
            raise FileInvalid(f"{where}: {error}") from error

    @classmethod
    def of_revision(cls, revision: Revision) -> Self:
        return cls.of(
            revision.content,
            revision.description,
            revision.arguments,
            revision.meta,
            own_labels(revision.labels),
            f"the stored prompt {revision.name!r:.80}",
        )

    @classmethod
    def read(cls, data: bytes, suffix: str, where: str) -> Self:
        del suffix
        text = _text(data, where)
        if YAML.match(text):
            raise FileInvalid(
                f"{where}: the front matter between --- lines is YAML, which is not read; write "
                "TOML between +++ lines, or, if it is part of the text, two lines +++ before it"
            )
        front, content = _split(text, where)
        members = _toml(front, where)
        if unknown := members.keys() - {"description", "arguments", "meta", "meta_json", "labels"}:
            raise FileInvalid(
                f"{where}: the front matter has {', '.join(sorted(unknown))!r:.80}; allowed are "
                "description, arguments, meta, meta_json and labels"
            )
        if {"meta", "meta_json"} <= members.keys():
            raise FileInvalid(f"{where}: the front matter has both meta and meta_json")
        meta = members.get("meta", {})
        if "meta_json" in members:
            meta = _json(str(members["meta_json"]), f"{where}, meta_json")
        return cls.of(
            content,
            members.get("description"),
            members.get("arguments", []),
            meta,
            _labels(members.get("labels", []), where),
            where,
        )

    def encode(self, suffix: str) -> bytes:
        del suffix
        if not (front := self._front()) and self._is_plain():
            return f"{self.content}\n".encode()
        import tomli_w

        return f"{FENCE}{tomli_w.dumps(front)}{FENCE}{self.content}\n".encode()

    def _identity(self) -> object:
        return [self.content, self.description, self.arguments, self.meta]

    @property
    def declares(self) -> bool:
        """Whether it has a description, arguments or meta."""
        return self.description is not None or bool(self.arguments or self.meta)

    def define(self, name: str, **options: Any) -> Operation[Revision]:
        declaration = self.declaration(name)
        return define_instructions(declaration, content=self.content, strict=None, **options)

    def check(self, name: str) -> None:
        check_declared(self.content, [argument["name"] for argument in self.arguments], name=name)

    def problem(self, name: str) -> str | None:
        return malformed(self.content, name=name)

    def declaration(self, name: str) -> Declaration:
        """Return the declaration of the prompt under a name."""
        arguments = [{"description": None, **argument} for argument in self.arguments]
        return Declaration(name, self.description, arguments, self.meta)

    def _is_plain(self) -> bool:
        """Return whether a file of the content alone is parsed as that content."""
        text = _text(f"{self.content}\n".encode(), "")
        return not text.startswith(FENCE) and not YAML.match(text) and text == f"{self.content}\n"

    def _front(self) -> dict[str, Any]:
        front: dict[str, Any] = {}
        if self.description is not None:
            front["description"] = self.description
        if self.labels:
            front["labels"] = _encoded(self.labels)
        if self.meta:
            if _has_null(self.meta):  # TOML has no null
                front["meta_json"] = json.dumps(self.meta, ensure_ascii=False, sort_keys=True)
            else:
                front["meta"] = _sorted(self.meta)
        if self.arguments:
            front["arguments"] = [dict(argument) for argument in self.arguments]
        return front


@dataclass(frozen=True)
class Configuration(FileContent):
    """A revision of a configuration, with its labels, which are a member of its file."""

    value: Mapping[str, Any]
    labels: Labels = ()

    @classmethod
    def of(
        cls,
        value: object,
        labels: Labels,
        where: str,
    ) -> Self:
        """Build a configuration from an unchecked value, or raise FileInvalid."""
        try:
            members = _as_stored(check_mapping(value, "a configuration"), "the configuration")
            if LABELS in members:
                raise ValueError(f"a configuration cannot have the member {LABELS!r}")
            return cls(members, labels)
        except (TypeError, ValueError) as error:
            raise FileInvalid(f"{where}: {error}") from error

    @classmethod
    def of_revision(cls, revision: Snapshot) -> Self:
        where = f"the stored configuration {revision.identifier!r:.80}"
        return cls.of(revision.content, own_labels(revision.labels), where)

    @classmethod
    def read(cls, data: bytes, suffix: str, where: str) -> Self:
        text = _text(data, where)
        value = _toml(text, where) if suffix == ".toml" else _json(text, where)
        labels: object = []
        if isinstance(value, dict):
            labels = cast("dict[str, object]", value).pop(LABELS, [])
        return cls.of(cast("object", value), _labels(labels, where), where)

    def encode(self, suffix: str) -> bytes:
        value = self.value
        if self.labels:
            value = {**value, LABELS: _encoded(self.labels)}
        if suffix != ".toml":
            text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
            return f"{text}\n".encode()
        if _has_null(value):
            raise FileInvalid(
                "TOML has no null: replace the file by one with .json, as configs show prints it"
            )
        import tomli_w

        return tomli_w.dumps(_sorted(value)).encode()

    def define(self, name: str, **options: Any) -> Operation[Snapshot]:
        return define_configuration(name, self.value, **options)

    def check(self, name: str) -> None:
        """Accept everything: reading the file has checked it."""

    def problem(self, name: str) -> None:
        """Return None: there is no template."""

    def _identity(self) -> object:
        return self.value


def _text(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileInvalid(f"{where}: not UTF-8 (at byte {error.start})") from error
    # If the first line ends with CRLF, an editor probably converted the whole file.
    first, newline, _ = text.partition("\n")
    return text.replace("\r\n", "\n") if newline and first.endswith("\r") else text


def _split(text: str, where: str) -> tuple[str, str]:
    """Split a file into front matter and content, without the line feed that ends the file."""
    if not text.startswith(FENCE):
        return "", text.removesuffix("\n")
    front, fence, content = f"\n{text.removeprefix(FENCE)}".partition("\n+++")
    ended = content.startswith("\n") or not content
    if not fence or not ended:
        raise FileInvalid(f"{where}: the front matter has no closing +++ line")
    return front, content.removeprefix("\n").removesuffix("\n")


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise FileInvalid(f"{where}: not TOML ({reason(error)})") from error


def _json(text: str, where: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FileInvalid(f"{where}: not JSON ({reason(error)})") from error


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(members)
    if len(result) < len(members):
        raise ValueError("an object has a duplicate key")
    return result


def _as_stored(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return a document as PostgreSQL returns it."""
    if not value:
        return {}
    return json.loads(encode(value, what), parse_float=_float)


def _float(text: str) -> float:
    return float(text) + 0.0  # JSONB has no negative zero


def _arguments(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise TypeError("arguments must be tables, [[arguments]]")
    result: list[dict[str, Any]] = []
    for number, argument in enumerate(cast("list[object]", value), 1):
        if not isinstance(argument, dict):
            raise TypeError("arguments must be tables, [[arguments]]")
        members = cast("dict[str, Any]", argument)
        what = f"argument {number}"
        if unknown := members.keys() - {"name", "description", "required"}:
            raise ValueError(
                f"{what} has {', '.join(sorted(unknown))!r:.80}; allowed are name, description "
                "and required"
            )
        required = members.get("required", True)
        if not isinstance(required, bool):
            raise TypeError(f"{what}: required must be true or false")
        check_text(members.get("name"), f"the name of {what}")
        check_optional(members.get("description"), f"the description of {what}")
        given = {key: text for key, text in members.items() if text is not None}
        result.append({**given, "required": required})
    return result


def _meta(value: object) -> dict[str, Any]:
    return _as_stored(check_mapping(value, "meta"), "meta")


def own_labels(labels: Iterable[str]) -> Labels:
    """Return labels that are all on the file's own revision."""
    return tuple((label, "") for label in sorted(labels))


def _labels(value: object, where: str) -> Labels:
    """Return the labels in a file."""
    labels = value
    if isinstance(value, list):
        given = cast("list[object]", value)
        unhashable = any(isinstance(each, list | dict) for each in given)
        labels = None if unhashable else dict.fromkeys(given, CURRENT)
    if not isinstance(labels, dict):
        raise FileInvalid(
            f'{where}: labels must be a list of strings, ["production"], or a table of labels with '
            f'"{CURRENT}" or the digest of an older revision'
        )
    try:
        found = [
            (check_label(label, "a label"), _digest_in(digest, label))
            for label, digest in cast("dict[object, object]", labels).items()
        ]
    except (TypeError, ValueError) as error:
        raise FileInvalid(f"{where}: {error}") from error
    return tuple(sorted(found))


def _digest_in(digest: object, label: object) -> str:
    if digest == CURRENT:
        return ""
    if isinstance(digest, str) and DIGEST.fullmatch(digest):
        return digest
    raise ValueError(
        f"the label {label!r:.60} must be on {CURRENT!r}, or on the digest of an older revision, "
        "64 hexadecimal digits"
    )


def _encoded(labels: Labels) -> list[str] | dict[str, str]:
    """Return labels as a file has them: a list if all are on its own revision."""
    if any(digest for _, digest in labels):
        return {label: digest or CURRENT for label, digest in labels}
    return [label for label, _ in labels]


def _has_null(value: object) -> bool:
    match value:
        case None:
            return True
        case Mapping():
            return any(map(_has_null, cast("Mapping[str, object]", value).values()))
        case list():
            return any(map(_has_null, cast("list[object]", value)))
        case _:
            return False


def _sorted(value: object) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))
