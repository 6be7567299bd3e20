"""HTML tables for notebooks: escaped, with long texts folded, in the colours of the page."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, cast

from draive_pg.display.text import (
    MAX_COMPLETE,
    MISSING,
    all_numbers,
    is_missing,
    printable,
    with_values,
)

FOLD = 160  # characters of a text before it is folded
FOLD_WIDE = 60  # the same in a table of more than MAX_COMPLETE columns
MAX_TEXT = 10_000  # characters of a text that is unfolded
MAX_UNBROKEN = 30  # characters of a text that is not wrapped
MAX_ROWS = 200  # of a table; a notebook file keeps all that it shows

TABLE = "border-collapse:collapse;text-align:left"
CELL = "text-align:left;vertical-align:top;padding:0.2em 0.8em 0.2em 0"
NUMBER = f"{CELL};text-align:right;font-variant-numeric:tabular-nums"
RULE = "border-bottom:1px solid color-mix(in srgb, currentColor 25%, transparent)"
DIM = "opacity:0.65"
WRAP = "white-space:pre-wrap;overflow-wrap:anywhere"
TEXT = f"display:inline-block;min-width:12em;{WRAP}"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    max_rows: int = MAX_ROWS,
    fold: int | None = None,
) -> str:
    """Return a table of the first rows, and how many more there are.

    Of more than four columns, those without any value are named below the table. Texts of more than
    ``fold`` characters are folded.
    """
    all_rows = list(rows)
    kept = with_values(columns, all_rows)
    limit = fold or (FOLD_WIDE if len(kept) > MAX_COMPLETE else FOLD)
    styles = [NUMBER if all_numbers(row[n] for row in all_rows) else CELL for n in kept]
    head = "".join(
        f'<th style="{style};{RULE}">{escape(columns[n])}</th>'
        for n, style in zip(kept, styles, strict=True)
    )
    cells = [[shown(row[n], limit=limit) for n in kept] for row in all_rows[:max_rows]]
    body = "".join(f"<tr>{''.join(map(_cell, styles, row))}</tr>" for row in cells)
    more = len(all_rows) - max_rows
    notes = [escape(caption)] if caption else []
    if empty := [column for n, column in enumerate(columns) if n not in kept]:
        notes.append(escape(f"no value in {', '.join(empty)}"))
    if more > 0:
        notes.append(f"{more:,} more rows; to_df() has all")
    below = f'<div style="{DIM}">{" · ".join(notes)}</div>' if notes else ""
    return block(
        f'<table style="{TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}'
    )


def block(content: str, style: str = "") -> str:
    """Return HTML as one element, in which MathJax does not typeset text between dollar signs."""
    return f'<div class="tex2jax_ignore mathjax_ignore" style="{style}">{content}</div>'


def shown(value: object, *, limit: int = FOLD) -> str:
    """Return a value as the HTML of a cell, folded if it exceeds the limit of characters."""
    if is_missing(value):
        return f'<span style="{DIM}">{MISSING}</span>'
    if (own := getattr(value, "_repr_html_", None)) is not None:
        return own()
    match value:
        case datetime():
            moment = escape(value.isoformat(" ", "seconds").removesuffix("+00:00"))
            return f'<span style="white-space:nowrap">{moment}</span>'
        case str():
            return folded(value, limit=limit)
        case Mapping() | tuple() | list():
            return _document(cast("Mapping[str, Any] | Sequence[Any]", value), limit)
        case _:
            return escape(printable(value))


def folded(text: str, *, limit: int = FOLD) -> str:
    """Return a text as HTML, folded if it exceeds the limit of characters."""
    if len(text) <= limit:
        style = "white-space:pre" if len(text) <= MAX_UNBROKEN else TEXT
        return f'<span style="{style}">{escape(text)}</span>'
    whole = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
    return (
        f'<details style="min-width:12em"><summary style="{WRAP}">'
        f'<span class="preview">{escape(text[:limit])}… </span>'
        f'<span style="{DIM}">({len(text):,} characters)</span></summary>'
        f'<div style="{WRAP}">{escape(whole)}</div></details>'
    )


def _cell(style: str, content: str) -> str:
    return f'<td style="{style}">{content}</td>'


def _document(value: Mapping[str, Any] | Sequence[Any], limit: int) -> str:
    if not isinstance(value, Mapping) and all(isinstance(item, str) for item in value):
        return folded(", ".join(value), limit=limit)
    return folded(json.dumps(value, ensure_ascii=False, default=str), limit=limit)
