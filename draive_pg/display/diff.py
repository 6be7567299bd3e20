"""Differences of texts: unified for terminals, side by side and escaped for notebooks."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher, unified_diff
from html import escape

from draive_pg.display.html import CELL, DIM, RULE, TABLE, WRAP

__all__ = ("side_by_side", "unified")

CONTEXT = 3  # unchanged lines shown around what changed

REMOVED = "background:color-mix(in srgb, crimson 18%, transparent)"
ADDED = "background:color-mix(in srgb, seagreen 22%, transparent)"

type Parts = Sequence[tuple[str, str, str]]
"""What is compared, and its text before and after."""

type Line = tuple[int, str] | None


def unified(titles: tuple[str, str], parts: Parts) -> str:
    """Return a unified diff of those parts that differ."""
    return "\n".join(
        line
        for part, before, after in parts
        for line in unified_diff(
            before.split("\n"),
            after.split("\n"),
            f"{titles[0]} {part}",
            f"{titles[1]} {part}",
            n=CONTEXT,
            lineterm="",
        )
    )


def side_by_side(titles: tuple[str, str], parts: Parts) -> str:
    """Return a table with those parts that differ, before and after beside each other."""
    head = "".join(
        f'<th colspan="2" style="{CELL};{RULE}">{escape(title)}</th>' for title in titles
    )
    body = "".join(_part(*part) for part in parts if part[1] != part[2])
    if not body:
        body = f'<tr><td colspan="4" style="{CELL};{DIM}">no difference</td></tr>'
    return f'<table style="{TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _part(name: str, before: str, after: str) -> str:
    rows = [_aside(name)]
    for number, group in enumerate(_groups(before.split("\n"), after.split("\n"))):
        rows += [_aside("…")] if number else []
        rows += [
            f"<tr>{_side(left, REMOVED if changed else '')}"
            f"{_side(right, ADDED if changed else '')}</tr>"
            for left, right, changed in group
        ]
    return "".join(rows)


def _groups(before: Sequence[str], after: Sequence[str]) -> Iterator[list[tuple[Line, Line, bool]]]:
    """Yield the lines of each change with those around it, left and right of each other."""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for opcodes in matcher.get_grouped_opcodes(CONTEXT):
        yield [
            (
                (start + place, before[start + place]) if start + place < end else None,
                (begin + place, after[begin + place]) if begin + place < stop else None,
                tag != "equal",
            )
            for tag, start, end, begin, stop in opcodes
            for place in range(max(end - start, stop - begin))
        ]


def _aside(text: str) -> str:
    return f'<tr><td colspan="4" style="{CELL};{DIM}">{escape(text)}</td></tr>'


def _side(line: Line, colour: str) -> str:
    if line is None:
        return "<td></td><td></td>"
    number, text = line
    return (
        f'<td style="{CELL};{DIM}">{number + 1}</td>'
        f'<td style="{CELL};{WRAP};{colour}">{escape(text)}</td>'
    )
