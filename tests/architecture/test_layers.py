"""Imports go down, model libraries stay out of the core, and starting the command line stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
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
MAKES_MAPS = {"embedding_statistics.py"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_its_own_room_or_lower_ones(path):
    height = RANK[room_of(path)]
    for name in imported(path):
        if name.startswith("cfbench."):
            target = name.split(".")[1]
            assert target == room_of(path) or RANK[target] < height, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_imports_no_model_library_and_no_plugin(path):
    for name in imported(path):
        top = name.split(".")[0]
        assert top not in MODEL_LIBRARIES or (top == "sklearn" and path.name in MAKES_MAPS)
        assert not top.startswith("cfbench_")


def modules_loaded_by(*arguments: str) -> set[str]:
    program = (
        "import sys, json\n"
        "from cfbench.cli import main\n"
        "try:\n"
        f"    main({list(arguments)!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_loads_no_model_library_and_no_data_library():
    loaded = modules_loaded_by("--help")
    assert not loaded & (MODEL_LIBRARIES | {"numpy", "pandas", "scipy", "pydantic"})


@pytest.mark.parametrize(
    "what", ["models", "datasets", "preprocessors", "splitters", "metrics", "executors", "trackers", "suites"]
)
def test_list_loads_no_model_library_and_no_plugin(what):
    loaded = modules_loaded_by("list", what)
    assert not loaded & (MODEL_LIBRARIES | {"pandas", "scipy"})
    assert not {name for name in loaded if name.startswith("cfbench_")}


def test_long_definitions_of_metrics_load_the_metrics_and_nothing_heavy():
    loaded = modules_loaded_by("list", "metrics", "--long")
    assert "numpy" in loaded
    assert not loaded & (MODEL_LIBRARIES | {"pandas", "scipy"})
