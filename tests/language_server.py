"""Hover texts of pyright's language server."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


class LanguageServer:
    """A JSON-RPC client of a language server, over its stdin and stdout."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout

    def send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._input.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._input.flush()

    def request(self, method: str, params: object) -> Any:
        """Send a request, and return its result; reply to requests of the server."""
        self.send(id=method, method=method, params=params)
        while True:
            message = self._receive()
            if message.get("id") == method and "method" not in message:
                return message["result"]
            if "id" in message and "method" in message:
                items = (message.get("params") or {}).get("items", ())
                self.send(id=message["id"], result=[{} for _ in items] or None)

    def _receive(self) -> dict[str, Any]:
        size = 0
        while header := self._output.readline().strip():
            name, _, value = header.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        return json.loads(self._output.read(size))


def hovers(folder: Path, code: str, places: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield the hover text at each line and column of a file in a folder."""
    path = folder / "hovered.py"
    path.write_text(code, encoding="utf-8")
    document = {"uri": path.as_uri()}
    command = (sys.executable, "-m", "pyright.langserver", "--stdio")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            server = LanguageServer(process)
            root = {"uri": folder.as_uri(), "name": folder.name}
            capabilities = {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}}
            server.request(
                "initialize",
                {"processId": None, "capabilities": capabilities, "workspaceFolders": [root]},
            )
            server.send(method="initialized", params={})
            opened = {**document, "languageId": "python", "version": 1, "text": code}
            server.send(method="textDocument/didOpen", params={"textDocument": opened})
            for line, column in places:
                position = {"line": line, "character": column}
                shown = server.request(
                    "textDocument/hover", {"textDocument": document, "position": position}
                )
                yield shown["contents"]["value"]
        finally:
            process.kill()
