"""draive's context elements to JSON and back, many times as fast as draive does it.

Where a document has exactly the shape that draive's own encoder writes, validating it can change
nothing, so objects are made of it as it is. Of all else draive is the judge, and so it is of what
cannot be written as it is.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, cast, get_args

from draive import (
    META_EMPTY,
    DataModel,
    Meta,
    ModelInput,
    ModelOutput,
    ModelReasoning,
    ModelToolRequest,
    ModelToolResponse,
    MultimodalContent,
    ResourceContent,
    ResourceReference,
    TextContent,
)
from draive.models.types import ModelToolHandling
from haiway import Map
from haiway.attributes import Attribute

from draive_pg.codec import json as documents
from draive_pg.codec.json import is_plain, is_sound

__all__ = ("decode", "encode")

type Document = Mapping[str, Any]
type Fields = Sequence[Attribute[Any]]

ELEMENTS = {"model_input": ModelInput, "model_output": ModelOutput}
HANDLINGS = frozenset(get_args(ModelToolHandling))


class Unusual(Exception):
    """Something that is not exactly as draive writes it."""


# --- Writing


def encode(element: ModelInput | ModelOutput, what: str) -> str:
    """Return the JSON text of an element, or raise as `documents.encode` does."""
    try:
        text = _written(element)
    except (Unusual, ValueError, RecursionError):
        text = None
    if text is None or not is_sound(text):
        return documents.encode(element.to_mapping(), what)  # which names what is wrong, if any
    return text


def _written(value: object) -> str:
    return WRITERS.get(type(value), _plain)(value)


def _plain(value: object) -> str:
    if not is_plain(value):
        raise Unusual
    return PLAIN.encode(value)


def _meta_written(meta: Meta) -> str:
    values = meta.to_mapping()
    return _plain(values) if values else "{}"


def _items_written(items: tuple[object, ...]) -> str:
    return f"[{','.join([_written(item) for item in items])}]"


def _writer(kind: Any) -> Callable[[object], str]:
    """Return what writes objects of a kind of draive's, all of their attributes."""
    names = [attribute.name for attribute in cast("Fields", kind.__FIELDS__)]
    template = f"{{{','.join(f'"{name}":%s' for name in names)}}}"
    values = attrgetter(*names)
    return lambda model: template % tuple([_written(value) for value in values(model)])


PLAIN = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
)

WRITERS: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring,
    tuple: _items_written,
    Meta: _meta_written,
    **{
        kind: _writer(kind)
        for kind in (
            ModelInput,
            ModelOutput,
            ModelReasoning,
            ModelToolRequest,
            ModelToolResponse,
            MultimodalContent,
            ResourceContent,
            ResourceReference,
            TextContent,
        )
    },
}


# --- Reading


def decode(document: Document) -> ModelInput | ModelOutput:
    """Return the element of a document, or raise whatever draive's validation raises."""
    try:
        return _element(document)
    except Exception:
        return ELEMENTS[document["type"]].from_mapping(document)


def _element(document: Document) -> ModelInput | ModelOutput:
    made, blocks = SHAPES[document["type"]]
    return _made(
        made,
        document,
        type=document["type"],
        blocks=tuple([blocks[block["type"]](block) for block in _listed(document["blocks"])]),
        meta=_meta(document["meta"]),
    )


def _content(document: Document) -> MultimodalContent:
    try:
        if document["type"] != "content":
            raise Unusual
        return _made(
            MultimodalContent,
            document,
            type="content",
            parts=tuple([_part(part) for part in _listed(document["parts"])]),
        )
    except (Unusual, KeyError):
        return MultimodalContent.from_mapping(document)


def _part(document: Document) -> TextContent | ResourceContent:
    if "text" in document:
        return _made(
            TextContent, document, text=_text(document["text"]), meta=_meta(document["meta"])
        )
    return _made(
        ResourceContent,
        document,
        data=_text(document["data"]),
        mime_type=_text(document["mime_type"]),
        meta=_meta(document["meta"]),
    )


def _reasoning(document: Document) -> ModelReasoning:
    return _made(
        ModelReasoning,
        document,
        type="reasoning",
        content=_content(document["content"]),
        meta=_meta(document["meta"]),
    )


def _request(document: Document) -> ModelToolRequest:
    arguments: object = document["arguments"]
    if type(arguments) is not dict:
        raise Unusual
    return _made(
        ModelToolRequest,
        document,
        type="tool_request",
        identifier=_text(document["identifier"]),
        tool=_text(document["tool"]),
        arguments=Map(cast("Document", arguments)),
        meta=_meta(document["meta"]),
    )


def _response(document: Document) -> ModelToolResponse:
    if document["handling"] not in HANDLINGS:
        raise Unusual
    return _made(
        ModelToolResponse,
        document,
        type="tool_response",
        identifier=_text(document["identifier"]),
        tool=_text(document["tool"]),
        content=_content(document["content"]),
        handling=document["handling"],
        meta=_meta(document["meta"]),
    )


def _made[Model: DataModel](kind: type[Model], document: Document, **members: object) -> Model:
    """Return an object of what was checked, if that is all that the document holds."""
    if len(members) != len(document):
        raise Unusual
    model = object.__new__(kind)
    vars(model).update(members)
    return model


def _meta(document: object) -> Meta:
    return Meta.validate(document) if document or type(document) is not dict else META_EMPTY


def _text(value: object) -> str:
    if type(value) is not str:
        raise Unusual
    return value


def _listed(value: Any) -> list[Document]:
    if type(value) is not list:
        raise Unusual
    return value  # pyright: ignore[reportUnknownVariableType] - a cast would be a call


type Blocks = Mapping[str, Callable[[Document], DataModel]]

SHAPES: Mapping[str, tuple[type[ModelInput | ModelOutput], Blocks]] = {
    "model_input": (ModelInput, {"content": _content, "tool_response": _response}),
    "model_output": (
        ModelOutput,
        {"content": _content, "reasoning": _reasoning, "tool_request": _request},
    ),
}
