"""Writing of a cell's outcome in its own process: arrays as ``.npy``, the rest as JSON, nothing that executes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cfbench.errors import ModelError
from cfbench.execution.task import Outcome, answers_in
from cfbench.model.protocols import Saveable


def write_outcome(outcome: Outcome) -> None:
    """Write the outcome to the task's output folder; the JSON comes last."""
    folder = answers_in(outcome.task)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = outcome.output.arrays() if outcome.output is not None else None
    for name, array in (arrays or {}).items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    facts = {
        "status": outcome.status,
        "answers": None if arrays is None else list(arrays),
        "reason": outcome.reason,
        "cost": asdict(outcome.cost),
        "losses": [asdict(epoch) for epoch in outcome.losses],
        "versions": dict(outcome.versions),
    }
    (folder / "outcome.json").write_text(json.dumps(facts), encoding="utf-8")


def save_model(model: Saveable, folder: Path) -> int:
    """Let ``model`` save itself into ``folder``, which is made; return the bytes it wrote.

    Raises ModelError where saving fails, or leaves something else than plain files.
    """
    folder.mkdir()
    try:
        model.save(folder)
    except Exception as error:
        raise ModelError(f"{type(model).__name__}.save raised {type(error).__name__}: {error}") from error
    files = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    strange = next((path for path in files if path.is_symlink() or not path.is_file()), None)
    if strange is not None:
        raise ModelError(f"{type(model).__name__}.save wrote {strange.name}, which is no plain file")
    return sum(path.stat().st_size for path in files)
