"""What a plugin does when it is imported costs its own cells at most, and gives none of them notes of another."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HONEST = ("honestnoise", "bias", "popular")
STATUS = {
    "overwrites": {"ok"},
    "forges": {"ok", "crashed", "failed"},  # it may spoil its own pipe
    "claims": {"ok"},
    "tells": {"ok"},
    "tells_more": {"failed"},
    "hangs": {"timeout"},
    "hangs_loads": {"timeout", "ok", "crashed", "failed"},
    "patches": {"failed", "crashed", "timeout"},
    "hoards": {"out-of-memory"},
    "hides": {"out-of-memory"},
    "starts": {"ok"},
    "daemonises": {"ok"},
    "aborts": {"crashed"},
    "exits": {"crashed"},
    "shoots": {"failed"},
    "interrupts": {"failed"},
}
FEW = ("overwrites", "forges", "tells_more", "patches", "hides", "aborts")
NOTES = ("maps", "pipes", "opens", "seeks", "memfd")


@pytest.fixture
def install(environment):
    """Install the attack by imports under a name that chooses what it does; return the model's name."""

    def call(choice: str) -> str:
        model = f"imported-{choice.replace('_', '-')}"
        source = (Path(__file__).parent / "plugins" / "imports.py").read_bytes()
        files = {f"attack_imports_{choice}.py": source}
        environment.install(f"attack-{model}", files, models={model: f"attack_imports_{choice}:Imported"})
        return model

    return call


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is confined")
@pytest.mark.parametrize("choices", [FEW, pytest.param((*STATUS,), marks=pytest.mark.slow)], ids=["few", "all"])
def test_harmful_imports_cost_their_own_cells_and_change_nothing_of_their_neighbours(
    environment, install, run, alone, choices
):
    environment.install_attack("honest")
    honest = alone("-s", "holdout")
    attacks = {choice: install(choice) for choice in choices}
    models = [*list(attacks.values())[:4], *HONEST, *list(attacks.values())[4:]]
    beside = run(models, "--jobs", "4", "--timeout", "10s", "--memory-limit", "400MB")
    assert beside.code == 1, beside.said
    found = {choice: beside.status[model] for choice, model in attacks.items()}
    assert {choice: status for choice, status in found.items() if status not in STATUS[choice]} == {}
    assert beside.figures(HONEST) == honest.figures(HONEST) != {}
    own = {model: record["reason"] for (model, _), record in beside.records.items() if "forged" in str(record)}
    assert own.keys() == {attacks["tells_more"]}, "nobody believes it but of itself"
    assert "forged" not in beside.said.replace("could not be written: forged", "")
    stated = {record["provenance"]["protections"] for record in (*beside.records.values(), *honest.records.values())}
    assert len(stated) == 1
    warnings = [
        {cell: one["warnings"] for cell, one in ran.records.items() if cell[0] in HONEST} for ran in (honest, beside)
    ]
    assert warnings[0] == warnings[1]
    assert beside.left == []
    assert beside.temporary == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no cell is forked from the import")
def test_what_an_import_leaves_to_share_passes_no_notes_from_fold_to_fold(install, run):
    models = [install(choice) for choice in NOTES]
    ran = run(models, "-s", "kfold[k=2]")
    assert {model: record["reason"] for (model, _), record in ran.records.items() if record["status"] != "ok"} == {}
    assert ran.said.count("from now on its cells import it themselves") == len(NOTES)
