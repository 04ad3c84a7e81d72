"""The model in docs/plugins.md is what it teaches: it is executed as printed and held to the contract."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import cfbench.testing

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
NAME = "shrunk-item-mean"


def block(language: str, after: str) -> str:
    """The first block of code in ``language`` behind the text ``after``."""
    _, found, rest = PAGE.partition(after)
    assert found
    return re.search(rf"```{language}\n(.*?)```", rest, re.DOTALL).group(1)


def executed(source: str, name: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module  # where dataclasses look for the module of a class
    exec(compile(source, f"docs/plugins.md, {name}", "exec"), module.__dict__)
    return module


def documented_checks() -> list[cfbench.testing.Check]:
    model = executed(block("python", "## A model"), "my_recommenders").ShrunkItemMean
    with pytest.MonkeyPatch.context() as patch:  # the page's plugin is not installed here
        patch.setattr(
            cfbench.testing,
            "conformance_checks",
            lambda distribution, **options: cfbench.testing.checks_for(model, name=NAME, **options),
        )
        test = executed(block("python", "## The contract test"), "documented_contract_test")
    (mark,) = test.test_contract.pytestmark
    return mark.args[1]


@pytest.mark.parametrize("check", documented_checks(), ids=str)
def test_the_documented_model_passes_the_documented_contract_test(check):
    check()


def test_the_documented_model_refuses_nonsense():
    with pytest.raises(ValueError, match="damping=-1: expected"):
        sys.modules["my_recommenders"].ShrunkItemMean(damping=-1)


def test_the_documented_project_can_be_built_and_registers_the_documented_class():
    project = tomllib.loads(block("toml", "## A model"))
    assert project["build-system"]["build-backend"] == "hatchling.build"
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"] == ["my_recommenders.py"]
    assert project["project"]["entry-points"]["cfbench.models"] == {NAME: "my_recommenders:ShrunkItemMean"}
