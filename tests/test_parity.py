"""Both clients share one definition of each method: signature, docstring and body."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from draive_pg import AsyncClient, Client
from draive_pg.api._method import Namespace, method, stream
from tests.language_server import hovers

SNIPPET = """
from draive import Configuration
from draive_pg import AsyncClient, Client


class Chat(Configuration):
    model: str


def use(db: Client) -> None:
    reveal_type(db.memories.count)
    reveal_type(db.memory("m").fork("n"))
    reveal_type(db.instructions.history("greeting"))
    reveal_type(db.frames.conversation_log())
    reveal_type(db.frames.chunks("sessions"))
    reveal_type(db.configurations.load(Chat))
    reveal_type(db.configurations.load(Chat, required=True))
    reveal_type(db.setup())


async def use_async(db: AsyncClient) -> None:
    reveal_type(db.memories.count)
    reveal_type(await db.memory("m").fork("n"))
    reveal_type(await db.instructions.history("greeting"))
    reveal_type(await db.frames.conversation_log())
    reveal_type(db.frames.chunks("sessions"))
    reveal_type(await db.configurations.load(Chat))
    reveal_type(await db.configurations.load(Chat, required=True))
    reveal_type(await db.setup())
"""

TIME = "datetime | date | str | None = None"
PART = "Mapping[str, Any] | None = None"
COUNT = (
    f"(prefix: str | None = None, *, since: {TIME}, until: {TIME}, variables: {PART}, meta: {PART})"
)
REVEALED = [
    f"{COUNT} -> int",
    "Memory[Database]",
    "Records[Revision]",
    "DataFrame",
    "Generator[DataFrame, None, None]",
    "Chat | None",
    "Chat",
    "AppliedMigrations",
    f"{COUNT} -> Coroutine[Any, Any, int]",
    "Memory[AsyncDatabase]",
    "Records[Revision]",
    "DataFrame",
    "AsyncGenerator[DataFrame, None]",
    "Chat | None",
    "Chat",
    "AppliedMigrations",
]


def namespaces() -> dict[str, tuple[Any, Any]]:
    """Return the clients and their namespaces, sync and async, by name."""
    sync, asynchronous = Client("dbname=nowhere"), AsyncClient("dbname=nowhere")
    pairs: dict[str, tuple[Any, Any]] = {
        name: (getattr(sync, name), getattr(asynchronous, name))
        for name, value in vars(sync).items()
        if isinstance(value, Namespace) and not name.startswith("_")
    }
    return {
        "client": (sync, asynchronous),
        "memory": (sync.memory("m"), asynchronous.memory("m")),
        **pairs,
    }


PAIRS = namespaces()
both = pytest.mark.parametrize(("sync", "asynchronous"), PAIRS.values(), ids=PAIRS)


def public(owner: Any) -> dict[str, Any]:
    return {
        name: getattr(owner, name)
        for name in dir(owner)
        if not name.startswith("_")
        and not isinstance(inspect.getattr_static(owner, name), property)
        and callable(getattr(owner, name))
    }


@both
def test_both_clients_have_the_same_methods(sync: object, asynchronous: object) -> None:
    assert public(sync).keys() == public(asynchronous).keys()
    assert public(sync)


@both
def test_methods_have_the_same_parameters_and_docstrings(sync: Any, asynchronous: Any) -> None:
    for name, function in public(sync).items():
        other = public(asynchronous)[name]
        assert inspect.getdoc(function), name
        if name not in ("transaction", "close", "changes"):
            assert inspect.getdoc(other) == inspect.getdoc(function), name
        ours, theirs = inspect.signature(function), inspect.signature(other)
        assert list(ours.parameters.values()) == list(theirs.parameters.values()), name


@both
def test_signatures_show_return_type(sync: Any, asynchronous: Any) -> None:
    for name, function in public(sync).items():
        result = str(inspect.signature(function).return_annotation)
        assert "Operation[" not in result, name
        assert "Workflow[" not in result, name
        defined = inspect.getattr_static(type(sync), name)
        if isinstance(defined, method):
            other = inspect.signature(public(asynchronous)[name]).return_annotation
            assert str(other) == f"Coroutine[Any, Any, {result}]", name
            assert inspect.iscoroutinefunction(public(asynchronous)[name]), name
        elif isinstance(defined, stream):
            other = inspect.signature(public(asynchronous)[name]).return_annotation
            assert str(other) == f"Async{result}", name


def test_help_shows_docstring_and_return_type() -> None:
    from pydoc import plaintext, render_doc  # pyright: ignore[reportAttributeAccessIssue]

    for db, returns in (
        (PAIRS["memories"][0], "int"),
        (
            PAIRS["memories"][1],
            "Coroutine[Any, Any, int]",
        ),
    ):
        text = render_doc(db.count, renderer=plaintext)
        assert f") -> {returns} method of" in text
        assert "Count memories" in text
        assert "Count memories" in render_doc(type(db))


def test_signatures_show_types_without_modules_and_type_variables() -> None:
    for sync, asynchronous in PAIRS.values():
        for owner in (sync, asynchronous):
            for name, function in public(owner).items():
                if isinstance(inspect.getattr_static(type(owner), name), method | stream):
                    shown = str(inspect.signature(function))
                    assert not re.search(r"\b[a-z_]+\.[A-Z]|\b(R|D|Reference)\b", shown), shown
    db = Client("host=h")
    for namespace, record in ((db.instructions, "Revision"), (db.configurations, "Snapshot")):
        returns = inspect.signature(namespace.history).return_annotation
        assert str(returns) == f"Records[{record}]"


def test_signatures_show_types_instead_of_aliases() -> None:
    db = Client("host=h")
    listing = inspect.signature(db.memories.list).parameters
    assert str(listing["since"].annotation) == "datetime | date | str | None"
    assert str(listing["order"].annotation).startswith("Literal['identifier', ")
    log = inspect.signature(db.frames.conversation_log).parameters
    assert str(log["identifier"].annotation) == "str | Sequence[str] | None"
    diff = inspect.signature(db.configurations.diff).parameters
    assert str(diff["a"].annotation) == "int | str | date | Snapshot | None"


def write_pyright_config(folder: Path) -> None:
    root = Path(__file__).parent.parent
    config = {
        "extraPaths": [str(root)],
        "pythonVersion": "3.13",
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(config))


@pytest.mark.slow
def test_pyright_infers_exact_types_for_both_clients(tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(SNIPPET)
    write_pyright_config(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "-p", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    messages = [each["message"] for each in json.loads(done.stdout)["generalDiagnostics"]]
    revealed = [message.partition(" is ")[2].strip('"') for message in messages]
    assert revealed == REVEALED


@pytest.mark.slow
def test_mypy_infers_exact_types_for_both_clients(tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(SNIPPET)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir=cache", "snippet.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    revealed = re.findall(r'Revealed type is "(?:def )?(.*)"', done.stdout)
    # mypy qualifies names, and leaves out values of defaults.
    short = [re.sub(r" =(?=[,)])", " = None", re.sub(r"(\w+\.)+", "", each)) for each in revealed]
    assert short == REVEALED


HOVERED = """from draive_pg import AsyncClient, Client

def use(db: Client, async_db: AsyncClient) -> None:
    db.memories.count()
    async_db.memories.count()
"""


@pytest.mark.slow
def test_editor_shows_signature_and_docstring_for_both_clients(tmp_path: Path) -> None:
    write_pyright_config(tmp_path)
    sync, asynchronous = hovers(tmp_path, HOVERED, [(3, 18), (4, 24)])
    for shown, returns in ((sync, "int"), (asynchronous, "Coroutine[Any, Any, int]")):
        assert "prefix: str | None = None" in shown
        assert f") -> {returns}\n" in shown
        assert "Count memories" in shown
