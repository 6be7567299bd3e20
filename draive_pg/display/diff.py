"""Text diffs: unified for terminals, side by side in HTML for notebooks."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher, unified_diff
from html import escape

from draive_pg.display.html import CELL, DIM, RULE, TABLE, WRAP, block
from draive_pg.display.text import escaped

CONTEXT = 3  # unchanged lines shown around what changed

REMOVED = "background:color-mix(in srgb, crimson 18%, transparent)"
ADDED = "background:color-mix(in srgb, seagreen 22%, transparent)"

GUTTER = "padding-left:1.2em"

WORDS = re.compile(r"\w+|\W")
MAX_WORDS = 1_000  # of a line whose changed words are marked

type Parts = Sequence[tuple[str, str, str]]
"""Name of each compared text, and the text before and after."""

type Line = tuple[int, str] | None


def unified(parts: Iterable[tuple[str, str, Sequence[str], Sequence[str]]]) -> str:
    """Return a unified diff without control characters.

    Parameters
    ----------
    parts : iterable of tuples
        The title of each compared text before and after, and its lines before and after.
    """
    return "\n".join(
        escaped(line, keep="\t")
        for old, new, before, after in parts
        for line in unified_diff(before, after, old, new, n=CONTEXT, lineterm="")
    )


def count_lines(parts: Parts) -> tuple[int, int]:
    """Return how many lines were added and removed."""
    added = removed = 0
    for _, before, after in parts:
        matcher = SequenceMatcher(None, before.split("\n"), after.split("\n"), autojunk=False)
        for tag, start, end, begin, stop in matcher.get_opcodes():
            if tag != "equal":
                removed += end - start
                added += stop - begin
    return added, removed


def side_by_side(titles: tuple[str, str], parts: Parts) -> str:
    """Return an HTML table of the parts that differ."""
    head = "".join(
        f'<th colspan="2" style="{CELL};{RULE}">{escape(title)}</th>' for title in titles
    )
    body = "".join(_part(*part) for part in parts if part[1] != part[2])
    if not body:
        body = f'<tr><td colspan="4" style="{CELL};{DIM}">no difference</td></tr>'
    return block(
        f'<table style="{TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _part(name: str, before: str, after: str) -> str:
    rows = [_aside(name)]
    for number, group in enumerate(_groups(before.split("\n"), after.split("\n"))):
        rows += [_aside("…")] if number else []
        rows += [
            f"<tr>{_side(left, right, REMOVED if changed else '')}"
            f"{_side(right, left, ADDED if changed else '', GUTTER)}</tr>"
            for left, right, changed in group
        ]
    return "".join(rows)


def _groups(before: Sequence[str], after: Sequence[str]) -> Iterator[list[tuple[Line, Line, bool]]]:
    """Yield each hunk as pairs of lines, left and right, and whether they changed."""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for opcodes in matcher.get_grouped_opcodes(CONTEXT):
        yield [
            (
                (start + line, before[start + line]) if start + line < end else None,
                (begin + line, after[begin + line]) if begin + line < stop else None,
                tag != "equal",
            )
            for tag, start, end, begin, stop in opcodes
            for line in range(max(end - start, stop - begin))
        ]


def _aside(text: str) -> str:
    return f'<tr><td colspan="4" style="{CELL};{DIM}">{escape(text)}</td></tr>'


def _side(line: Line, other: Line, colour: str, gutter: str = "") -> str:
    if line is None:
        return "<td></td><td></td>"
    number, text = line
    shown = _words(text, other[1], colour) if colour and other else escape(text)
    return (
        f'<td style="{CELL};{DIM};{gutter};width:1%">{number + 1}</td>'
        f'<td style="{CELL};{WRAP};{colour};width:49%">{shown}</td>'
    )


def _words(text: str, other: str, colour: str) -> str:
    """Return a changed line as HTML, with the words that the other line does not have marked."""
    words, others = WORDS.findall(text), WORDS.findall(other)
    if max(len(words), len(others)) > MAX_WORDS:
        return escape(text)
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    shown: list[str] = []
    for tag, start, end, _, _ in matcher.get_opcodes():
        part = escape("".join(words[start:end]))
        marked = part and tag != "equal"
        shown.append(f'<span style="{colour}">{part}</span>' if marked else part)
    return "".join(shown)
