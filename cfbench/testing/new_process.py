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
from cfbench.testing.model_under_test import all_codes, outputs


def require_the_same_in_a_new_process(model: Any, train: Ratings) -> None:
    """Save a fitted ``model``, load it in a new Python process and compare the output of both, to the bit.

    All pairs are predicted and all users' items scored, unknown codes included. The class must be importable by its
    name. It takes as long as starting Python and importing the model's libraries: once or twice for a distribution
    is enough, the conformance checks load every model in their own process.

    Raises AssertionError where the other process fails or its output differs.
    """
    users, items = all_codes(train)
    cls = type(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        model.save(folder / "model")
        np.savez(folder / "queries.npz", allow_pickle=False, users=users, items=items)
        program = f"import sys; from {__name__} import query_saved; query_saved(*sys.argv[1:])"
        command = [sys.executable, "-c", program, cls.__module__, cls.__name__, name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
        if done.returncode != 0:
            raise AssertionError(f"{cls.__name__} cannot be loaded and queried in a new process:\n{done.stderr}")
        with np.load(folder / "outputs.npz", allow_pickle=False) as found:
            for method, output in outputs(model, users, items).items():
                if found[method].dtype != output.dtype or not np.array_equal(found[method], output, equal_nan=True):
                    raise AssertionError(f"{cls.__name__}.{method} gives another output in a new process")


def query_saved(module: str, class_name: str, folder: str) -> None:
    """Load the model that ``folder`` holds and write its output there; called in the new process."""
    with np.load(f"{folder}/queries.npz", allow_pickle=False) as queries:
        users, items = queries["users"], queries["items"]
    model = getattr(import_module(module), class_name).load(Path(folder) / "model")
    np.savez(f"{folder}/outputs.npz", allow_pickle=False, **outputs(model, users, items))
