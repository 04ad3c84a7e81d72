"""A plugin's import acts in its cells before they are confined: it reads no other fold, and passes no notes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfbench.execution.sandbox import PROTECTIONS, protections

HONEST = ("honestnoise", "bias")
WAYS = (
    "inputs", "files", "sizes", "positions", "printed", "locks", "names", "options", "owners", "late", "readable",
    "signals",
)  # fmt: skip
FEW = ("files", "names", "options", "signals")
NOTICED = {"files", "sizes", "locks", "names", "late", "readable", "signals"}
"""Ways that are open, and cost the plugin the process from which its cells are forked."""

pytestmark = pytest.mark.skipif(
    set(protections(network=False)) != set(PROTECTIONS), reason="the kernel does not keep cells from all that is tried"
)


@pytest.fixture
def install(environment):
    """Install the attack under a name that chooses its way; return the model's name."""

    def call(way: str) -> str:
        source = (Path(__file__).parent / "plugins" / "afterfork.py").read_bytes()
        module, model = f"attack_afterfork_{way}", f"afterfork-{way}"
        environment.install(f"attack-{model}", {f"{module}.py": source}, models={model: f"{module}:AfterFork"})
        return model

    return call


@pytest.mark.parametrize("ways", [FEW, pytest.param(WAYS, marks=pytest.mark.slow)], ids=["few", "all"])
def test_cells_that_are_not_confined_find_nothing_of_other_folds(environment, install, run, alone, ways):
    environment.install_attack("honest")
    models = [install(way) for way in ways]
    ran = run([*models, *HONEST], "-s", "kfold[k=3]")
    failed = {cell: record["reason"] for cell, record in ran.records.items() if record["status"] != "ok"}
    told = {way for way in ways if f"attack_afterfork_{way}:AfterFork" in ran.said}
    assert told == NOTICED & {*ways}, ran.said
    assert failed == {}
    assert ran.code == 0, ran.said
    assert ran.figures(HONEST) == alone("-s", "kfold[k=3]").figures(HONEST) != {}
    assert ran.left == []
    assert ran.temporary == []
