"""The workflow in `examples/github`, step by step, in fresh clones with two databases."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from draive_pg import Client
from tests.git import clone, commit, git, repository

WORKFLOW = Path(__file__).parents[1] / "examples" / "github" / "prompts.yml"
CONFLICT = 4


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    return yaml.safe_load(WORKFLOW.read_text())


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = repository(tmp_path / "repo")
    write(path, prompts={"greeting.md": "Hello {name}!\n"}, configs={"limits.json": '{"n": 1}\n'})
    commit(path, "first")
    return path


@pytest.fixture
def run_job(workflow: dict[Any, Any], repo: Path, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run a job on a commit, and return its exit code and output."""

    def run(job: str, dsn: str = "", ref: str = "main") -> tuple[int, str]:
        values = {
            "secrets.DRAIVE_PG_DSN": dsn,
            "github.actor": "ada",
            "github.event.head_commit.message": git(repo, "log", "-1", "--format=%s", ref).strip(),
            "github.sha": git(repo, "rev-parse", ref).strip(),
        }
        steps = workflow["jobs"][job]["steps"]
        checkout = next(step for step in steps if "checkout" in step.get("uses", ""))
        depth = checkout.get("with", {}).get("fetch-depth", 1)
        number = len(list(tmp_path.glob("job-*")))
        work = clone(repo, tmp_path / f"job-{number}", depth=depth or None, branch=ref)
        environment = filled(workflow["jobs"][job].get("env", {}), values)
        output = ""
        for step in steps:
            command = step.get("run", "")
            if command and not command.startswith("pip install"):
                done = shell_step(command, work, environment)
                output += done.stdout + done.stderr
                if done.returncode:
                    return done.returncode, output
        return 0, output

    return run


def filled(environment: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a job with the values of its expressions."""
    return {
        name: values[text.removeprefix("${{").removesuffix("}}").strip()]
        for name, text in environment.items()
    }


def shell_step(
    command: str, work: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command],
        cwd=work,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(WORKFLOW.parents[2]),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def write(repo: Path, **folders: Mapping[str, str]) -> None:
    for folder, files in folders.items():
        (repo / folder).mkdir(exist_ok=True)
        for name, text in files.items():
            (repo / folder / name).write_text(text)


def test_workflow_has_the_events_and_jobs(workflow: dict[Any, Any]) -> None:
    # YAML 1.1 reads the key `on` as a boolean.
    assert set(workflow[True]) == {"pull_request", "push", "workflow_dispatch"}
    assert {job["if"] for job in workflow["jobs"].values()} == {
        "github.event_name == 'pull_request'",
        "github.event_name == 'push'",
        "github.event_name == 'workflow_dispatch'",
    }


@pytest.mark.slow
def test_pull_request_is_checked_without_a_database(
    repo: Path, run_job: Callable[..., tuple[int, str]]
) -> None:
    assert run_job("check")[0] == 0
    git(repo, "switch", "-q", "-c", "feature")
    write(repo, prompts={"greeting.md": "Hello {name\n"})
    commit(repo)
    code, output = run_job("check", ref="feature")
    assert code == 1
    assert "greeting.md" in output


@pytest.mark.slow
def test_merge_deploys_to_staging_and_a_person_to_production(
    repo: Path, run_job: Callable[..., tuple[int, str]], dsn: str, empty_dsn: str
) -> None:
    addresses = {"staging": dsn, "production": empty_dsn}
    uncached: dict[str, Any] = {"cache_limit": 0}
    with Client(dsn, **uncached) as staging, Client(empty_dsn, **uncached) as production:

        def job(name: str, ref: str = "main") -> int:
            code, output = run_job(name, addresses[name], ref)
            assert code in (0, CONFLICT), output
            return code

        def served(db: Client) -> tuple[str, object]:
            return db.instructions.load("greeting"), db.configurations.load_raw("limits")

        production.setup()
        assert job("staging") == job("production") == 0
        git(repo, "tag", "v1")
        first = served(production)
        assert first == ("Hello {name}!", {"n": 1})

        # A branch is merged: to staging only.
        git(repo, "switch", "-q", "-c", "feature")
        write(repo, prompts={"greeting.md": "Hi {name}!\n"}, configs={"limits.json": '{"n": 2}\n'})
        commit(repo, "friendlier")
        git(repo, "switch", "-q", "main")
        git(repo, "merge", "-q", "--no-ff", "--no-edit", "feature")
        assert job("staging") == 0
        assert (served(staging), served(production)) == (("Hi {name}!", {"n": 2}), first)
        revision = staging.instructions.revision("greeting")
        assert revision.author == "ada"
        assert (revision.message or "").startswith("Merge branch")
        assert job("production") == 0
        assert served(production) == ("Hi {name}!", {"n": 2})

        # Production goes back to a tag, and staging to a reverted commit.
        assert job("production", ref="v1") == 0
        git(repo, "revert", "--no-edit", "-m", "1", "HEAD")
        assert job("staging") == 0
        assert served(staging) == served(production) == first

        # Somebody changed the prompt in the database.
        staging.instructions.define("greeting", content="hotfix")
        write(repo, prompts={"greeting.md": "Welcome {name}!\n"})
        commit(repo, "welcome")
        assert job("staging") == CONFLICT
        assert staging.instructions.load("greeting") == "hotfix"
