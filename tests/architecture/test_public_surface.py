"""Plugins and documentation use the facades alone, and the core knows no model, plugin or model library by name."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import cfbench

ROOT = Path(__file__).parents[2]
CORE = Path(cfbench.__file__).parent

FACADES = {
    "cfbench.model",
    "cfbench.data",
    "cfbench.data.splits",
    "cfbench.evaluation.metrics",
    "cfbench.execution",
    "cfbench.testing",
    "cfbench.testing.executors",
}

# The Python API, until one of its own exists: pages that may import private modules, with the modules.
PYTHON_API = {
    "docs/inspecting.md": {
        "cfbench.analysis.recommendation",
        "cfbench.analysis.finished_cell",
        "cfbench.analysis.gallery",
        "cfbench.analysis.view",
        "cfbench.data.sources.source",
        "cfbench.records.store",
        "cfbench.registry.registry",
    },
}


PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("plugins/*/README.md"))]
PROJECTS = {path.parent.name: tomllib.loads(path.read_text()) for path in ROOT.glob("plugins/*/pyproject.toml")}


def core_imports(source: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the modules of the core that a source imports, with the names that it takes from them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names if alias.name.split(".")[0] == "cfbench")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cfbench":
            yield node.module, tuple(alias.name for alias in node.names)


def private_imports(source: str) -> list[str]:
    """What a source imports from the core that no facade gives it."""
    found = []
    for module, names in core_imports(source):
        if module not in FACADES:
            found.append(module)
        else:
            public = import_module(module).__all__
            found += [f"{module}.{name}" for name in names if name not in public]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_documented_example_imports_facades_only(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    allowed = PYTHON_API.get(str(page.relative_to(ROOT)), set())
    assert [name for block in blocks for name in private_imports(block) if name not in allowed] == []


@pytest.mark.parametrize("page", PYTHON_API)
def test_an_exception_for_a_page_is_needed(page):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert {module for block in blocks for module, _ in core_imports(block)} >= PYTHON_API[page]


def sources(distribution: str) -> list[Path]:
    return sorted((ROOT / "plugins" / distribution / "src").rglob("*.py"))


@pytest.mark.parametrize("distribution", sorted(PROJECTS))
def test_a_plugin_imports_facades_only(distribution):
    private = {str(path.relative_to(ROOT)): private_imports(path.read_text()) for path in sources(distribution)}
    assert {path: names for path, names in private.items() if names} == {}


@pytest.mark.parametrize("distribution", sorted(PROJECTS))
def test_the_tests_of_a_plugin_import_the_conformance_checks_by_their_facade(distribution):
    for path in sorted((ROOT / "plugins" / distribution / "tests").rglob("*.py")):
        modules = {module for module, _ in core_imports(path.read_text()) if module.startswith("cfbench.testing")}
        assert modules <= FACADES, path.name


@pytest.mark.parametrize("facade", sorted(FACADES))
def test_a_facade_has_what_it_names(facade):
    module = import_module(facade)
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


LIBRARIES = {"torch", "surprise", "implicit", "myfm", "numba", "dask", "mlflow", "lightfm", "tensorflow", "jax"}

# Names of models that are ordinary words of the field, which the core may use in that meaning.
ORDINARY_WORDS = {"bias", "dot", "popular", "random"}

# Modules of the core that know libraries, each with those that it needs.
KNOWS_LIBRARIES = {
    "execution/sandbox.py": {"jax", "numba", "surprise", "torch"},  # variables of libraries that write to the home
    "execution/supervisor.py": {"numba"},  # variables that set the number of threads
    "doctor/confined_import.py": {"torch"},  # the accelerator check asks the library that uses the accelerator
    "doctor/import_probe.py": {"torch"},  # the accelerator check
    "doctor/checks.py": {"torch"},  # the accelerator check
    "registry/look_alikes.py": {  # distributions that others must not be taken for
        *("jax", "lightfm", "tensorflow"),
        *("dask", "implicit", "mlflow", "myfm", "numba", "surprise", "torch", "cfbench-baselines", "cfbench-dask"),
        *("cfbench-implicit", "cfbench-mlflow", "cfbench-myfm", "cfbench-numba", "cfbench-scipy", "cfbench-surprise"),
        "cfbench-torch",
    },
    "testing/rule.py": {"torch"},  # libraries that have a generator for the whole process
}


@cache
def known_names() -> set[str]:
    """Names of libraries, of plugin distributions with their packages, and of the models that they register."""
    names = LIBRARIES | PROJECTS.keys() | {name.replace("-", "_") for name in PROJECTS}
    for project in PROJECTS.values():
        names |= project["project"].get("entry-points", {}).get("cfbench.models", {}).keys()
    return names - ORDINARY_WORDS


def named_in(text: str) -> set[str]:
    """Names that stand in a text as whole words, whatever their case."""
    words = set(re.findall(r"[a-z0-9]+(?:[-_][a-z0-9]+)*", text.lower()))
    parts = {part for word in words for part in re.split(r"[-_]", word)}
    return {name for name in known_names() if name in words or name in parts}


def test_the_core_knows_no_model_plugin_or_library_by_name():
    found = {str(path.relative_to(CORE)): named_in(path.read_text()) for path in CORE.rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == KNOWS_LIBRARIES


def test_names_of_models_are_found_as_words():
    assert named_in("`-m dot-bias`, torch.seed(), NUMBA_CACHE_DIR") >= {"dot-bias", "torch", "numba"}
    assert named_in("implicitly surprised dotted") == set()
