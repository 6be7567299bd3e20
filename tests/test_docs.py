"""Documentation: code, commands, examples, notebooks, and the built site."""

import html
import os
import re
import subprocess
import zlib
from functools import cache
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

import draive_pg
from draive_pg import Client
from draive_pg.cli import app
from tests.cli_runner import STRICT_PYTHON
from tests.frame_columns import COLUMNS
from tests.markdown_blocks import fences, python_blocks

REPOSITORY = Path(__file__).parent.parent
DOCUMENTS = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
WORKFLOW = REPOSITORY / ".github" / "workflows" / "ci.yml"


def run_python(*arguments: object, cwd: Path, dsn: str) -> str:
    """Run Python code that must succeed without warnings, and return its output."""
    done = subprocess.run(
        [*STRICT_PYTHON, *map(str, arguments)],
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "printed"),
    [
        ("quickstart.py", ["Welcome back, Ada!", "temperature", "On Sundays it opens at eight."]),
        ("async_service.py", ["21 °C. That was your question no. 2.", "{'city': 'Rome'}"]),
        ("import_logs.py", ["system: You help", "3 in stock, 39 EUR", "find_part"]),
        ("check_prompts.py", ["changed in database: check_prompts.greeting", "no prompt differs"]),
        ("live_prompts.py", ["says: Good day, Ada.", "says: Hi Ada!", "It was told"]),
        ("release.py", ["Yo Bo!", "After rolling back: Hello Bo!", "by bo: People did not like"]),
    ],
)
def test_example_runs_twice(
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
        *("openai_agents_session.py", "langchain_history.py", "pydantic_ai_history.py"),
    }


# --- Code and commands of the documents

# Each document runs with an empty schema, a new namespace and a new event loop.
RUN_DOCUMENTS = """
import asyncio, os, sys
from pathlib import Path
import psycopg
from tests.markdown_blocks import python_blocks, run_block

for path in sys.argv[1:]:
    with psycopg.connect(os.environ["DRAIVE_PG_DSN"], autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    namespace = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for block in python_blocks(Path(path).read_text(encoding="utf-8")):
            run_block(block, namespace, runner, source=path)
    if "db" in namespace:
        namespace["db"].close()
"""


def test_python_blocks_keep_their_line_numbers() -> None:
    text = "```python\na\n```\n## B\n```sh\nno\n```\n```python\nb\n```\n"
    assert python_blocks(text) == ["\na\n", "\n" * 8 + "b\n"]


@pytest.mark.slow
def test_documented_code_runs(empty_dsn: str, tmp_path: Path) -> None:
    paths = [path for path in DOCUMENTS if python_blocks(path.read_text(encoding="utf-8"))]
    assert REPOSITORY / "README.md" in paths
    run_python("-c", RUN_DOCUMENTS, *paths, cwd=tmp_path, dsn=empty_dsn)


def commands(text: str, name: str) -> list[list[str]]:
    """Return the words after each call of a command, in blocks of code and in code spans."""
    code = [content for _, language, content in fences(text) if language != "python"]
    spans = re.sub(r"(?ms)^```.*?^```$", "", text)
    code += re.findall(r"`([^`\n]+)`", spans)
    pattern = rf"(?m)(?:^|[\s;&|$(]){re.escape(name)}((?: +[^\s#|;&)]+)*)"
    return [match[1].split() for each in code for match in re.finditer(pattern, each)]


@cache
def shown_help(*path: str) -> Result:
    return CliRunner().invoke(app, [*path, "--help"], prog_name="draive-pg")


def unknown(words: list[str]) -> str:
    """Return the unknown command or options of a call, or an empty string."""
    path: list[str] = []
    while True:
        shown = shown_help(*path)
        if shown.exit_code:
            return f"draive-pg {' '.join(path)}: {shown.output}"
        rest = words[len(path) :]
        if not rest or rest[0].startswith("-") or not re.search(r"(?m)^Commands:", shown.output):
            options = {word.partition("=")[0] for word in rest if word.startswith("--")}
            missing = {each for each in options if not re.search(rf"{each}\b", shown.output)}
            return f"draive-pg {' '.join(path)}: no {missing}" if missing else ""
        path.append(rest[0])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documented_commands_exist(path: Path) -> None:
    for words in commands(path.read_text(encoding="utf-8"), "draive-pg"):
        assert unknown(words) == ""


def test_unknown_commands_are_detected() -> None:
    text = "`draive-pg import chats logs.jsonl`\n```sh\n$ draive-pg fly --high  # up\n```\n"
    calls = commands(text, "draive-pg")
    assert calls == [["fly", "--high"], ["import", "chats", "logs.jsonl"]]
    assert unknown(calls[0]) != ""
    assert unknown(calls[1]) == ""
    assert unknown(["setup", "--schema", "team_a"]) == ""
    assert "--sky" in unknown(["setup", "--sky"])


@cache
def tasks() -> set[str]:
    """Return the tasks of ``./dev``."""
    usage = subprocess.run(
        [REPOSITORY / "dev"], capture_output=True, check=False, text=True, timeout=60
    ).stderr
    return set(re.findall(r"(?m)\./dev (\w+)", usage))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documented_tasks_exist(path: Path) -> None:
    used = {words[0] for words in commands(path.read_text(encoding="utf-8"), "./dev") if words}
    assert used <= tasks()


def test_readme_figures_match_performance_document() -> None:
    measured = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    figures = re.findall(r"(?m)^\|[^|]+\| ([^|]+) \| ([^|]+) \| ([\d.]+x) \|$", README)
    assert figures
    for rival, ours, factor in figures:
        assert f": {rival} | {ours} | {factor} [" in measured


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documented_methods_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8").partition("\n## 0.1.0")[0]  # of the changelog
    db = Client("host=nowhere")
    for subject in ("analysis", "configurations", "frames", "instructions", "memories"):
        for method in re.findall(rf"\bdb\.{subject}\.(\w+)", text):
            assert hasattr(getattr(db, subject), method), f"db.{subject}.{method}"
    for method in re.findall(r"\bdb\.memory\([^()]*\)\.(\w+)", text):
        assert hasattr(db.memory("m"), method), f"db.memory(…).{method}"


def test_files_named_in_architecture_exist() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = re.findall(r"`([\w/.*-]+(?:/|\.py|\.sql|\.toml))`", text)
    assert len(names) > 30
    for name in names:
        found = [*REPOSITORY.glob(name), *(REPOSITORY / "draive_pg").glob(name)]
        assert found, name


# --- The site


@pytest.mark.slow
def test_site_is_complete(tmp_path: Path) -> None:
    subprocess.run(
        [REPOSITORY / "dev", "docs", "--site-dir", tmp_path / "site"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        timeout=300,
    )
    site = tmp_path / "site"
    # Every public name is in the reference, by the name that users import it by.
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    names = {line.split(" ", 1)[0] for line in inventory.splitlines()}
    assert {f"draive_pg.{name}" for name in draive_pg.__all__} <= names
    # Methods show the type of their result and their docstring.
    page = text_of(site / "reference" / "memories" / "index.html")
    assert "meta: Mapping[str, Any] | None = None, ) -> int " in page
    assert "await with AsyncClient" in page
    for request in ("Operation[", "Workflow[", "Copy[", "Request["):
        assert request not in page
    # Every command has a section, and every frame has its columns and dtypes.
    page = text_of(site / "reference" / "cli" / "index.html")
    assert "draive-pg prompts push" in page
    page = text_of(site / "reference" / "columns" / "index.html")
    for frame, columns in COLUMNS.items():
        rows = " ".join(f"{name} {dtype}" for name, dtype in columns.items())
        assert f"{frame}¶ column dtype {rows}" in page


def text_of(path: Path) -> str:
    """Return the text of an HTML page, its words separated by one space."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", path.read_text("utf-8"))).split())


# --- Continuous integration


def test_workflow_runs_existing_tasks() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert {run.split()[1] for run in runs} == {"lint", "docs", "test", "newest"}
    assert {run.split()[1] for run in runs} <= tasks()
    linux = jobs["linux"]["strategy"]["matrix"]["include"]
    assert {row["python"] for row in linux} == {"3.13", "3.14"}
    assert {row["postgres"] for row in linux} == {"15", "16", "17", "18"}


def test_pre_commit_hooks_run_existing_modules() -> None:
    text = (REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    (repository,) = yaml.safe_load(text)["repos"]
    for hook in repository["hooks"]:
        python, flag, module, *arguments = hook["entry"].split()
        assert (python, flag) == (".venv/bin/python", "-m")
        assert module in {"ruff", "pyright", "pytest"}
        assert all((REPOSITORY / each).exists() for each in arguments if each.startswith("tests/"))
