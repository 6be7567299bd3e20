"""Import rules: layers, cycles, and lazy imports of large packages."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "draive_pg"

# From the bottom up: a module imports at top level only from lower layers and its own package.
LAYERS = [
    {"errors", "uninterrupted_import"},
    {
        "codec",
        "atomic_file",
        "input_file",
        "dataframes",
        "embedded",
        "samples",
        "instruction_syntax",
        "template_syntax",
    },
    {"chat", "lines"},
    {"display"},
    {"models"},
    {"operations"},
    {"database"},
    {"frames", "analysis", "sync"},
    {"api", "adapters"},
    {"client"},
    {"draive_pg"},
    {"demo", "samples.month"},
    {"cli"},
    {"__main__"},
]

# The only modules that may import draive or haiway at run time.
DRAIVE = {
    *("codec.draive_configurations", "codec.draive_instructions", "codec.draive_elements"),
    "codec.draive_turns",
    *("adapters", "adapters.connection", "adapters.database", "adapters.folder"),
    *("adapters.agents", "adapters.class_configurations", "adapters.configurations"),
    *("adapters.conversations", "adapters.instructions", "adapters.memories", "adapters.pool"),
    *("adapters.settings", "adapters.templates"),
}

LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}


def named(path: Path) -> str:
    """Return the dotted name of a module, within the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def level(name: str) -> int | None:
    """Return the layer of a module or, if it is not listed, of its package."""
    return LEVELS.get(name, LEVELS.get(name.partition(".")[0]))


def imported(path: Path) -> set[str]:
    """Return the dotted names that a module imports, except for type checkers."""
    names: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        todo.extend(ast.iter_child_nodes(node))
    return names


def test_modules_import_only_lower_layers() -> None:
    for path in PACKAGE.rglob("*.py"):
        name = "draive_pg" if path.parent == PACKAGE and path.stem == "__init__" else named(path)
        own = level(name)
        assert own is not None or path.stem == "__init__", name
        for target in imported(path):
            package, _, below = target.partition(".")
            row = level(below) if package == "draive_pg" and below else None
            if row is None or own is None:
                continue
            beside = below.partition(".")[0] == name.partition(".")[0] and row == own
            assert row < own or beside, (name, target)


def test_there_are_no_import_cycles() -> None:
    modules = {f"draive_pg.{named(path)}": imported(path) for path in PACKAGE.rglob("*.py")}
    graph = TopologicalSorter(
        {
            # An import of a sibling module also names their package.
            name: {target for target in targets & {*modules} if not name.startswith(target)}
            for name, targets in modules.items()
        }
    )
    assert {*graph.static_order()} == {*modules}  # which raises CycleError


def test_only_listed_modules_import_draive() -> None:
    for path in PACKAGE.rglob("*.py"):
        tops = {target.split(".")[0] for target in imported(path)}
        assert named(path) in DRAIVE or not tops & {"draive", "haiway"}, path.name


def test_heavy_modules_are_imported_by_one_module() -> None:
    heavy = {"numpy", "pandas", "pyarrow"}
    names = {named(path) for path in PACKAGE.rglob("*.py") if imported(path) & heavy}
    assert names == {"dataframes"}


def test_importing_package_loads_nothing_large_that_few_calls_need() -> None:
    heavy = {"pandas", "numpy", "pyarrow", "draive", "haiway"}
    heavy |= {"draive_pg.sync", "draive_pg.chat.conversation", "draive_pg.operations.convert"}
    code = f"import draive_pg, sys; print(*sorted({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_public_names_are_sorted() -> None:
    import draive_pg

    assert list(draive_pg.__all__) == sorted(draive_pg.__all__)
    assert {"AsyncClient", "Client", "DraivePGError"} <= set(draive_pg.__all__)


WITHOUT_DRAIVE = r"""
import sys, tempfile
from pathlib import Path

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"draive", "haiway"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())

from draive_pg import Client

call = {"id": "c", "function": {"name": "find", "arguments": "{}"}}
messages = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "tool_calls": [call]},
    {"role": "tool", "tool_call_id": "c", "content": "found"},
]
with Client(sys.argv[1]) as db, tempfile.TemporaryDirectory() as folder:
    assert db.memories.import_chat("m", messages) == 3
    assert "Hello" in str(db.memory("m").show())
    assert [each.elements for each in db.memories.list()] == [3]
    assert len(db.memory("m").log()) == 3
    assert len(db.memory("m").fork("n").log()) == 3
    file = Path(folder, "m.jsonl")
    assert db.memories.export_memories(file).memories == 2
    assert db.memories.import_memories(file).unchanged == 2
    assert len(db.memories.search("hello")) == 2
    assert db.memories.erase("n", dry_run=False).memories == 1

    db.instructions.define("greeting", content="Hello {name}!")
    db.instructions.label("greeting", "production")
    assert db.instructions.resolve("greeting", arguments={"name": "Ada"}) == "Hello Ada!"
    assert db.instructions.pull(folder)
    declared = "+++\n[[arguments]]\nname = 'name'\nrequired = true\n+++\nHi {name}!\n"
    Path(folder, "greeting.md").write_text(declared)
    db.instructions.push(folder)
    assert db.instructions.revision("greeting").arguments == [
        {"name": "name", "description": None, "required": True}
    ]
    db.configurations.define("limits", {"tokens": 1})
    assert db.configurations.load_raw("limits") == {"tokens": 1}
    assert db.release(configurations={"limits": {"tokens": 2}}).configurations
print("done")
"""


def test_all_but_objects_of_draive_works_without_it(dsn: str) -> None:
    command = [sys.executable, "-c", WITHOUT_DRAIVE, dsn]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


# Internal types that methods return; the clients run them and return the result.
REQUESTS = {"Call", "Copy", "Operation", "Request", "Workflow"}


def annotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the names in the annotations of a function."""
    arguments = [*function.args.args[1:], *function.args.kwonlyargs]
    arguments += [each for each in (function.args.vararg, function.args.kwarg) if each]
    names: set[str] = set()
    todo = [each.annotation for each in arguments] + [function.returns]
    while todo:
        for node in ast.walk(todo.pop() or ast.Constant(value=None)):
            if isinstance(node, ast.Name):
                names.add(node.id)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                todo.append(ast.parse(node.value, mode="eval").body)
    return names


def test_types_in_public_signatures_are_exported() -> None:
    import draive_pg

    for path in (*(PACKAGE / "api").glob("[a-z]*.py"), PACKAGE / "client.py"):
        tree = ast.parse(path.read_text())
        own = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("draive_pg")
            for alias in node.names
        }
        for kind in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            for function in kind.body:
                if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                if not function.name.startswith("_"):
                    missing = (annotated(function) & own) - REQUESTS - {*draive_pg.__all__}
                    assert not missing, (path.name, function.name, missing)
    assert all(hasattr(draive_pg, name) for name in draive_pg.__all__)


INTERRUPTED = """
import signal, sys, tempfile, threading
from pathlib import Path

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name in pending:
            pending.remove(name)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

pending = {"numpy.lib", "pandas._libs.tslibs", "pyarrow._parquet"}
sys.meta_path.insert(0, Interrupter())

from draive_pg import Client

with Client(sys.argv[1]) as db, tempfile.TemporaryDirectory() as folder:
    for call in (
        lambda: db.memory("m").recall(),
        lambda: db.frames.sessions(),
        lambda: db.frames.export("sessions", Path(folder, "sessions.parquet")),
    ):
        try:
            call()
        except KeyboardInterrupt:
            call()
            print("interrupted")
print(*pending)
"""


def test_interrupted_import_does_not_break_later_calls(dsn: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, dsn]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("interrupted\n" * 3 + "\n", "")
