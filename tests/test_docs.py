"""What the documents show works: the README's code and commands, the examples, the notebooks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from typer import Typer
from typer.testing import CliRunner

from draive_pg.cli import app
from tests.blocks import fences, sections
from tests.kernels import jupyter

REPOSITORY = Path(__file__).parent.parent
PATH = REPOSITORY / "README.md"
README = PATH.read_text(encoding="utf-8")


def run_python(*arguments: object, cwd: Path, dsn: str) -> str:
    """Run Python code that must not fail nor complain, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        cwd=cwd,
        env={
            **os.environ,
            "DRAIVE_PG_DSN": dsn,
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )
    assert (done.stderr, done.returncode) == ("", 0), done.stdout
    return done.stdout


# --- Examples


@pytest.mark.parametrize(
    ("example", "printed"),
    [
        ("quickstart.py", ["Welcome back, Ada!", "temperature", "On Sundays it opens at eight."]),
        ("async_service.py", ["21 °C. That was your question no. 2.", "{'city': 'Rome'}"]),
        ("import_logs.py", ["system: You help", "3 in stock, 39 EUR", "find_part"]),
        ("check_prompts.py", ["changed there: check_prompts.greeting", "no prompt differs"]),
        ("live_prompts.py", ["says: Good day, Ada.", "says: Hi Ada!", "It was told"]),
        ("release.py", ["Yo Bo!", "After rolling back: Hello Bo!", "to revision 1 by bo"]),
    ],
)
def test_an_example_runs_twice(
    empty_dsn: str, tmp_path: Path, example: str, printed: list[str]
) -> None:
    for _ in range(2):
        output = run_python(REPOSITORY / "examples" / example, cwd=tmp_path, dsn=empty_dsn)
        for text in printed:
            assert text.lower() in output.lower()


def test_every_example_is_tested() -> None:
    names = {path.name for path in (REPOSITORY / "examples").glob("*.py")}
    assert names == {
        *("quickstart.py", "async_service.py", "import_logs.py"),
        *("check_prompts.py", "live_prompts.py", "release.py"),
    }


# --- README

# Each section has a namespace and an event loop of its own, as a notebook would.
RUN_README = """
import asyncio, sys
from pathlib import Path
from tests.blocks import run_block, sections

for blocks in sections(Path(sys.argv[1]).read_text(encoding="utf-8")):
    with asyncio.Runner() as runner:
        namespace = {"__name__": "__main__"}
        for block in blocks:
            run_block(block, namespace, runner, source=sys.argv[1])
"""


def test_sections_are_told_apart() -> None:
    text = "```python\na\n```\n## B\n```sh\nno\n```\n```python\nb\n```\n```python\nc\n```\n## D\n"
    assert sections(text) == [["\na\n"], ["\n" * 8 + "b\n", "\n" * 11 + "c\n"], []]


def test_the_code_of_the_readme_runs(empty_dsn: str, tmp_path: Path) -> None:
    assert any(sections(README)) or not README
    run_python("-c", RUN_README, PATH, cwd=tmp_path, dsn=empty_dsn)


def commands(text: str, name: str) -> list[list[str]]:
    """Return the words after each call of a command, in blocks of code and in code spans."""
    code = [content for _, language, content in fences(text) if language != "python"]
    spans = re.sub(r"(?ms)^```.*?^```$", "", text)
    code += re.findall(r"`([^`\n]+)`", spans)
    pattern = rf"(?m)(?:^|[\s;&|$(]){re.escape(name)}((?: +[^\s#|;&)]+)*)"
    return [match[1].split() for each in code for match in re.finditer(pattern, each)]


def unknown(words: list[str], app: Typer) -> str:
    """Return what the command line does not know of a call, or nothing."""
    path: list[str] = []
    while True:
        shown = CliRunner().invoke(app, [*path, "--help"], prog_name="draive-pg")
        if shown.exit_code:
            return f"draive-pg {' '.join(path)}: {shown.output}"
        rest = words[len(path) :]
        if not rest or rest[0].startswith("-") or not re.search(r"(?m)^Commands:", shown.output):
            options = {word.partition("=")[0] for word in rest if word.startswith("--")}
            missing = {each for each in options if not re.search(rf"{each}\b", shown.output)}
            return f"draive-pg {' '.join(path)}: no {missing}" if missing else ""
        path.append(rest[0])


@pytest.mark.parametrize(
    "path", [PATH, *sorted((REPOSITORY / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_the_commands_of_a_document_exist(path: Path) -> None:
    for words in commands(path.read_text(encoding="utf-8"), "draive-pg"):
        assert unknown(words, app) == ""


def test_commands_that_do_not_exist_are_found() -> None:
    text = "`draive-pg import chat logs.jsonl`\n```sh\n$ draive-pg fly --high  # up\n```\n"
    calls = commands(text, "draive-pg")
    assert calls == [["fly", "--high"], ["import", "chat", "logs.jsonl"]]
    assert unknown(calls[0], app) != ""
    assert unknown(calls[1], app) == ""
    assert unknown(["setup", "--schema", "team_a"], app) == ""
    assert "--sky" in unknown(["setup", "--sky"], app)


def test_the_tasks_of_the_readme_exist() -> None:
    usage = subprocess.run(
        [REPOSITORY / "dev"], capture_output=True, check=False, text=True, timeout=60
    ).stderr
    for words in commands(README, "./dev"):
        assert f"./dev {words[0]}" in usage


# --- Notebooks


def test_the_notebooks_run(empty_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRAIVE_PG_DSN", empty_dsn)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    with jupyter():
        for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
            NotebookClient(
                notebook,
                kernel_name="python3",
                timeout=60,
                resources={"metadata": {"path": str(tmp_path)}},
            ).execute()
