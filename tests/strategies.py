"""Hypothesis strategies for documents, variables and elements."""

from typing import Any

from draive import (
    ArtifactContent,
    DataModel,
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
from hypothesis import strategies as st

# All of Unicode except NUL and surrogates, which PostgreSQL cannot store.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
names = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
)

# JSONB numbers are decimal: -0.0 is returned as 0.
floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
numbers = st.integers() | st.integers(10**38, 10**42) | floats
documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
variables = st.dictionaries(texts, documents, max_size=4)

# Values that draive accepts in meta, where keys must not be empty.
metas = st.dictionaries(
    names,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=4,
    ),
    max_size=2,
)


class Recipe(DataModel):
    """A custom artifact."""

    title: str
    steps: int
    tags: dict[str, str]


recipes = st.builds(Recipe, title=texts, steps=st.integers(), tags=st.dictionaries(texts, texts))
parts = st.one_of(
    st.builds(TextContent.of, texts, meta=metas),
    st.builds(
        lambda data, kind, meta: ResourceContent.of(data, mime_type=kind, meta=meta),
        st.binary(max_size=30),
        st.sampled_from(["image/png", "application/x-own", "text/plain"]),
        metas,
    ),
    st.builds(
        lambda uri, kind, meta: ResourceReference.of(uri, mime_type=kind, meta=meta),
        texts,
        st.sampled_from(["image/png", None]),
        metas,
    ),
)
artifacts = st.builds(
    lambda recipe, hidden: ArtifactContent.of(recipe, hidden=hidden), recipes, st.booleans()
)


def contents(of: st.SearchStrategy[Any]) -> st.SearchStrategy[MultimodalContent]:
    return st.lists(of, max_size=4).map(lambda several: MultimodalContent.of(*several))


def elements(*, with_artifacts: bool = False) -> st.SearchStrategy[ModelInput | ModelOutput]:
    """Return inputs and outputs; artifacts are optional, since they are decoded as plain models."""
    content = contents(parts | artifacts if with_artifacts else parts)
    requests = st.builds(
        lambda call, tool, arguments, meta: ModelToolRequest.of(
            call, tool=tool, arguments=arguments, meta=meta
        ),
        texts,
        texts,
        variables,
        metas,
    )
    responses = st.builds(
        lambda call, tool, content, handling, meta: ModelToolResponse.of(
            call, tool=tool, content=content, handling=handling, meta=meta
        ),
        texts,
        texts,
        content,
        st.sampled_from(["response", "error", "output", "output_extension", "detached"]),
        metas,
    )
    reasoning = st.builds(
        lambda content, meta: ModelReasoning.of(content, meta=meta), content, metas
    )
    return st.builds(
        lambda blocks, meta: ModelInput.of(*blocks, meta=meta),
        st.lists(content | responses, max_size=4),
        metas,
    ) | st.builds(
        lambda blocks, meta: ModelOutput.of(*blocks, meta=meta),
        st.lists(content | reasoning | requests, max_size=4),
        metas,
    )


def with_types(document: Any) -> Any:
    """Return a document with the type of each value, because 1 == 1.0 == True."""
    match document:
        case dict():
            return {key: with_types(value) for key, value in document.items()}
        case list() | tuple():
            return [with_types(value) for value in document]
        case _:
            return type(document).__name__, document
