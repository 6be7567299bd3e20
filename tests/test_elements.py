"""Encoding and decoding of elements, compared with draive."""

import copy
import json
from typing import Any

import pytest
from draive import ModelInput, ModelOutput, ModelToolRequest
from hypothesis import given
from hypothesis import strategies as st

from draive_pg.codec import json as documents
from draive_pg.codec.draive_elements import decode_element
from draive_pg.codec.draive_elements import encode_element as encode
from draive_pg.codec.draive_elements import outline as outline_of
from draive_pg.codec.elements import outline
from draive_pg.errors import StoredDataInvalid
from tests.elements import asked, called
from tests.strategies import elements

type Document = dict[str, Any]


def printed(value: Any) -> str:
    """Return a document as PostgreSQL prints its JSONB: with shorter keys first."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return f"{{{', '.join(f'{json.dumps(key)}: {printed(value[key])}' for key in keys)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(printed, value))}]"
    return json.dumps(value, ensure_ascii=False)


def decode(document: Any) -> ModelInput | ModelOutput:
    try:
        return decode_element(printed(document), lambda: "it")
    except StoredDataInvalid as error:
        raise error.__cause__ or error from None


def by_draive(document: Any) -> ModelInput | ModelOutput:
    kinds = {"model_input": ModelInput, "model_output": ModelOutput}
    document = json.loads(printed(document))
    return kinds[document["type"]].from_mapping(document)


@given(elements(with_artifacts=True))
def test_encoding_equals_that_of_draive(element: ModelInput | ModelOutput) -> None:
    assert json.loads(encode(element, "it")) == json.loads(
        documents.encode(element.to_mapping(), "it")
    )


def values(element: object) -> object:
    """Return the values of an element with their types, which equality does not compare."""
    if hasattr(element, "__dict__"):
        return type(element), {name: values(value) for name, value in vars(element).items()}
    if isinstance(element, tuple | list):
        return type(element), [values(item) for item in element]
    if isinstance(element, dict):
        return type(element), {key: values(value) for key, value in element.items()}
    return type(element), element


@given(elements(with_artifacts=True))
def test_decoding_equals_that_of_draive(element: ModelInput | ModelOutput) -> None:
    document = json.loads(encode(element, "it"))
    mine, drives = decode(document), by_draive(document)
    assert mine == drives
    assert repr(mine) == repr(drives)
    assert hash(mine) == hash(drives)
    assert mine.to_json() == drives.to_json()
    assert copy.deepcopy(mine) == drives


@given(elements())
def test_element_round_trip(element: ModelInput | ModelOutput) -> None:
    assert decode(json.loads(encode(element, "it"))) == element


# Values that a later draive or plain SQL may have stored.
OTHER = [None, True, 1, 0.5, "other", [], ["other"], {}, {"type": "other"}, {"text": "other"}]


@st.composite
def altered(draw: st.DrawFn) -> Document:
    """Return the document of an element with one value removed, added or replaced."""
    document = json.loads(encode(draw(elements(with_artifacts=True)), "it"))
    places = list(objects(document))
    place = draw(st.sampled_from(places))
    match draw(st.sampled_from(["remove", "add", "replace"])):
        case "add":
            place["later"] = draw(st.sampled_from(OTHER))
        case "remove" if place:
            del place[draw(st.sampled_from(sorted(place)))]
        case _ if place:
            place[draw(st.sampled_from(sorted(place)))] = draw(st.sampled_from(OTHER))
        case _:
            pass
    return document


def objects(value: Any) -> Any:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from objects(item)


def outcome(read: Any, document: Document) -> object:
    try:
        return repr(read(copy.deepcopy(document)))
    except Exception as error:  # draive's validation raises many kinds
        return type(error), str(error)


@given(altered())
def test_altered_document_is_decoded_as_by_draive(document: Document) -> None:
    assert outcome(decode, document) == outcome(by_draive, document)


@pytest.mark.parametrize("document", [*OTHER, {"type": "model_input"}])
def test_other_document_is_decoded_as_by_draive(document: Any) -> None:
    assert outcome(decode, document) == outcome(by_draive, document)


@given(altered())
def test_outline_accepts_exactly_what_draive_accepts(document: Document) -> None:
    try:
        element = by_draive(document)
    except Exception:  # draive's validation raises many kinds
        with pytest.raises(ValueError, match=r"\w"):
            outline(document)
    else:
        assert outline(document) == outline_of(element)


@pytest.mark.parametrize("document", [*OTHER, {"type": "model_input"}])
def test_outline_rejects_other_document(document: Any) -> None:
    with pytest.raises(ValueError, match=r"^(type|blocks) must be "):
        outline(document)


# --- Rejected


@pytest.mark.parametrize(
    ("element", "place"),
    [
        (asked("a\0b"), r"it\.blocks\[0\]\.parts\[0\]\.text contains a NUL"),
        (asked("a\ud800b"), r"it\.blocks\[0\]\.parts\[0\]\.text contains a lone surrogate"),
        (called("c", x=float("nan")), r"it\.blocks\[0\]\.arguments\.x is nan"),
        (called("c", x=[{"y": float("inf")}]), r"it\.blocks\[0\]\.arguments\.x\[0\]\.y is inf"),
        (called("c", x={"a\0": 1}), r"it\.blocks\[0\]\.arguments\.x has the key 'a\\x00'"),
        (called("c", x={1: 2}), r"it\.blocks\[0\]\.arguments\.x has the key 1"),
        (called("c", x={1}), None),
        (called("c", x=b"bytes"), r"it\.blocks\[0\]\.arguments\.x is bytes"),
        (called("c", x=10**5000), r"it\.blocks\[0\]\.arguments\.x has too many digits"),
        (asked("q", note="a\0b"), r"it\.meta\.note contains a NUL"),
    ],
)
def test_unstorable_value_is_rejected_with_its_path(
    element: ModelInput | ModelOutput, place: str | None
) -> None:
    if place is None:
        assert json.loads(encode(element, "it"))["blocks"][0]["arguments"] == {"x": [1]}
        return
    with pytest.raises((TypeError, ValueError), match=place):
        encode(element, "it")


def test_text_resembling_invalid_json_round_trips() -> None:
    for text in ("\\u0000", "1e+16", "[{" * 300, "\\\\u0000"):
        element = asked(text)
        assert decode(json.loads(encode(element, "it"))) == element


def test_nesting_depth_is_limited() -> None:
    arguments: Any = "end"
    for _ in range(240):
        arguments = [arguments]
    element = ModelOutput.of(ModelToolRequest.of("c", tool="t", arguments={"x": arguments}))
    assert decode(json.loads(encode(element, "it"))) == element
    for _ in range(400):
        arguments = {"x": arguments}
    element = ModelOutput.of(ModelToolRequest.of("c", tool="t", arguments={"x": arguments}))
    with pytest.raises(ValueError, match="nested deeper than 256 levels"):
        encode(element, "it")
