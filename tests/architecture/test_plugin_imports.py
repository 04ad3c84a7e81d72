"""Model plugins import the facade ``cfbench.model`` of the core alone, so that its rooms can change inside."""

from __future__ import annotations

import ast
from pathlib import Path

PLUGINS = Path(__file__).parents[2] / "plugins"
MODEL_PLUGINS = ("baselines", "implicit", "myfm", "numba", "scipy", "surprise", "torch")
BESIDE_MODELS = {"kfold.py": {"cfbench.data.splits"}}  # a splitter


def modules() -> list[Path]:
    return [path for name in MODEL_PLUGINS for path in sorted((PLUGINS / f"cfbench-{name}" / "src").rglob("*.py"))]


def test_every_model_plugin_is_looked_at():
    assert {path.relative_to(PLUGINS).parts[0] for path in modules()} == {f"cfbench-{name}" for name in MODEL_PLUGINS}


def test_a_model_plugin_imports_the_facade_alone(nodes_of):
    found = {}
    for path in modules():
        nodes = nodes_of(path)
        names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        of_core = {name for name in names if name.split(".")[0] == "cfbench"}
        found[str(path.relative_to(PLUGINS))] = of_core - {"cfbench.model"} - BESIDE_MODELS.get(path.name, set())
    assert {path: names for path, names in found.items() if names} == {}
