"""Standalone HTML pages: without external requests, in the colours of the reader."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path

from draive_pg.codec.validation import check_path, shown

STYLE = "color-scheme:light dark;font:15px/1.45 system-ui,sans-serif;margin:2em"


def opening(title: str, *, script: str = "") -> str:
    """Return the start of a page up to its body; a policy forbids requests and other scripts."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script:
        policy += f"; script-src 'sha256-{digest}'"
    return (
        f'<!DOCTYPE html><html lang="en" style="{STYLE}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title></head><body>"
    )


def closing(*, script: str = "") -> str:
    """Return the end of a page."""
    return f"{f'<script>{script}</script>' if script else ''}</body></html>\n"


def check_page_path(path: object) -> Path:
    """Return the path of a page, or raise TypeError or ValueError."""
    file = check_path(path)
    if file.suffix.lower() not in (".html", ".htm"):
        raise ValueError(
            f"path must end in .html, since the file is a web page, not {shown(str(file))}"
        )
    return file
