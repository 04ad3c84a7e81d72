"""Imports go down, model libraries stay out of the core, and starting the command line stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cfbench

ROOT = Path(cfbench.__file__).parent

LAYERS = (
    ("errors",),
    ("spec", "files", "resources"),
    ("model",),
    ("data",),
    ("registry", "inference"),
    ("records",),
    ("evaluation",),
    ("execution",),
    ("experiment",),
    ("results",),
    ("reporting", "runner"),
    ("analysis", "monitoring", "testing"),
    ("doctor",),
    ("cli",),
    ("__init__", "__main__"),
)
RANK = {room: height for height, rooms in enumerate(LAYERS) for room in rooms}
MODEL_LIBRARIES = {
    "torch",
    "surprise",
    "implicit",
    "myfm",
    "numba",
    "sklearn",
    "mlflow",
    "tensorflow",
    "jax",
    "lightfm",
}
# A picture by t-SNE is no model; the library is an optional extra, imported when drawn.
MAKES_MAPS = {("sklearn", "embedding_statistics.py")}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


@pytest.fixture(scope="module")
def imports(nodes_of) -> list[tuple[Path, str]]:
    """All imports of the core: the module that imports, and what."""
    return [(path, name) for path in modules() for name in imported(path, nodes_of)]


def imported(path: Path, nodes_of: Callable[[Path], tuple[ast.AST, ...]]) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_a_module_imports_its_own_room_or_lower_ones(imports):
    below = [(path, name, name.split(".")[1]) for path, name in imports if name.startswith("cfbench.")]
    assert len(below) > len(modules())
    assert [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, name, target in below
        if target != room_of(path) and RANK[target] >= RANK[room_of(path)]
    ] == []


def test_the_core_imports_no_model_library_and_no_plugin(imports):
    found = [(path, name, name.split(".")[0]) for path, name in imports]
    assert [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, name, top in found
        if top.startswith("cfbench_") or (top in MODEL_LIBRARIES and (top, path.name) not in MAKES_MAPS)
    ] == []


def modules_loaded_by(*commands: str) -> set[str]:
    """What has been loaded when one process has carried out all the commands."""
    program = (
        "import sys, json\n"
        "from cfbench.cli import main\n"
        f"for command in {commands!r}:\n"
        "    try:\n"
        "        main(command.split())\n"
        "    except SystemExit as left:\n"
        "        assert left.code == 0\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_loads_no_model_library_and_no_data_library():
    loaded = modules_loaded_by("--help")
    assert not loaded & (MODEL_LIBRARIES | {"numpy", "pandas", "scipy", "pydantic"})


def test_list_loads_no_model_library_and_no_plugin():
    kinds = ("models", "datasets", "preprocessors", "splitters", "metrics", "executors", "trackers", "suites")
    loaded = modules_loaded_by(*(f"list {kind}" for kind in kinds))
    assert not loaded & (MODEL_LIBRARIES | {"pandas", "scipy"})
    assert not {name for name in loaded if name.startswith("cfbench_")}


def test_long_definitions_of_metrics_load_the_metrics_and_nothing_heavy():
    loaded = modules_loaded_by("list metrics --long")
    assert "numpy" in loaded
    assert not loaded & (MODEL_LIBRARIES | {"pandas", "scipy"})
