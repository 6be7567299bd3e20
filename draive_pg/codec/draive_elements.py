"""The elements and memories of draive 0.87 to 0.92 to JSON documents and back.

Outside the adapters, only modules of this package named ``draive_*`` import draive; others import
them when they need an object of draive. Elements in exactly the shape that draive writes are
converted without validation, which is several times as fast; all others go through draive.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, cast, get_args

from draive_pg.codec.draive_import import Importing
from draive_pg.codec.elements import Document, Outline
from draive_pg.codec.json import DECODER, decode, encode, is_plain, is_sound, parse
from draive_pg.errors import StoredDataInvalid

with Importing("recall or remember", "0.87 to 0.92", "draive[postgres]~=0.89.5"):
    from draive import (
        META_EMPTY,
        DataModel,
        Meta,
        ModelInput,
        ModelMemoryRecall,
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

type Fields = Sequence[Attribute[Any]]

ELEMENTS = {"model_input": ModelInput, "model_output": ModelOutput}
HANDLINGS = frozenset(get_args(ModelToolHandling))


class _Unusual(Exception):
    """Raised for what is not exactly as draive writes it."""


# --- Elements to JSON


def encode_element(element: object, what: str) -> str:
    """Encode a context element as JSON text, several times as fast as draive does.

    Raises
    ------
    TypeError
        If it is neither a ModelInput nor a ModelOutput.
    ValueError
        If PostgreSQL cannot store it; the message names the place.
    """
    if not isinstance(element, ModelInput | ModelOutput):
        raise TypeError(
            f"{what} must be a ModelInput or a ModelOutput, not {type(element).__name__}"
        )
    try:
        text = _encoded(element)
    except (_Unusual, ValueError, RecursionError):
        text = None
    if text is None or not is_sound(text):
        return encode(element.to_mapping(), what)  # slower, and names what is wrong
    return text


def _encoded(value: object) -> str:
    return ENCODERS.get(type(value), _plain)(value)


def _plain(value: object) -> str:
    if not is_plain(value):
        raise _Unusual
    return PLAIN.encode(value)


def _encoded_meta(meta: Meta) -> str:
    return _plain(dict(meta)) if meta else "{}"


def _encoded_items(items: tuple[object, ...]) -> str:
    return f"[{','.join([_encoded(item) for item in items])}]"


def _encoder(kind: Any) -> Callable[[object], str]:
    """Return an encoder of a draive class: a template of all of its fields."""
    names = [attribute.name for attribute in cast("Fields", kind.__FIELDS__)]
    template = f"{{{','.join(f'"{name}":%s' for name in names)}}}"
    values = attrgetter(*names)
    return lambda model: template % tuple([_encoded(value) for value in values(model)])


# An element that is a single text.
TEXT_ELEMENT = (
    '{"type":"%s","blocks":[{"type":"content","parts":[{"text":%%s,"meta":{}}]}],"meta":{}}'
)


def _element_encoder(name: str, kind: Any) -> Callable[[Any], str]:
    """Return an encoder of elements; most are a single text, which takes a third of the time."""
    encoded, template = _encoder(kind), TEXT_ELEMENT % name

    def encoder(element: Any) -> str:
        blocks = element.blocks
        if len(blocks) == 1 and type(blocks[0]) is MultimodalContent and not element.meta:
            parts = blocks[0].parts
            if len(parts) == 1 and type(parts[0]) is TextContent and not parts[0].meta:
                return template % encode_basestring(parts[0].text)
        return encoded(element)

    return encoder


PLAIN = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
)

ENCODERS: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring,
    tuple: _encoded_items,
    Meta: _encoded_meta,
    **{
        kind: _encoder(kind)
        for kind in (
            ModelReasoning,
            ModelToolRequest,
            ModelToolResponse,
            MultimodalContent,
            ResourceContent,
            ResourceReference,
            TextContent,
        )
    },
    **{kind: _element_encoder(name, kind) for name, kind in ELEMENTS.items()},
}


# --- JSON to elements


def decode_element(content: str, what: Callable[[], str]) -> ModelInput | ModelOutput:
    """Decode the JSON text of a stored context element; ``what`` names it in errors.

    Raises
    ------
    StoredDataInvalid
        If draive 0.89 cannot read it.
    """
    try:
        try:
            return _decoded(content)
        except Exception:
            document = decode(content)
            return ELEMENTS[document["type"]].from_mapping(document)
    except Exception as error:  # draive's validation raises many kinds
        raise StoredDataInvalid(
            f"{what()} is no context element that draive 0.89 can read "
            f"({type(error).__name__}: {str(error).splitlines()[0]:.120}); "
            "the conversation_log frame shows its row"
        ) from error


def decode_elements(contents: Iterable[str]) -> tuple[ModelInput | ModelOutput, ...] | None:
    """Decode elements in exactly the shape that draive writes; None if there is another one."""
    try:
        return tuple([_decoded(content) for content in contents])
    except Exception:
        return None


# The JSONB text of an element that is a single text, before and after that text.
BEFORE = '{"meta": {}, "type": "%s", "blocks": [{"type": "content", "parts": [{"meta": {}, "text": '
AFTER = "}]}]}"
SINGLE_TEXTS = [(BEFORE % name, name, kind) for name, kind in ELEMENTS.items()]


def _decoded(content: str) -> ModelInput | ModelOutput:
    """Decode an element; most are a single text, which takes a third of the time."""
    for before, name, kind in SINGLE_TEXTS:
        if content.startswith(before):
            text, end = DECODER.raw_decode(content, len(before))
            if content[end:] == AFTER:
                part = _built(TextContent, {"text": _text(text), "meta": META_EMPTY})
                block = _built(MultimodalContent, {"type": "content", "parts": (part,)})
                return _built(kind, {"type": name, "blocks": (block,), "meta": META_EMPTY})
    return _element(decode(content))


def _element(document: Document) -> ModelInput | ModelOutput:
    made, blocks = SHAPES[document["type"]]
    listed: list[Document] = document["blocks"]
    if type(listed) is not list:
        raise _Unusual
    members = {
        "type": document["type"],
        "blocks": tuple([blocks[block["type"]](block) for block in listed]),
        "meta": _meta(document["meta"]),
    }
    return _made(made, document, members)


def _content(document: Document) -> MultimodalContent:
    try:
        parts: list[Document] = document["parts"]
        if document["type"] != "content" or type(parts) is not list:
            raise _Unusual
        members = {"type": "content", "parts": tuple([_part(part) for part in parts])}
        return _made(MultimodalContent, document, members)
    except (_Unusual, KeyError):
        return MultimodalContent.from_mapping(document)


def _part(document: Document) -> TextContent | ResourceContent:
    if "text" in document:
        members = {"text": _text(document["text"]), "meta": _meta(document["meta"])}
        return _made(TextContent, document, members)
    members = {
        "data": _text(document["data"]),
        "mime_type": _text(document["mime_type"]),
        "meta": _meta(document["meta"]),
    }
    return _made(ResourceContent, document, members)


def _reasoning(document: Document) -> ModelReasoning:
    members = {
        "type": "reasoning",
        "content": _content(document["content"]),
        "meta": _meta(document["meta"]),
    }
    return _made(ModelReasoning, document, members)


def _request(document: Document) -> ModelToolRequest:
    arguments: object = document["arguments"]
    if type(arguments) is not dict:
        raise _Unusual
    members = {
        "type": "tool_request",
        "identifier": _text(document["identifier"]),
        "tool": _text(document["tool"]),
        "arguments": Map(cast("Document", arguments)),
        "meta": _meta(document["meta"]),
    }
    return _made(ModelToolRequest, document, members)


def _response(document: Document) -> ModelToolResponse:
    if document["handling"] not in HANDLINGS:
        raise _Unusual
    members = {
        "type": "tool_response",
        "identifier": _text(document["identifier"]),
        "tool": _text(document["tool"]),
        "content": _content(document["content"]),
        "handling": document["handling"],
        "meta": _meta(document["meta"]),
    }
    return _made(ModelToolResponse, document, members)


def _made[Model: DataModel](kind: type[Model], document: Document, members: Document) -> Model:
    """Build an object of all members of a document, which are checked."""
    if len(members) != len(document):
        raise _Unusual
    return _built(kind, members)


def _built[Model: DataModel](kind: type[Model], members: Document) -> Model:
    """Build an object of checked members without validating them again."""
    model = object.__new__(kind)
    SET_MEMBERS(model, members)
    return model


# Sets the dictionary of an object; `object.__setattr__` would look this up each time.
SET_MEMBERS: Callable[[DataModel, Document], None] = vars(DataModel)["__dict__"].__set__


def _meta(document: object) -> Meta:
    return Meta.validate(document) if document or type(document) is not dict else META_EMPTY


def _text(value: object) -> str:
    if type(value) is not str:
        raise _Unusual
    return value


type Blocks = Mapping[str, Callable[[Document], DataModel]]

SHAPES: Mapping[str, tuple[type[ModelInput | ModelOutput], Blocks]] = {
    "model_input": (ModelInput, {"content": _content, "tool_response": _response}),
    "model_output": (
        ModelOutput,
        {"content": _content, "reasoning": _reasoning, "tool_request": _request},
    ),
}


# --- Memories


type Call = ModelToolRequest | ModelToolResponse

CALLS = (ModelToolRequest, ModelToolResponse)  # compared with `type`: draive's isinstance is slow
WITHOUT_CALLS = {kind: Outline(kind is ModelInput, ()) for kind in (ModelInput, ModelOutput)}


def outline(element: ModelInput | ModelOutput) -> Outline:
    """Return what decides whether an element can be replayed to a model."""
    calls = tuple([cast("Call", each).identifier for each in element.blocks if type(each) in CALLS])
    kind = type(element)
    return Outline(kind is ModelInput, calls) if calls else WITHOUT_CALLS[kind]


def decode_variables(content: str, what: str) -> Mapping[str, Any]:
    """Decode stored variables; raise StoredDataInvalid if they are no JSON object."""
    variables = parse(content, what)
    if not isinstance(variables, dict):
        raise StoredDataInvalid(
            f"{what} are no object but {content:.60}; remember others in their place"
        )
    return cast("Mapping[str, Any]", variables)


def recall(
    context: Iterable[ModelInput | ModelOutput], variables: Mapping[str, Any]
) -> ModelMemoryRecall:
    """Build draive's result of a recall, with the types of the variables as they were stored."""
    members = {
        "type": "model_memory",
        "context": tuple(context),
        # draive's validation would turn every int and bool into a float.
        "variables": Map(variables),
        "meta": META_EMPTY,
    }
    return _built(ModelMemoryRecall, members)
