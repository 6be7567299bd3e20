"""Markdown of models as HTML: without raw HTML, images, or links other than to web and mail."""

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from draive_pg.display.html import WRAP

MAX_CHARS = 200_000  # of a text that is rendered

LINK = re.compile(r"(?:https?://|mailto:)\S", re.IGNORECASE)
LINKED = {"rel": "noopener noreferrer nofollow", "target": "_blank"}

FAINT = "color-mix(in srgb, currentColor 25%, transparent)"
CODE = (
    "font-family:ui-monospace,monospace;font-size:0.9em;color:inherit;border-radius:3px;"
    "background:color-mix(in srgb, currentColor 8%, transparent)"
)
BLOCK = f"{CODE};margin:0.5em 0;padding:0.5em 0.8em;white-space:pre-wrap"
HEADING = "font-weight:bold;margin:0.7em 0 0.3em;line-height:1.3"
LIST = "margin:0.4em 0;padding-left:1.6em"

# Style by tag: notebooks have rules of their own for these.
STYLES = {
    "p": "margin:0.4em 0",
    "ul": LIST,
    "ol": LIST,
    "li": "margin:0.1em 0",
    "blockquote": f"margin:0.5em 0;padding:0 0.9em;border-left:3px solid {FAINT}",
    "table": "border-collapse:collapse;margin:0.5em 0;display:block;overflow-x:auto",
    "th": f"padding:0.2em 0.7em;border:1px solid {FAINT}",
    "td": f"padding:0.2em 0.7em;border:1px solid {FAINT}",
    "hr": f"border:0;border-top:1px solid {FAINT};margin:0.8em 0",
    "h1": f"{HEADING};font-size:1.3em",
    "h2": f"{HEADING};font-size:1.2em",
    "h3": f"{HEADING};font-size:1.1em",
    **dict.fromkeys(("h4", "h5", "h6"), f"{HEADING};font-size:1em"),
}


def rendered(text: str) -> str:
    """Return Markdown as HTML; a text over 200,000 characters as it is."""
    if len(text) > MAX_CHARS:
        return f'<div style="{WRAP}">{escape(text)}</div>'
    return f'<div style="overflow-wrap:anywhere">{_parser().render(text)}</div>'


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "breaks": True, "xhtmlOut": False}
    parser = MarkdownIt("commonmark", options, renderer_cls=Renderer)
    parser.validateLink = lambda url: LINK.match(url) is not None
    return parser.enable(["table", "strikethrough"])


class Renderer(RendererHTML):
    """HTML with inline styles. Images are links, so that nothing is loaded."""

    # ruff: noqa: ARG002 - the signatures are those of the base

    def renderToken(  # noqa: N802
        self, tokens: Sequence[Token], idx: int, options: Any, env: Any
    ) -> str:
        token = tokens[idx]
        if token.nesting >= 0 and (style := STYLES.get(token.tag)):
            aligned = token.attrGet("style") or "text-align:left"
            token.attrSet("style", f"{style};{aligned}" if token.tag in ("th", "td") else style)
        if token.type == "link_open":
            token.attrs.update(LINKED)
        return super().renderToken(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        address = str(tokens[idx].attrGet("src"))
        name = self.renderInlineAsText(tokens[idx].children, options, env) or address
        rest = " ".join(f'{key}="{value}"' for key, value in LINKED.items())
        return f'[image] <a href="{escape(address)}" {rest}>{escape(name)}</a>'

    def code_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f'<code style="{CODE};padding:0 0.3em">{escape(tokens[idx].content)}</code>'

    def code_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f'<pre style="{BLOCK}">{escape(tokens[idx].content.rstrip())}</pre>\n'

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return self.code_block(tokens, idx, options, env)
