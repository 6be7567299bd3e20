"""Tokens and cost of conversations."""

from collections.abc import Callable, Mapping, Sequence, Sized
from itertools import chain
from typing import Any, NamedTuple, cast

from draive_pg.analysis.inputs import prepared
from draive_pg.codec.tokenizer import CountTokens
from draive_pg.dataframes import pd
from draive_pg.errors import warn

type Prices = Mapping[str, tuple[float, float]]
"""Prices of a million tokens of input and of output, by model."""

USAGE = {
    "model": "str",
    "memories": "int64",
    "elements": "int64",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "cost": "float64",
}

# Names of the counts in the usage that the APIs of models report.
INPUT = ("input_tokens", "prompt_tokens", "promptTokenCount", "prompt_eval_count")
OUTPUT = ("output_tokens", "completion_tokens", "candidatesTokenCount", "eval_count")

MILLION = 1_000_000


class Counted(NamedTuple):
    """The tokens of an element, and the model that read or wrote them."""

    identifier: str
    model: str | None
    input_tokens: int
    output_tokens: int


def usage(
    log: pd.DataFrame,
    prices: Prices | None = None,
    count_tokens: CountTokens | None = None,
) -> pd.DataFrame:
    """Return one row per model with its tokens and their cost, the most used first.

    Parameters
    ----------
    log : DataFrame
        `conversation_log`: ``identifier``, ``role``, ``text``, ``meta``, in its order. The member
        ``usage`` of ``meta`` has the tokens, and ``model`` the model.
    prices : Mapping[str, tuple[float, float]] | None
        Prices of a million tokens of input and of output, by model.
    count_tokens : CountTokens | None
        Counts the tokens of a text, or a tokenizer with ``encode``: for elements without ``usage``.
        An input is of the model of the next output of its memory, unless the usage of that output
        includes it. Each text is counted once, though a model may get all of them again with each
        question. None leaves these elements out.

    Returns
    -------
    DataFrame
        The columns of `Analysis.usage`.

    Raises
    ------
    ValueError
        If a column is missing.

    Warns
    -----
    UserWarning
        If no element has tokens.

    Examples
    --------
    >>> usage(pd.read_parquet("log.parquet"), prices={"small": (0.15, 0.6)})
    """
    elements = prepared(log, "identifier", "role", "text", "meta")
    count = _counter(count_tokens)
    rows: list[Counted] = []
    asked: dict[str, list[Counted]] = {}  # counted inputs of each memory since its last output
    for identifier, role, text, meta in elements.itertuples(index=False):
        known = _known(meta)
        model = known.get("model") if isinstance(known.get("model"), str) else None
        inputs, outputs = (_reported(known.get("usage"), names) for names in (INPUT, OUTPUT))
        before = asked.pop(identifier, []) if role == "output" else []
        if inputs is None:  # else they are part of it
            rows += [each._replace(model=model) for each in before]
        if inputs is not None or outputs is not None:
            rows.append(Counted(identifier, model, inputs or 0, outputs or 0))
        elif count is not None:
            tokens = count(text if isinstance(text, str) else "")
            if role == "output":
                rows.append(Counted(identifier, model, 0, tokens))
            else:
                asked.setdefault(identifier, []).append(Counted(identifier, model, tokens, 0))
    rows += chain.from_iterable(asked.values())
    if not rows and len(log):
        warn(
            "no element has a usage in its meta, so no tokens are known; count_tokens= counts "
            "those of the texts",
            UserWarning,
        )
    found = (
        pd.DataFrame(rows, columns=[*Counted._fields])
        .groupby("model", dropna=False)
        .agg(
            memories=("identifier", "nunique"),
            elements=("identifier", "size"),
            input_tokens=("input_tokens", "sum"),
            output_tokens=("output_tokens", "sum"),
        )
        .reset_index()
    )
    found["cost"] = [
        _cost(prices or {}, *row)
        for row in zip(found["model"], found["input_tokens"], found["output_tokens"], strict=True)
    ]
    return found.astype(USAGE).sort_values(
        ["elements", "model"], ascending=[False, True], ignore_index=True
    )


def n_tokens(log: pd.DataFrame, count_tokens: CountTokens | None = None) -> "pd.Series[Any]":
    """Return the number of tokens of the text of each element.

    Parameters
    ----------
    log : DataFrame
        `conversation_log`: ``role``, ``text``, ``meta``.
    count_tokens : CountTokens | None
        Counts the tokens of a text, or a tokenizer with ``encode``. None: only outputs of the model
        whose ``meta`` has a ``usage`` have a number, that of the output tokens in it.

    Returns
    -------
    Series
        Int64 with the index of ``log``, missing where the number is not known.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> log["n_tokens"] = n_tokens(log, tiktoken.get_encoding("o200k_base"))
    >>> log.groupby("identifier")["n_tokens"].sum()
    """
    elements = prepared(log, "role", "text", "meta")
    count = _counter(count_tokens)
    counts: list[int | None] = []
    for role, text, meta in elements.itertuples(index=False):
        tokens = _reported(_known(meta).get("usage"), OUTPUT) if role == "output" else None
        if tokens is None and count is not None:
            tokens = count(text if isinstance(text, str) else "")
        counts.append(tokens)
    return pd.Series(pd.array(counts, dtype="Int64"), index=log.index, name="n_tokens")


def _counter(count_tokens: CountTokens | None) -> Callable[[str], int] | None:
    """Return a function that counts tokens, or raise TypeError."""
    if count_tokens is None or callable(count_tokens):
        return count_tokens
    encode = getattr(count_tokens, "encode", None)
    if isinstance(count_tokens, str) or not callable(encode):  # str.encode is another
        raise TypeError(
            "count_tokens must be a function or an object with encode(text), not "
            f"{type(count_tokens).__name__}"
        )
    return lambda text: len(cast("Sized", encode(text)))


def _known(meta: object) -> dict[str, Any]:
    return cast("dict[str, Any]", meta) if isinstance(meta, dict) else {}


def _reported(usage: object, names: Sequence[str]) -> int | None:
    """Return the first count of some names in a usage, None if it has none."""
    if not isinstance(usage, Mapping):
        return None
    counts = cast("Mapping[str, Any]", usage)
    return next((counts[name] for name in names if isinstance(counts.get(name), int)), None)


def _cost(prices: Prices, model: object, inputs: int, outputs: int) -> float | None:
    if not isinstance(model, str) or model not in prices:
        return None
    of_input, of_output = prices[model]
    return (inputs * of_input + outputs * of_output) / MILLION
