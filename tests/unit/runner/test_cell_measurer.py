"""Resampling in the background: what it draws, and how much may wait for it."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from cfbench.evaluation.statistics.bootstrap import PerUser
from cfbench.runner import plan_run
from cfbench.runner.plan_run import CellMeasurer

PEOPLE = np.arange(4, dtype=np.int32)
STUDY = SimpleNamespace(test_users=lambda _cell: PEOPLE, resampling_seed=lambda _cell: 0)


def sums():
    return {"RMSE": PerUser(np.array([1.0, 4.0, 0.0, 9.0]), np.ones(4), rooted=True)}


@pytest.fixture
def background():
    made = CellMeasurer(STUDY)
    yield made
    made.close()


def test_figures_of_single_users_come_with_the_resamples(background):
    background.resample("cell", PEOPLE, sums(), {"RMSE"})
    drawn = background.samples_of("cell")
    assert drawn.per_user["RMSE"].tolist() == [1, 2, 0, 3]
    assert len(drawn.draws["RMSE"].samples) == 1000


def test_sums_of_two_cells_at_most_wait_so_that_fast_models_do_not_fill_the_memory(background, monkeypatch):
    two_wait, may_go_on, added = threading.Event(), threading.Event(), []

    def slow(*_):
        assert may_go_on.wait(60)
        return {}

    def add_three():
        for cell in ("first", "second", "third"):
            background.resample(cell, PEOPLE, sums(), set())
            added.append(cell)
            if cell == "second":
                two_wait.set()

    monkeypatch.setattr(plan_run, "resampled", slow)
    adding = threading.Thread(target=add_three)
    adding.start()
    assert two_wait.wait(60)
    adding.join(0.2)  # the time in which a third would be there
    assert added == ["first", "second"]
    may_go_on.set()
    adding.join(60)
    assert added == ["first", "second", "third"]


def test_a_cell_that_cannot_be_drawn_makes_room_and_raises_where_it_is_asked_for(background, monkeypatch):
    def broken(*_):
        raise ValueError("no users")

    monkeypatch.setattr(plan_run, "resampled", broken)
    for cell in range(5):
        background.resample(cell, PEOPLE, sums(), set())
    with pytest.raises(ValueError, match="no users"):
        background.samples_of(3)
