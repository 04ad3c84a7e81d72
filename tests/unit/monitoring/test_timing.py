"""Where the time of a run went."""

from __future__ import annotations

import json

import pytest

from cfbench.monitoring.timing import Spent, Timing
from cfbench.resources.cost import Clock


@pytest.fixture
def ticking(monkeypatch):
    """A clock that is set by hand."""
    now = [1000.0]
    monkeypatch.setattr("cfbench.monitoring.timing.time.monotonic", lambda: now[0])
    return now


def test_parts_of_cells_are_summed_and_measuring_counts_for_the_run_itself(make_cell, make_record):
    timing = Timing(Clock({"load": 3.0}, {"load": 2.0}))
    timing.cell_finished(make_record(make_cell("dot"), fit=4.0, rank=1.0, measure=0.5))
    timing.cell_finished(make_record(make_cell("svd"), "failed", fit=2.0))
    times = timing.times()
    assert times.cells == {"fit": Spent(6.0, 3.0), "rank": Spent(1.0, 0.5)}
    assert times.own == {"load": Spent(3.0, 2.0), "measure": Spent(0.5, 0.25)}
    assert (times.computed, times.kept) == (2, 0)


def test_a_kept_cell_counts_by_its_measuring_alone(make_cell, make_record):
    timing = Timing(Clock())
    timing.cell_kept(make_record(make_cell(), fit=400.0, measure=0.5))
    times = timing.times()
    assert times.cells == {}
    assert times.own == {"measure": Spent(0.5, 0.25)}
    assert (times.computed, times.kept) == (0, 1)
    assert times.models_share is None


def test_a_cell_waits_from_its_start_until_its_process_sets_to_work(ticking, make_cell, make_task):
    timing, task = Timing(Clock()), make_task(make_cell())
    timing.cell_started(task)
    timing.cell_phase(task, "waiting")
    ticking[0] += 2.0
    timing.cell_phase(task, "load")
    ticking[0] += 5.0
    timing.cell_phase(task, "fit")
    assert timing.times().cells == {"waiting": Spent(2.0, 0.0)}


def test_the_whole_includes_the_planning_before(ticking):
    timing = Timing(Clock({"load": 3.0, "split": 1.0}))
    ticking[0] += 6.0
    assert timing.times().wall == 10.0


def test_the_models_share_is_fitting_and_answering_of_all_that_cells_took(make_cell, make_record):
    timing = Timing(Clock())
    timing.cell_finished(
        make_record(make_cell(), **{"import": 2.0, "fit": 5.0, "add_cold_entities": 1.0, "predict": 1.0, "rank": 1.0})
    )
    assert timing.times().models_share == 0.7


def test_the_file_says_the_same(tmp_path, ticking, make_cell, make_record):
    timing = Timing(Clock({"load": 3.0}, {"load": 2.0}))
    timing.cell_finished(make_record(make_cell(), fit=4.0, measure=0.5))
    ticking[0] += 5.0
    path = timing.times().write(tmp_path)
    assert path == tmp_path / "timing.json"
    assert json.loads(path.read_text()) == {
        "wall": 8.0,
        "computed": 1,
        "kept": 0,
        "models_share": 1.0,
        "own": {"load": {"wall": 3.0, "cpu": 2.0}, "measure": {"wall": 0.5, "cpu": 0.25}},
        "cells": {"fit": {"wall": 4.0, "cpu": 2.0}},
    }
