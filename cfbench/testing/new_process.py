"""Saved models, loaded where nothing of the process that saved them is left."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cfbench.model.ratings import Ratings
from cfbench.testing.model_under_test import answers_to


def require_the_same_in_a_new_process(model: Any, train: Ratings) -> None:
    """Save a fitted ``model``, load it in a new Python process and compare what both answer, to the bit.

    All pairs are predicted and all users' items scored, unknown codes included. The class must be importable by its
    name. It takes as long as starting Python and importing the model's libraries: once or twice for a distribution
    is enough, the conformance checks load every model in their own process.

    Raises AssertionError where the other process fails or answers otherwise.
    """
    users, items = (np.arange(n + 1, dtype=np.int32) for n in (train.n_users, train.n_items))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        model.save(folder / "model")
        np.savez(folder / "questions.npz", allow_pickle=False, users=users, items=items)
        cls = type(model)
        command = [sys.executable, "-m", "cfbench.testing.new_process", cls.__module__, cls.__name__, name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
        if done.returncode != 0:
            raise AssertionError(f"{cls.__name__} cannot be loaded and asked in a new process:\n{done.stderr}")
        with np.load(folder / "answers.npz", allow_pickle=False) as found:
            for method, answer in answers_to(model, users, items).items():
                if found[method].dtype != answer.dtype or not np.array_equal(found[method], answer, equal_nan=True):
                    raise AssertionError(f"{cls.__name__}.{method} answers otherwise when loaded in a new process")


def _answer(module: str, name: str, folder: Path) -> None:
    """Load the model that ``folder`` holds and write down what it answers."""
    with np.load(folder / "questions.npz", allow_pickle=False) as questions:
        users, items = questions["users"], questions["items"]
    model = getattr(import_module(module), name).load(folder / "model")
    np.savez(folder / "answers.npz", allow_pickle=False, **answers_to(model, users, items))


if __name__ == "__main__":
    _answer(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
