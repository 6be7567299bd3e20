"""Both clients in notebook kernels and in scripts."""

import os
import re
import select
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from draive_pg import Client
from draive_pg.embedded import Server, default_data
from tests.cli_runner import STRICT_PYTHON
from tests.jupyter_kernel import SECONDS, Kernel, StartKernel, kernels
from tests.server import scratch_directory, wait_until

type Reuse = Callable[[str], Kernel]

REPOSITORY = Path(__file__).parent.parent

# Active statements of clients of draive_pg.
BUSY = """
SELECT wait_event_type FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'draive_pg' AND state = 'active'
"""


@pytest.fixture
def start() -> Iterator[StartKernel]:
    """Start kernels with environment variables; all are shut down at the end."""
    with kernels() as start:
        yield start


@pytest.fixture(scope="module")
def started() -> Iterator[Kernel]:
    """A kernel for all tests that leave none of their own in it."""
    with kernels() as start:
        yield start()


CLEAN = """
for each in [*globals().values()]:
    if type(each).__name__ == "Client":
        each.close()
    elif type(each).__name__ == "AsyncClient":
        await each.close()
%reset -f
"""


@pytest.fixture
def reuse(started: Kernel) -> Iterator[Reuse]:
    """Return a kernel without variables, whose clients use a database."""

    def reuse(dsn: str) -> Kernel:
        started.run(f"import os; os.environ['DRAIVE_PG_DSN'] = {dsn!r}; del os")
        return started

    yield reuse
    started.run(CLEAN)


KINDS = pytest.mark.parametrize(("kind", "wait"), [("Client", ""), ("AsyncClient", "await ")])

ERRORS = (
    *("TableMissing", "OperationFailed", "TypeError", "ValueError"),
    *("FileNotFoundError", "CancelledError", "KeyboardInterrupt"),
)

# --- Cells


def test_sync_client_works_in_cells(reuse: Reuse, dsn: str) -> None:
    kernel = reuse(dsn)
    kernel.run("from draive_pg import Client")
    kernel.run("db = Client()")
    kernel.run("import asyncio; assert asyncio.get_running_loop().is_running()")
    kernel.run("db.configurations.define('limits', {'tokens': 3})")
    assert kernel.run("db.configurations.load_raw('limits')") == "{'tokens': 3}"
    assert "tokens" in kernel.run("db.frames.configurations()")
    kernel.run("with db.transaction(): db.configurations.remove('limits')")
    assert kernel.run("db.configurations.configurations()") == "()"


def test_async_client_works_in_cells_and_concurrently(reuse: Reuse, dsn: str) -> None:
    kernel = reuse(dsn)
    kernel.run("import asyncio; from draive_pg import AsyncClient; db = AsyncClient()")
    kernel.run("await db.configurations.define('limits', {'tokens': 3})")
    assert kernel.run("await db.configurations.load_raw('limits')") == "{'tokens': 3}"
    kernel.run("async with db.transaction(): await db.configurations.remove('limits')")
    kernel.run(
        "await asyncio.gather(*(db.configurations.define(f'c{n}', {'n': n}) for n in range(20)))"
    )
    shown = kernel.run(
        "loaded = await asyncio.gather(*(db.configurations.load_raw(f'c{n}') for n in range(20)))\n"
        "[each['n'] for each in loaded] == [*range(20)]"
    )
    assert shown == "True"
    assert "20" in kernel.run("len(await db.frames.configurations())")


@KINDS
def test_interrupt_ends_waiting_cell_and_cancels_query(
    reuse: Reuse,
    dsn: str,
    sql: psycopg.Connection,
    kind: str,
    wait: str,
) -> None:
    kernel = reuse(dsn)
    kernel.run(f"from draive_pg import {kind}; db = {kind}(cache_limit=0)")
    for _ in range(2):
        holder = psycopg.connect(dsn)
        holder.execute("LOCK TABLE configurations")
        waiting = kernel.begin(f"{wait}db.configurations.load_raw('limits')")
        wait_until(lambda: sql.execute(BUSY).fetchall() == [("Lock",)])
        kernel.interrupt()
        shown = kernel.end(waiting)
        # IPython cancels a cell that awaits.
        assert shown.error[-1].startswith(("KeyboardInterrupt", "CancelledError"))
        text = "\n".join(shown.error)
        assert "draive_pg/" not in text
        assert len(text.splitlines()) <= (60 if wait else 12)
        wait_until(lambda: sql.execute(BUSY).fetchall() == [])
        holder.close()
        kernel.run(f"{wait}db.configurations.define('limits', {{'tokens': 3}})")
        assert kernel.run(f"{wait}db.configurations.load_raw('limits')") == "{'tokens': 3}"


# Calls that fail in a database without tables, or because of their arguments.
FAILING = {
    "operation": "{wait}db.configurations.load_raw('limits')",
    "load": "{wait}db.instructions.load('greeting')",
    "frame": "{wait}db.frames.conversation_log()",
    "analysis": "{wait}db.analysis.tools()",
    "chunks": "{loop}for _ in db.frames.chunks('conversation_log'): pass",
    "frame export": "{wait}db.frames.export('sessions', '/tmp/never.parquet')",
    "search": "{wait}db.memories.search('hello')",
    "export": "{wait}db.memories.export_memories('/tmp/never.jsonl')",
    "missing file": "{wait}db.memories.import_memories('/nonexistent.jsonl')",
    "workflow": "{wait}db.release(prompts={{'a': 'b'}})",
    "transaction": "{block}with db.transaction(): {wait}db.memory('m').remove()",
    "commit": """{block}with db.transaction():
    try: {wait}db.memory('m').remove()
    except Exception: pass""",
    "argument": "{wait}db.memories.list(limit=-1)",
    "argument of a frame": "{wait}db.frames.conversation_log(limit=-1)",
    "argument of chunks": "{loop}for _ in db.frames.chunks('nosuch'): pass",
    "argument of a workflow": "{wait}db.memories.prune(keep=-1)",
    "argument of define": "{wait}db.instructions.define('greeting', content=1)",
    "argument of load": "{wait}db.configurations.load('limits')",
    "unknown argument": "{wait}db.memories.list(nosuch=1)",
    "wrong time": "{wait}db.instructions.load('greeting', as_of='nosuch')",
}


@KINDS
def test_traceback_is_short_and_hides_internals(
    reuse: Reuse, empty_dsn: str, kind: str, wait: str
) -> None:
    kernel = reuse(empty_dsn)
    kernel.run(f"from draive_pg import {kind}; db = {kind}()")
    words = {"wait": wait, **dict.fromkeys(("loop", "block"), "async " if wait else "")}
    too_long: dict[str, str] = {}
    for name, call in FAILING.items():
        text = "\n".join(kernel.end(kernel.begin(call.format(**words))).error)
        last = text.rpartition("\n")[2].removeprefix("draive_pg.errors.")
        # Five lines belong to the cause, the error of psycopg.
        if not last.startswith(ERRORS) or "\nFile " in text or len(text.splitlines()) > 13:
            too_long[name] = text
    assert too_long == {}, "\n\n".join(too_long.values())


@KINDS
def test_error_message_is_one_line(reuse: Reuse, empty_dsn: str, kind: str, wait: str) -> None:
    kernel = reuse(empty_dsn)
    kernel.run(f"from draive_pg import {kind}; db = {kind}()")
    shown = kernel.end(kernel.begin(f"{wait}db.configurations.load_raw('limits')"))
    last = shown.error[-1]
    assert re.fullmatch(r"(draive_pg\.errors\.)?TableMissing: .*'limits'.*setup\(\).*", last), last


@pytest.mark.slow
@KINDS
def test_conversations_are_shown_and_exported_in_cells(
    start: StartKernel, dsn: str, tmp_path: Path, kind: str, wait: str
) -> None:
    kernel = start(DRAIVE_PG_DSN=dsn)
    kernel.run(f"from draive_pg import {kind}; db = {kind}()")
    kernel.run(f"{wait}db.memories.import_chat('m', [dict(role='user', content='<b>hi</b>')])")
    shown = kernel.end(kernel.begin(f"{wait}db.memory('m').show()"))
    assert "Transcript('m', 1 element)" in shown.text
    assert "&lt;b&gt;hi&lt;/b&gt;" in shown.html
    assert "hi" in kernel.run(f"print({wait}db.memory('m').show())")
    file = str(tmp_path / "m.jsonl.gz")
    assert kernel.run(f"({wait}db.memories.export_memories({file!r})).memories") == "1"
    removed = kernel.end(kernel.begin(f"{wait}db.memories.prune(keep=1, dry_run=True)"))
    assert "Removal" in removed.html
    assert kernel.run(f"({wait}db.memories.import_memories({file!r})).unchanged") == "1"
    kernel.run(f"import pandas; log = {wait}db.frames.conversation_log()")
    assert "1 row, 13 columns" in kernel.end(kernel.begin("log.tail(1)")).html
    assert 'class="dataframe"' in kernel.end(kernel.begin("pandas.DataFrame(log)")).html
    html = "get_ipython().display_formatter.formatters['text/html']"
    kernel.run(f"{html}.for_type(pandas.DataFrame, lambda frame: 'of the user')")
    shown = kernel.end(kernel.begin(f"{wait}db.frames.conversation_log()"))
    assert shown.html == "of the user"


def test_displaying_client_does_no_io(reuse: Reuse) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        kernel = reuse(f"postgresql://ada:secret@127.0.0.1:{port}/chats")
        kernel.run("from draive_pg import AsyncClient, Client")
        for kind in ("Client", "AsyncClient"):
            shown = kernel.end(kernel.begin(f"db = {kind}(); display(db, db.memory('m')); db"))
            assert not shown.error
            assert kind in shown.text
            assert "chats" in shown.text
            assert "secret" not in shown.text + shown.html
        assert select.select([server], [], [], 0)[0] == []


def test_completion_offers_only_public_names(reuse: Reuse, dsn: str) -> None:
    kernel = reuse(dsn)
    kernel.run("from draive_pg import Client; db = Client(); memory = db.memory('m')")
    offered = kernel.complete("db.")
    assert {"configurations", "frames", "instructions", "memories", "memory"} <= {*offered}
    assert {"define", "load", "load_raw", "remove"} <= {*kernel.complete("db.configurations.")}
    assert {"recall", "remember"} <= {*kernel.complete("memory.")}
    kernel.run("memories = db.memories; shown = memory.show()")
    assert {"list", "search", "prune", "export_memories"} <= {*kernel.complete("memories.")}
    assert {"marks", "variables", "to_html"} <= {*kernel.complete("shown.")}
    for name in (
        *offered,
        *kernel.complete("db.configurations."),
        *kernel.complete("memory."),
        *kernel.complete("memories."),
        *kernel.complete("shown."),
    ):
        assert re.fullmatch(r"[a-z][a-z_]{2,21}", name), name


@KINDS
def test_tooltips_show_docstring_and_completion_offers_parameters(
    reuse: Reuse, kind: str, wait: str
) -> None:
    kernel = reuse("dbname=nowhere")
    kernel.run(f"from draive_pg import {kind}; db = {kind}()")
    shown = kernel.inspect("db.memories.count")
    assert f") -> {'Coroutine[Any, Any, int]' if wait else 'int'}\n" in shown
    assert "Count memories" in shown
    assert {"prefix=", "since=", "until="} <= {*kernel.complete("db.memories.count(")}
    assert kernel.complete("db.memories.cou") == ["count"]


# --- The embedded server, in kernels


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The home directory of the embedded server of kernels and scripts."""
    home = scratch_directory()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRAIVE_PG_HOME", str(home))
        with Client() as db:
            db.setup()
    yield home
    shutil.rmtree(home)


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The embedded server under `home`, stopped before a test and after it."""
    monkeypatch.setenv("DRAIVE_PG_HOME", str(home))
    server = Server(default_data())
    assert not server.running()
    yield server
    server.stop(force=True)


def pid(server: Server) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def stopped(server: Server) -> bool:
    return not server.running() and not (server.data / "postmaster.pid").exists()


@pytest.mark.slow
@KINDS
def test_kernel_starts_server_and_stops_it_on_restart_and_shutdown(
    start: StartKernel, server: Server, kind: str, wait: str
) -> None:
    kernel = start()
    for end in (kernel.restart, kernel.close):
        kernel.run(f"from draive_pg import {kind}; db = {kind}()")
        assert not server.running()
        assert kernel.run(f"{wait}db.configurations.configurations()") == "()"
        assert server.running()
        end()
        wait_until(lambda: stopped(server))


def test_interrupt_does_not_stop_embedded_server(start: StartKernel, server: Server) -> None:
    kernel = start()
    kernel.run("import time; from draive_pg import Client; db = Client(); db.setup()")
    started = pid(server)
    begun = server.data / "begun"
    waiting = kernel.begin(f"open({str(begun)!r}, 'x').close(); time.sleep(60)")
    wait_until(begun.exists)
    kernel.interrupt()
    assert kernel.end(waiting).error[-1].startswith("KeyboardInterrupt")
    assert kernel.run("db.configurations.configurations()") == "()"
    assert pid(server) == started


def test_server_of_killed_kernel_stops(start: StartKernel, server: Server) -> None:
    kernel = start()
    kernel.run("from draive_pg import Client; db = Client(); db.configurations.configurations()")
    assert server.running()
    kernel.kill()
    wait_until(lambda: stopped(server))


# --- Scripts

SYNC = """
from draive_pg import Client
db = Client()
db.configurations.configurations()
print(db.instructions.available_instructions(), len(db.frames.sessions()))
"""

ASYNC = """
import asyncio
from draive_pg import AsyncClient

async def main():
    db = AsyncClient()
    await asyncio.gather(*(db.configurations.load_raw(f"c{n}") for n in range(8)))
    print(await db.instructions.available_instructions(), len(await db.frames.sessions()))

asyncio.run(main())
"""

# The client outlives the loop that its connections belong to.
ASYNC_GLOBAL = """
import asyncio
from draive_pg import AsyncClient
db = AsyncClient()

async def main():
    await asyncio.gather(*(db.configurations.load_raw(f"c{n}") for n in range(8)))
    print(await db.instructions.available_instructions(), len(await db.frames.sessions()))

asyncio.run(main())
"""

ASYNC_TWICE = """
import asyncio
from draive_pg import AsyncClient
db = AsyncClient()

async def main(n):
    await asyncio.gather(*(db.configurations.load_raw(f"c{n}") for n in range(n)))
    return await db.instructions.available_instructions(), len(await db.frames.sessions())

asyncio.run(main(8))
asyncio.run(db.configurations.define("limits", {"tokens": 3}))
asyncio.run(db.configurations.remove("limits"))
print(*asyncio.run(main(2)))
"""

# The loop ends while connections are still being opened.
ASYNC_HASTY = """
import asyncio
from draive_pg import AsyncClient

async def main():
    db = AsyncClient()
    await asyncio.gather(*(db.configurations.load_raw(f"c{n}") for n in range(8)))

for _ in range(10):
    asyncio.run(main())
print("() 0")
"""


def run_script(code: str, **environment: str) -> str:
    """Run a script that must succeed without warnings, and return its output."""
    done = subprocess.run(
        [*STRICT_PYTHON, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        text=True,
        timeout=3 * SECONDS,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.strip()


SCRIPTS = pytest.mark.parametrize(
    "script",
    [
        pytest.param(SYNC, id="sync"),
        pytest.param(ASYNC, id="async"),
        pytest.param(ASYNC_GLOBAL, id="async-global"),
        pytest.param(ASYNC_TWICE, id="async-twice"),
        pytest.param(ASYNC_HASTY, id="async-hasty"),
    ],
)


@SCRIPTS
def test_script_without_close_exits_silently(dsn: str, script: str) -> None:
    assert run_script(script, DRAIVE_PG_DSN=dsn) == "() 0"


@pytest.mark.slow
@SCRIPTS
def test_script_without_close_stops_embedded_server(server: Server, script: str) -> None:
    assert run_script(script) == "() 0"
    wait_until(lambda: stopped(server))
