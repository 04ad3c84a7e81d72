"""Cells, their tasks and a plan of them, without anything that could be run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cfbench.execution.contract import RunDescription, Task
from cfbench.records.cell import Cell
from cfbench.records.record import Figure, Record
from cfbench.resources.cost import Cost

_CELL = Cell("data", "holdout", "", "f" * 64, "dot", {}, "plugin", "1", "c", 0, 0, 10)


@pytest.fixture(scope="session")
def make_cell() -> Callable[..., Cell]:
    """Build a cell; parameters follow the model's name, so that two models are two cells."""
    return lambda model="dot", **other: replace(_CELL, model=model, params={"named": model}, **other)


@pytest.fixture(scope="session")
def make_task() -> Callable[[Cell], Task]:
    """Build the task of a cell."""
    return lambda cell: Task(cell.key, "plugin", cell.model, "m:M", {}, "q", "o", "l", 1, 10, "cpu", 1)


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """Build a record of a cell that took ``seconds``."""

    def build(cell: Cell, status: str = "ok", **seconds: float) -> Record:
        cost = Cost(dict(seconds), {part: wall / 2 for part, wall in seconds.items()}, peak_memory=2**20)
        return Record(cell, status, metrics={"RMSE": Figure(0.5), "undefined": Figure(None)}, cost=cost)

    return build


@pytest.fixture(scope="session")
def make_run() -> Callable[..., RunDescription]:
    """Describe a run of cells."""
    return lambda *cells: RunDescription("by-hand", {}, Path("runs/by-hand"), cells, "0.1")
