"""What docs/plugins.md prints of metrics, splitters and preprocessors is what the stranger's distribution holds."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "plugins.md").read_text()
SOURCE = (HERE / "cfbench-example" / "cfbench_example.py").read_text()
PROJECT = tomllib.loads((HERE / "cfbench-example" / "pyproject.toml").read_text())
CLASSES = {"metric": "Within", "splitter": "EveryNth", "preprocessor": "WholeStars"}


def block(language: str, kind: str) -> str:
    section = PAGE.partition(f"\n## A {kind}\n")[2].partition("\n## ")[0]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL).group(1)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_printed_class_is_that_of_the_installed_plugin(kind):
    printed = block("python", kind)
    assert printed[printed.index("@dataclass") :] in SOURCE + "\n"


@pytest.mark.parametrize(("kind", "name"), CLASSES.items())
def test_the_printed_imports_are_all_that_the_class_needs(kind, name):
    module = ModuleType(f"documented_{kind}")
    sys.modules[module.__name__] = module  # where dataclasses look for the module of a class
    exec(compile(block("python", kind), f"docs/plugins.md, {kind}", "exec"), module.__dict__)
    assert getattr(module, name)() == getattr(module, name)()


@pytest.mark.parametrize("kind", CLASSES)
def test_the_printed_entry_point_is_that_of_the_installed_plugin(kind):
    (printed,) = tomllib.loads(block("toml", kind))["project"]["entry-points"].values()
    assert printed == PROJECT["project"]["entry-points"][f"cfbench.{kind}s"]
