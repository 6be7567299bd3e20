"""Encoding of JSON documents: accepted, rejected, and round-tripped values."""

import json
import math
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from draive_pg.codec.json import encode
from tests.strategies import with_types

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(TEXTS, inner, max_size=5)),
    max_leaves=20,
)


@given(document=DOCUMENTS)
@example(document=1e16)
@example(document=5e-324)
@example(document=1.7976931348623157e308)
@example(document={"text 1e+16 e+": -1e22, "\\": '"1e+5"'})
def test_document_round_trips_with_types(sql: psycopg.Connection, document: Any) -> None:
    ((stored,),) = sql.execute("SELECT ($1::JSONB)::TEXT", (encode(document, "it"),)).fetchall()
    assert with_types(json.loads(stored)) == with_types(document)


def test_other_types_are_encoded_as_by_draive() -> None:
    document = MappingProxyType(
        {
            "uuid": UUID(int=7),
            "datetime": datetime(2026, 1, 2, tzinfo=UTC),
            "date": date(2026, 1, 2),
            "time": time(3, 4),
            "tuple": (1, 2),
            "set": {"a"},
        }
    )
    assert json.loads(encode(document, "it")) == {
        "uuid": "00000000000000000000000000000007",
        "datetime": "2026-01-02T00:00:00+00:00",
        "date": "2026-01-02",
        "time": "03:04:00",
        "tuple": [1, 2],
        "set": ["a"],
    }


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"a": [{"b": "x\0y"}]}, r"^it\.a\[0\]\.b contains a NUL character \(at 1\)"),
        ({"a\0": 1}, r"^it has the key 'a\\x00', which contains a NUL"),
        (["ok", "\ud83d"], r"^it\[1\] contains a lone surrogate \(at 0\)"),
        ({"a": math.nan}, r"^it\.a is nan"),
        ([[math.inf]], r"^it\[0\]\[0\] is inf"),
    ],
)
def test_value_invalid_in_postgresql_is_rejected_with_its_path(document: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        encode(document, "it")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"a": b"x"}, r"^it\.a is bytes"),
        ({"a": {1: 2}}, r"^it\.a has the key 1, which is not a str"),
        ([object()], r"^it\[0\] is object"),
        (1j, "^it is complex"),
    ],
)
def test_value_invalid_in_json_is_rejected_with_its_path(document: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        encode(document, "it")


def test_recursive_document_is_rejected() -> None:
    document: list[Any] = []
    document.append(document)
    with pytest.raises(ValueError, match="nested deeper than 256 levels"):
        encode(document, "it")


def test_integer_with_too_many_digits_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"^it\.n has too many digits"):
        encode({"n": 10**5000}, "it")
