"""A report: one standalone page with several conversations, which can be searched."""

import math
from html import escape

from draive_pg.display import html, page
from draive_pg.display.text import one_line, plural
from draive_pg.display.transcript_html import MARK, STYLE, Page
from draive_pg.display.transcript_parts import TranscriptContent

MAX_QUESTION = 200  # characters of the first question, in the line of a conversation

RULE = "1px solid color-mix(in srgb, currentColor 20%, transparent)"

STYLES = f"""
{STYLE}
header{{position:sticky;top:0;background:Canvas;padding:0.6em 0;border-bottom:{RULE};z-index:1}}
h1{{font-size:1.3em;margin:0 0 0.2em}}
main,header{{max-width:66em}}
[type=search]{{font:inherit;width:18em;max-width:100%;padding:0.3em 0.5em}}
.conversation{{border-bottom:{RULE};padding:0.5em 0}}
.conversation:not([open]){{content-visibility:auto;contain-intrinsic-size:auto 3.5em}}
.conversation>summary{{cursor:pointer;overflow-wrap:anywhere}}
.conversation[open]>summary{{margin-bottom:0.8em}}
.question{{padding-left:1.1em}}
.dim{{{html.DIM}}}
.failed{{{MARK}}}
::highlight(found){{background:gold;color:black}}
""".strip()

# Search is over all text, with its hits marked in open conversations; keys are in the header.
SCRIPT = """
'use strict';
const box = document.getElementById('search'), failed = document.getElementById('failed');
const count = document.getElementById('count'), texts = new Map();
const all = [...document.querySelectorAll('.conversation')];
const text = each => {
  if (!texts.has(each)) texts.set(each, each.textContent.toLowerCase());
  return texts.get(each);
};
const words = () => box.value.toLowerCase().split(/\\s+/).filter(Boolean);
function filter() {
  const wanted = words();
  let shown = 0;
  for (const each of all) {
    each.hidden = (failed.checked && !each.dataset.failed)
      || !wanted.every(word => text(each).includes(word));
    shown += !each.hidden;
  }
  count.textContent = `${shown.toLocaleString('en')} of ${all.length.toLocaleString('en')} shown`;
  mark();
}
function mark() {
  if (!CSS.highlights) return;
  const wanted = words(), ranges = [];
  for (const each of wanted.length ? all : []) {
    if (each.hidden || !each.open) continue;
    const walker = document.createTreeWalker(each, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode()) && ranges.length < 20000;) {
      const said = node.data.toLowerCase();
      for (const word of wanted) {
        for (let at = said.indexOf(word); at >= 0; at = said.indexOf(word, at + word.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, Math.min(at + word.length, node.length));
          ranges.push(range);
          // A long variable, such as a system message, stays folded: it would hide the rest.
          if (!node.parentElement.closest('summary, td details')) unfold(node.parentElement, each);
        }
      }
    }
  }
  CSS.highlights.set('found', new Highlight(...ranges));
}
function unfold(from, until) {
  for (let each = from.closest('details'); each !== until;) {
    each.open = true;
    each = each.parentElement.closest('details');
  }
}
function step(by) {
  const shown = all.filter(each => !each.hidden);
  const at = shown.findIndex(each => each.contains(document.activeElement));
  const next = shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : at + by];
  if (next) next.querySelector('summary').focus();
}
let waiting;
box.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(filter, 150); });
failed.addEventListener('change', filter);
for (const each of all) each.addEventListener('toggle', () => { if (box.value) mark(); });
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === box) {
    if (event.key === 'Escape') { box.value = ''; filter(); }
    if (event.key === 'Enter') { event.preventDefault(); step(1); }
  } else if (event.key === '/') { event.preventDefault(); box.focus(); }
  else if (event.key === 'n') step(1);
  else if (event.key === 'p') step(-1);
});
document.getElementById('tools').hidden = false;
filter();
""".strip()


def opening(title: str, *facts: str) -> str:
    """Return the page up to the first conversation."""
    return (
        f"{page.opening(title, script=SCRIPT)}<style>{STYLES}</style><header>"
        f'<h1>{escape(title)}</h1><div class="dim">{escape(" · ".join(facts))}</div>'
        '<div id="tools" hidden><input id="search" type="search" aria-label="Search" '
        'placeholder="Search: all words must occur"> '
        '<label><input id="failed" type="checkbox"> with failed calls</label> '
        '<span id="count" class="dim" role="status"></span> '
        '<span class="dim">· keys: / search, n next, p previous, Enter open</span></div>'
        "</header><main>"
    )


def conversation(shown: TranscriptContent) -> str:
    """Return one conversation, folded."""
    failures = sum(piece.failed for entry in shown.entries for piece in entry.pieces)
    mark = f' · <span class="failed">{plural(failures, "failed call")}</span>' if failures else ""
    question = one_line(_question(shown))
    cut = question if len(question) <= MAX_QUESTION else f"{question[:MAX_QUESTION]}…"
    return (
        f'<details class="conversation"{' data-failed="1"' * bool(failures)}><summary>'
        f"<b>{escape(shown.identifier)}</b> "
        f'<span class="dim">{escape(" · ".join(shown.facts))}</span>{mark}'
        f'<div class="question dim">{escape(cut)}</div></summary>'
        f"{Page(math.inf).content(shown)}</details>\n"
    )


def closing() -> str:
    """Return the end of the page."""
    return f"</main>{page.closing(script=SCRIPT)}"


def _question(shown: TranscriptContent) -> str:
    """Return the first text of a user."""
    texts = (
        piece.text
        for entry in shown.entries
        if entry.who == "user"
        for piece in entry.pieces
        if piece.kind == "text"
    )
    return next(texts, "")
