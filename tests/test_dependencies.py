"""Dependencies: declared, with upper bounds for private APIs, and reported if missing."""

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def declared() -> dict[str, Requirement]:
    """Return all requirements by name, including those of extras."""
    extras = PROJECT["optional-dependencies"].values()
    requirements = [*PROJECT["dependencies"], *(each for extra in extras for each in extra)]
    return {
        Requirement(each).name.lower().replace("_", "-"): Requirement(each) for each in requirements
    }


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_every_imported_package_is_declared() -> None:
    imported: set[str] = set()
    for path in (REPOSITORY / "draive_pg").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    distributions = packages_distributions()
    needed = {
        min(each.lower().replace("_", "-") for each in distributions[name])
        for name in imported - sys.stdlib_module_names - {"draive_pg"}
        if name not in {"IPython", "ipykernel"}  # imported only if loaded already
    }
    assert needed <= declared().keys()


def test_dependency_with_private_api_in_use_has_upper_bound() -> None:
    operators = {each.operator for each in declared()["psycopg"].specifier}
    assert operators & {"<", "~="}


def test_draive_is_an_extra_without_upper_bound() -> None:
    required = {Requirement(each).name for each in PROJECT["dependencies"]}
    assert not required & {"draive", "haiway"}
    extra = {Requirement(each).name: each for each in PROJECT["optional-dependencies"]["draive"]}
    assert extra["draive"] == "draive[postgres]>=0.89.5"
    assert "<" not in extra["haiway"]  # each draive pins its own


WITHOUT_DRAIVE = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"draive", "haiway"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
import importlib.metadata as metadata
def version(name, found=metadata.version):
    if name in {"draive", "haiway"}:
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
"""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "db.memory('m').recall()",
            "recall or remember needs draive 0.87 to 0.92, which is not installed: "
            "pip install 'draive[postgres]~=0.89.5'",
        ),
        (
            "db.memory('m').remember(1)",
            "recall or remember needs draive 0.87 to 0.92, which is not installed: "
            "pip install 'draive[postgres]~=0.89.5'",
        ),
        (
            "db.instructions.available_instructions()",
            "a declaration of instructions needs draive 0.87 to 0.89, which is not installed: "
            "pip install 'draive[postgres]~=0.89.5'",
        ),
        (
            "db.configurations.load(type('Config', (), {}))",
            "a class of configurations needs draive 0.87 or newer, which is not installed: "
            "pip install 'draive_pg[draive]'",
        ),
        (
            "import draive_pg.adapters",
            "draive_pg.adapters needs draive 0.87 or newer, which is not installed: "
            "pip install 'draive_pg[draive]'",
        ),
    ],
)
def test_objects_of_draive_without_draive_are_one_line_error(
    dsn: str, call: str, message: str
) -> None:
    done = run(f"{WITHOUT_DRAIVE}\nfrom draive_pg import Client\ndb = Client({dsn!r})\n{call}")
    assert done.stderr.splitlines()[-1] == f"ImportError: {message}"


def test_error_for_missing_document_does_not_need_draive(dsn: str) -> None:
    done = run(
        f"""{WITHOUT_DRAIVE}
import pickle
from draive_pg import Client, DocumentMissing
with Client({dsn!r}) as db:
    for load in (db.instructions.load, db.instructions.revision, db.configurations.revision):
        try:
            load("nothing")
        except DocumentMissing as error:
            assert type(error) is DocumentMissing
            assert "'nothing'" in str(error)
            print(pickle.loads(pickle.dumps(error)))
"""
    )
    assert len(done.stdout.splitlines()) == 3, done.stderr


def test_draive_without_the_objects_is_named() -> None:
    done = run("import draive; del draive.ModelInput\nimport draive_pg.codec.draive_elements")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: recall or remember needs draive 0.87 to 0.92, found 0.89.")
    assert "cannot import name 'ModelInput'" in last


@pytest.mark.parametrize(
    ("broken", "needs"),
    [
        ("import psycopg.errors; del psycopg.errors._WaitTimeout", "_WaitTimeout"),
        (
            "import psycopg; del psycopg.BaseConnection._cancel_gen",
            "BaseConnection has no method _cancel_gen",
        ),
    ],
)
def test_incompatible_psycopg_is_rejected_on_import(broken: str, needs: str) -> None:
    done = run(f"{broken}; import draive_pg")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: draive_pg needs psycopg 3.3, found 3.")
    assert needs in last
    assert "pip install 'psycopg" in last


def test_incompatible_haiway_is_rejected_on_import_of_adapters() -> None:
    done = run(
        "from haiway.postgres import PostgresRow; PostgresRow.__slots__ = (); "
        "import draive_pg.adapters"
    )
    assert "ImportError: draive_pg.adapters needs haiway 0." in done.stderr.splitlines()[-1]


def test_command_line_without_typer_is_one_line_error() -> None:
    done = run(
        "import sys; sys.modules['typer'] = None; from draive_pg.__main__ import main; main()"
    )
    assert done.stderr == "draive-pg needs the package typer: pip install typer\n"
    assert done.returncode == 1


def test_frame_without_pandas_raises_module_not_found(dsn: str) -> None:
    done = run(
        f"import sys; sys.modules['pandas'] = None; from draive_pg import Client; "
        f"Client({dsn!r}).frames.sessions()"
    )
    *_, call, line = done.stderr.splitlines()
    assert len(done.stderr.splitlines()) <= 6, done.stderr
    assert line.startswith("ModuleNotFoundError: "), call
    assert "pandas" in line


@pytest.mark.slow
def test_package_can_be_imported_on_windows() -> None:
    done = run(
        """
import asyncio, logging, multiprocessing, os, select, socket, subprocess, sys, threading, typing
import psycopg, typer
del os.register_at_fork, select.poll
for name in ("fork", "geteuid", "getegid", "chown", "fchown"):
    delattr(os, name)
for name in ("fcntl", "pwd", "grp"):
    sys.modules[name] = None
sys.platform = "win32"
import draive_pg, draive_pg.embedded, draive_pg.adapters, draive_pg.cli
from draive_pg import Client, EmbeddedServerError
print(Client("host=db.example.com"))
try:
    Client().memories.identifiers()
except EmbeddedServerError as error:
    print(error)
"""
    )
    assert done.returncode == 0, done.stderr
    client, error = done.stdout.splitlines()
    assert client == "Client(host=db.example.com)"
    assert error == (
        "the embedded server runs on Linux and macOS only: set DRAIVE_PG_DSN to the address of a "
        "server"
    )
