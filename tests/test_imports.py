"""What imports what: layers point down, and a light import stays light."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "draive_pg"

# From the bottom up: a module imports, at its top, only from the rows below its own.
LAYERS = [
    {"errors"},
    {"documents", "operation"},
    {"cache", "elements", "templates", "replay", "chat_files", "samples", "embedded"},
    {"codec", "chat"},
    {"configurations", "instructions", "memory", "frames", "migrations"},
    {"dataframes"},
    {"failures", "target", "transactions"},
    {"live", "pipelining", "pooling"},
    {"database", "haiway_pool"},
    {"async_database"},
    {"namespaces", "adapters"},
    {"client"},
    {"draive_pg"},
    {"demo"},
    {"cli"},
    {"__main__"},
]

# The only modules that may name draive or haiway at run time.
DRAIVE = {"codec", "chat", "elements", "adapters", "haiway_pool"}


def modules() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = "draive_pg" if parts == ("__init__",) else parts[0]
        found.setdefault(name, []).append(path)
    return found


def imported(path: Path) -> set[str]:
    """Return the dotted names that a module imports, those for type checkers left out."""
    names: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        todo.extend(ast.iter_child_nodes(node))
    return names


def test_imports_point_down() -> None:
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    for name, paths in modules().items():
        for path in paths:
            for target in imported(path):
                parts = target.split(".")
                if parts[0] != "draive_pg" or len(parts) < 2 or parts[1] not in level:
                    continue
                assert parts[1] == name or level[parts[1]] < level[name], (path.name, target)


def test_draive_is_known_to_few_modules() -> None:
    for name, paths in modules().items():
        for path in paths:
            tops = {target.split(".")[0] for target in imported(path)}
            assert name in DRAIVE or not tops & {"draive", "haiway"}, path.name


def test_importing_the_package_loads_neither_pandas_nor_draive() -> None:
    heavy = {"pandas", "numpy", "draive", "haiway"}
    code = f"import draive_pg, sys; print(*sorted({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_public_names_are_pinned() -> None:
    import draive_pg

    assert list(draive_pg.__all__) == sorted(draive_pg.__all__)
    assert {"AsyncClient", "Client", "DraivePGError"} <= set(draive_pg.__all__)
