"""The sdist, the wheel, and the installed package."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import draive_pg

REPOSITORY = Path(__file__).parent.parent


def run(*command: object, **environment: str) -> str:
    """Run a command that must succeed, outside the repository, and return its output."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd="/",
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sdist of the repository, and the wheel built from that sdist."""
    top = tmp_path_factory.mktemp("built")
    ignored = (line.rstrip("/") for line in (REPOSITORY / ".gitignore").read_text().split())
    copy = shutil.copytree(
        REPOSITORY, top / "copy", ignore=shutil.ignore_patterns(".git", *ignored)
    )
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", top / "dist", copy)
    return top / "dist"


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which only the wheel is installed."""
    target = tmp_path_factory.mktemp("installed")
    # ./dev creates the environment with uv if it is available, and then without pip.
    pip = [sys.executable, "-m", "pip", "install"]
    uv = ["uv", "pip", "install", "--python", sys.executable]
    install = pip if importlib.util.find_spec("pip") else uv
    run(*install, "--no-index", "--no-deps", "--target", target, wheel)
    return target


def contents(wheel: Path) -> Mapping[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_contains_package_and_data(wheel: Path) -> None:
    files = contents(wheel)
    expected = {
        path.relative_to(REPOSITORY).as_posix(): path
        for path in (REPOSITORY / "draive_pg").rglob("*")
        if path.suffix in {".py", ".typed", ".jsonl"}
    }
    for path in (REPOSITORY / "schema").rglob("*.sql"):
        expected[f"draive_pg/{path.relative_to(REPOSITORY).as_posix()}"] = path
    assert {"draive_pg/py.typed", "draive_pg/schema/001_configurations.sql"} <= {*expected}
    assert any(name.startswith("draive_pg/samples/") for name in expected)
    for name, path in expected.items():
        assert files[name] == path.read_bytes(), name


def test_wheel_contains_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in contents(wheel)}
    assert tops == {"draive_pg", f"draive_pg-{draive_pg.__version__}.dist-info"}


def test_sdist_contains_development_files(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        modes = {
            member.name.partition("/")[2]: member.mode
            for member in archive.getmembers()
            if member.isfile()
        }
    for folder in ("draive_pg", "examples", "schema", "tests"):
        for file in (REPOSITORY / folder).rglob("*"):
            if file.suffix in {".py", ".sql"}:
                assert file.relative_to(REPOSITORY).as_posix() in modes
    assert {"LICENSE", "README.md", "dev", "pyproject.toml"} <= {*modes}
    assert modes["dev"] & 0o100


def test_installed_package_works_outside_repository(installed: Path, empty_dsn: str) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        import draive_pg
        from draive_pg import samples
        from draive_pg.lines.line import LINE_89
        from draive_pg.operations.admin.migrations import migrations_for

        place, dsn = sys.argv[1:]
        assert Path(draive_pg.__file__).is_relative_to(place)
        assert samples.support().is_relative_to(place)
        with draive_pg.Client(dsn) as db:
            assert db.setup() == tuple(migration.name for migration in migrations_for(LINE_89))
            db.memories.import_chat("chat", [{"role": "user", "content": "hi"}])
            print(len(db.memory("chat").log()))
    """
    run_there = {"PYTHONPATH": str(installed), "PYTHONWARNINGS": "error"}
    assert run(sys.executable, "-c", code, installed, empty_dsn, **run_there) == "1"


@pytest.mark.slow
def test_command_is_installed(installed: Path, dsn: str) -> None:
    command = installed / "bin" / "draive-pg"
    run_there = {"PYTHONPATH": str(installed), "PYTHONWARNINGS": "error"}
    assert run(command, "--version", **run_there) == f"draive-pg {draive_pg.__version__}"
    assert "up to date" in run(command, "setup", "--dsn", dsn, **run_there)


def test_version_is_consistent(wheel: Path) -> None:
    metadata = contents(wheel)[f"draive_pg-{draive_pg.__version__}.dist-info/METADATA"].decode()
    assert f"\nVersion: {draive_pg.__version__}\n" in metadata
    changelog = REPOSITORY / "CHANGELOG.md"
    text = changelog.read_text() if changelog.exists() else ""
    released = re.findall(r"^#+ \W*v?(\d+\.\d+[\w.]*)", text, re.MULTILINE)
    assert released[:1] in ([], [draive_pg.__version__])
