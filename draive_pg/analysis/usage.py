"""Tokens and cost of conversations."""

from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any, cast

from draive_pg.analysis.inputs import prepared
from draive_pg.codec.tokenizer import CountTokens
from draive_pg.dataframes import pd

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


def usage(
    log: pd.DataFrame,
    prices: Prices | None = None,
    count_tokens: CountTokens | None = None,
) -> pd.DataFrame:
    """Return one row per model with its tokens and their cost, the most used first.

    Parameters
    ----------
    log : DataFrame
        `conversation_log`: ``identifier``, ``role``, ``text``, ``meta``. The member ``usage`` of
        ``meta`` has the tokens, and ``model`` the model.
    prices : Mapping[str, tuple[float, float]] | None
        Prices of a million tokens of input and of output, by model.
    count_tokens : CountTokens | None
        Counts the tokens of a text, or a tokenizer with ``encode``: for elements without ``usage``,
        whose texts are output of the model, or input to it. None leaves them out.

    Returns
    -------
    DataFrame
        The columns of `Analysis.usage`.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> usage(pd.read_parquet("log.parquet"), prices={"small": (0.15, 0.6)})
    """
    elements = prepared(log, "identifier", "role", "text", "meta")
    count = _counter(count_tokens)
    rows: list[tuple[str, str | None, int, int]] = []
    for identifier, role, text, meta in elements.itertuples(index=False):
        known = _known(meta)
        tokens = _tokens(known.get("usage"))
        if tokens is None and count is not None:
            counted = count(text if isinstance(text, str) else "")
            tokens = (0, counted) if role == "output" else (counted, 0)
        if tokens is not None:
            model = known.get("model")
            name = model if isinstance(model, str) else None
            rows.append((identifier, name, tokens[0], tokens[1]))
    columns = ["identifier", "model", "input_tokens", "output_tokens"]
    found = (
        pd.DataFrame(rows, columns=columns)
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
    return found.astype(USAGE).sort_values("elements", ascending=False, ignore_index=True)


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


def _tokens(usage: object) -> tuple[int, int] | None:
    """Return the tokens of input and output in a usage, None if it has neither."""
    found = (_reported(usage, INPUT), _reported(usage, OUTPUT))
    return None if found == (None, None) else (found[0] or 0, found[1] or 0)


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
