"""IPython kernels that run cells as in a notebook."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

SECONDS = 20  # upper bound of any reply

REPOSITORY = Path(__file__).parent.parent
COLOURS = re.compile(r"\x1b\[[\d;]*m")


@dataclass
class CellOutput:
    """The output of a cell."""

    text: str = ""
    html: str = ""
    error: list[str] = field(default_factory=list[str])


class Kernel:
    """A running IPython kernel."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager(transport="ipc", ip=str(folder / "kernel"))

    def start(self, environment: dict[str, str]) -> None:
        self.manager.start_kernel(cwd=str(REPOSITORY), env=environment)
        self._connect()

    def _connect(self) -> None:
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SECONDS)

    def begin(self, code: str) -> str:
        """Send a cell, and return the request id for `end`."""
        return self.client.execute(code)

    def end(self, request: str) -> CellOutput:
        shown = CellOutput()
        while True:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    shown.text += content["text"]
                case "execute_result" | "display_data":
                    shown.text += content["data"]["text/plain"]
                    shown.html += content["data"].get("text/html", "")
                case "error":
                    shown.error = [COLOURS.sub("", line) for line in content["traceback"]]
                case "status" if content["execution_state"] == "idle":
                    return shown
                case _:
                    pass

    def run(self, code: str) -> str:
        """Run a cell that must succeed, and return its text output."""
        shown = self.end(self.begin(code))
        assert not shown.error, "\n".join(shown.error)
        return shown.text

    def ask(self, kind: str, code: str) -> dict[str, Any]:
        """Send an inspect or complete request, and return the content of the reply."""
        return getattr(self.client, kind)(code, reply=True, timeout=SECONDS)["content"]

    def inspect(self, code: str) -> str:
        """Return the text of the tooltip at the end of the code."""
        return COLOURS.sub("", self.ask("inspect", code)["data"]["text/plain"])

    def complete(self, code: str) -> list[str]:
        """Return the completions at the end of the code."""
        content = self.ask("complete", code)
        return [match.removeprefix(code).rpartition(".")[2] for match in content["matches"]]

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def restart(self) -> None:
        self.client.stop_channels()
        self.manager.restart_kernel()
        self._connect()

    def kill(self) -> None:
        self.manager.signal_kernel(signal.SIGKILL)

    def close(self) -> None:
        if self.manager.has_kernel:
            self.client.stop_channels()
            self.manager.shutdown_kernel()


type StartKernel = Callable[..., Kernel]


@contextmanager
def kernels() -> Generator[StartKernel]:
    """Yield a function that starts kernels; all are shut down at the end of the block."""
    started: list[Kernel] = []
    # Not pytest's tmp_path, which can be too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="pgt-"))

    def start(**environment: str) -> Kernel:
        place = folder / str(len(started))
        place.mkdir()
        started.append(kernel := Kernel(place))
        kernel.start({**os.environ, **environment})
        return kernel

    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(folder))  # ignore the developer's settings
        try:
            yield start
        finally:
            for kernel in started:
                kernel.close()
            shutil.rmtree(folder, ignore_errors=True)
