"""How a cell's process hands its outcome over: arrays as ``.npy``, the rest as JSON, nothing that executes."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from cfbench.executors.task import Outcome, answers_in


def deliver(outcome: Outcome) -> None:
    """Leave the outcome in the task's output folder, for :mod:`cfbench.executors.collection`; the JSON comes last."""
    folder = answers_in(outcome.task)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = outcome.answers.arrays() if outcome.answers is not None else None
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
