"""What stands in the files: prompts as Markdown with front matter, configurations as JSON or TOML.

The front matter is TOML between lines of ``+++``. Python's own reader of it runs nothing, refuses
a key that is written twice, and takes ``no`` for no boolean and ``1.10`` for no date, where YAML
would. A file without front matter is all text.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, cast

from draive_pg.codec.json import encode
from draive_pg.codec.validation import check_mapping, check_optional, check_text
from draive_pg.errors import FileInvalid

__all__ = ("Configuration", "Document", "Prompt")

FENCE = "+++\n"


class Document(Protocol):
    """What one file holds."""

    @classmethod
    def read(cls, data: bytes, suffix: str, where: str) -> Self:
        """Return what a file of the suffix holds, or raise FileInvalid."""
        ...

    def written(self, suffix: str) -> bytes:
        """Return the bytes of a file, always the same for the same document."""
        ...

    def with_labels(self, labels: tuple[str, ...]) -> Self:
        """Return the same with other labels."""
        ...

    @property
    def digest(self) -> str:
        """What tells contents apart; labels are no content."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """A revision of a prompt, with the labels that are on it."""

    content: str
    description: str | None = None
    arguments: Sequence[Mapping[str, Any]] = ()
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    labels: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        content: str,
        description: str | None,
        arguments: object,
        meta: object,
        labels: object,
        where: str,
    ) -> Self:
        """Return a prompt of what a file or a row has, or raise FileInvalid."""
        try:
            return cls(
                content=check_text(content, "the text"),
                description=check_optional(description, "description"),
                arguments=_arguments(arguments),
                meta=_meta(meta),
                labels=_labels(labels),
            )
        except (TypeError, ValueError) as error:
            raise FileInvalid(f"{where}: {error}") from error

    @classmethod
    def read(cls, data: bytes, suffix: str, where: str) -> Self:
        del suffix
        front, content = _parted(_text(data, where), where)
        members = _toml(front, where)
        if unknown := members.keys() - {"description", "arguments", "meta", "meta_json", "labels"}:
            raise FileInvalid(
                f"{where}: the front matter has {', '.join(sorted(unknown))!r:.80}, and may have "
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
            members.get("labels", []),
            where,
        )

    def written(self, suffix: str) -> bytes:
        del suffix
        if not (front := self._front()) and self._is_plain():
            return f"{self.content}\n".encode()
        import tomli_w

        return f"{FENCE}{tomli_w.dumps(front)}{FENCE}{self.content}\n".encode()

    @property
    def digest(self) -> str:
        return _digest([self.content, self.description, self.arguments, self.meta])

    @property
    def declares(self) -> bool:
        """Whether there is more than the text."""
        return self.description is not None or bool(self.arguments or self.meta)

    def with_labels(self, labels: tuple[str, ...]) -> Self:
        return replace(self, labels=labels)

    def _is_plain(self) -> bool:
        """Tell whether the text alone is taken for nothing else."""
        text = _text(f"{self.content}\n".encode(), "")
        return not text.startswith(FENCE) and text == f"{self.content}\n"

    def _front(self) -> dict[str, Any]:
        front: dict[str, Any] = {}
        if self.description is not None:
            front["description"] = self.description
        if self.labels:
            front["labels"] = list(self.labels)
        if self.meta:
            if _has_null(self.meta):  # which TOML cannot say
                front["meta_json"] = json.dumps(self.meta, ensure_ascii=False, sort_keys=True)
            else:
                front["meta"] = _sorted(self.meta)
        if self.arguments:
            front["arguments"] = [dict(argument) for argument in self.arguments]
        return front


@dataclass(frozen=True, slots=True)
class Configuration:
    """A snapshot of a configuration."""

    value: Mapping[str, Any]

    @classmethod
    def read(cls, data: bytes, suffix: str, where: str) -> Self:
        text = _text(data, where)
        return cls.of(_toml(text, where) if suffix == ".toml" else _json(text, where), where)

    @classmethod
    def of(cls, value: object, where: str) -> Self:
        """Return a configuration of what a file or a row has, or raise FileInvalid."""
        try:
            return cls(_kept(check_mapping(value, "a configuration"), "the configuration"))
        except (TypeError, ValueError) as error:
            raise FileInvalid(f"{where}: {error}") from error

    def written(self, suffix: str) -> bytes:
        if suffix != ".toml":
            text = json.dumps(self.value, ensure_ascii=False, indent=2, sort_keys=True)
            return f"{text}\n".encode()
        if _has_null(self.value):
            raise FileInvalid("TOML cannot say null: rename the file from .toml to .json")
        import tomli_w

        return tomli_w.dumps(_sorted(self.value)).encode()

    def with_labels(self, labels: tuple[str, ...]) -> Self:
        del labels  # configurations have none
        return self

    @property
    def digest(self) -> str:
        return _digest(self.value)

    @property
    def labels(self) -> tuple[str, ...]:
        return ()


def _text(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileInvalid(f"{where}: not UTF-8 (at byte {error.start})") from error
    # Where the first line ends so, an editor wrote the file, and all its lines end so.
    first, newline, _ = text.partition("\n")
    return text.replace("\r\n", "\n") if newline and first.endswith("\r") else text


def _parted(text: str, where: str) -> tuple[str, str]:
    """Return the front matter and the content; the last line feed of a file belongs to neither."""
    if not text.startswith(FENCE):
        return "", text.removesuffix("\n")
    front, fence, content = f"\n{text.removeprefix(FENCE)}".partition("\n+++")
    ended = content.startswith("\n") or not content
    if not fence or not ended:
        raise FileInvalid(f"{where}: the front matter that begins with +++ does not end with it")
    return front, content.removeprefix("\n").removesuffix("\n")


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileInvalid(f"{where}: not TOML ({error})") from error


def _json(text: str, where: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FileInvalid(f"{where}: not JSON ({error})") from error


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) < len(members):
        raise ValueError("an object has one key twice")
    return made


def _kept(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return a document as PostgreSQL gives it back."""
    return json.loads(encode(value, what), parse_float=_float)


def _float(text: str) -> float:
    return float(text) + 0.0  # JSONB keeps no negative zero


def _arguments(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise TypeError("arguments must be tables, [[arguments]]")
    made: list[dict[str, Any]] = []
    for number, argument in enumerate(cast("list[object]", value), 1):
        if not isinstance(argument, dict):
            raise TypeError("arguments must be tables, [[arguments]]")
        members = cast("dict[str, Any]", argument)
        what = f"argument {number}"
        if unknown := members.keys() - {"name", "description", "required"}:
            raise ValueError(
                f"{what} has {', '.join(sorted(unknown))!r:.80}, and may have name, description "
                "and required"
            )
        required = members.get("required", True)
        if not isinstance(required, bool):
            raise TypeError(f"{what}: required must be true or false")
        check_text(members.get("name"), f"the name of {what}")
        check_optional(members.get("description"), f"the description of {what}")
        given = {key: text for key, text in members.items() if text is not None}
        made.append({**given, "required": required})
    return made


def _meta(value: object) -> dict[str, Any]:
    return _kept(check_mapping(value, "meta"), "meta")


def _labels(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError('labels must be a list of texts, ["production"]')
    return tuple(sorted({check_text(label, "a label") for label in cast("list[object]", value)}))


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


def _digest(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
