"""Parse and run the code blocks of Markdown documents."""

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from typing import Any


def fences(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the language and the content of each fenced block."""
    for match in re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, match.start(2)), match[1], match[2]


def python_blocks(text: str) -> list[str]:
    """Return the Python blocks of a document, padded to keep their line numbers."""
    # Blank lines before a block make a traceback name the line in the document.
    return ["\n" * line + code for line, language, code in fences(text) if language == "python"]


def run_block(
    code: str, namespace: dict[str, Any], runner: asyncio.Runner, *, source: str = "<block>"
) -> None:
    """Run a block; top-level ``await`` uses the event loop of ``runner``."""
    compiled = compile(code, source, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, namespace)
    if inspect.iscoroutine(result):
        runner.run(result)
