"""Models of embeddings: what the caller passes, and its vectors as pgvector reads them."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from draive_pg.codec.validation import check_text

type Vectors = Iterable[Iterable[float]]


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model of embeddings, for `Memories.embed` and ``search(near=…)``.

    Attributes
    ----------
    name : str
        Name and version of the model. Vectors of models of different names are never compared.
    function : Callable[[list[str]], Iterable[Iterable[float]]]
        Return one vector for each text, all of the same length. It may be a coroutine function
        with an `AsyncClient`.

    Examples
    --------
    >>> model = EmbeddingModel("all-MiniLM-L6-v2", SentenceTransformer("all-MiniLM-L6-v2").encode)
    """

    name: str
    function: Callable[[list[str]], Vectors | Awaitable[Vectors]]

    def __post_init__(self) -> None:
        if not check_text(self.name, "name"):
            raise ValueError("name must not be empty")
        if not callable(self.function):
            raise TypeError(f"function must be callable, not {type(self.function).__name__}")


def encode_vectors(
    model: EmbeddingModel, result: object, texts: Sequence[str]
) -> tuple[list[str], int]:
    """Return what a model returned for texts as pgvector reads it, and the number of dimensions.

    Raises
    ------
    TypeError
        If the function is a coroutine function, whose result only an `AsyncClient` awaits.
    ValueError
        If there is not one vector per text, or their lengths differ.
    """
    if inspect.iscoroutine(result):
        cast("Coroutine[object, object, object]", result).close()
        raise TypeError(f"the function of model {model.name!r:.60} is async: use AsyncClient")
    vectors = [[float(x) for x in vector] for vector in cast("Vectors", result)]
    lengths = {len(vector) for vector in vectors}
    if len(vectors) != len(texts) or len(lengths) != 1:
        raise ValueError(
            f"model {model.name!r:.60} must return {len(texts)} vectors of one length, not "
            f"{len(vectors)} of {' and '.join(map(str, sorted(lengths))) or 'none'}"
        )
    return [str(vector) for vector in vectors], lengths.pop()
