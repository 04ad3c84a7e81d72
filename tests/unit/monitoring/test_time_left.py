"""Forecasts rest on what the same model took, and say what they cannot know."""

from __future__ import annotations

import pytest

from cfbench.model.protocols import EpochReport
from cfbench.monitoring.timing import Forecast, RunningCell, TimeLeft


@pytest.fixture
def timed(make_cell) -> TimeLeft:
    """``dot`` took 10 s and 20 s on ``data`` and 60 s on ``more``; nothing is known of ``svd``."""
    left = TimeLeft()
    left.took(make_cell(), 10.0)
    left.took(make_cell(fold="2"), 20.0)
    left.took(make_cell(dataset="more"), 60.0)
    return left


def test_a_cell_is_expected_to_take_the_mean_of_its_model_on_the_same_data(timed, make_cell):
    assert timed.expected(make_cell(fold="3")) == 15.0
    assert timed.expected(make_cell(dataset="more", fold="3")) == 60.0


def test_on_other_data_it_is_expected_to_take_its_models_mean_anywhere(timed, make_cell):
    assert timed.expected(make_cell(dataset="other")) == 30.0


def test_a_model_that_was_not_timed_is_not_guessed_at(timed, make_cell):
    assert timed.expected(make_cell("svd")) is None
    assert timed.forecast([make_cell("svd"), make_cell(fold="3")], [], 0.0, 1) == Forecast(15.0, 1)


def test_cells_side_by_side_share_the_rest(timed, make_cell):
    to_come = [make_cell(fold=name) for name in "3456"]
    assert timed.forecast(to_come, [], 0.0, 1).seconds == 60.0
    assert timed.forecast(to_come, [], 0.0, 2).seconds == 30.0


def test_no_cell_ends_before_its_own_rest_is_done(timed, make_cell):
    to_come = [make_cell(fold="3"), make_cell(dataset="more", fold="3")]
    assert timed.forecast(to_come, [], 0.0, 4).seconds == 60.0


def test_of_a_running_cell_only_the_rest_counts_and_never_less_than_nothing(timed, make_cell):
    running = RunningCell(make_cell(fold="3"), began=100.0)
    assert timed.forecast([], [running], 104.0, 1).seconds == 11.0
    assert timed.forecast([], [running], 999.0, 1) == Forecast(0.0, 0)


def test_a_running_cells_own_epochs_know_better_than_other_cells(timed, make_cell):
    running = RunningCell(make_cell(fold="3"), began=100.0, phase="fit", fitting_since=102.0)
    assert running.rest_of_fit(110.0) is None
    running.report = EpochReport(2, 10)
    assert running.rest_of_fit(110.0) == 32.0  # 2 epochs took 8 s, 8 are to come
    assert timed.forecast([], [running], 110.0, 1).seconds == 32.0


def test_a_model_that_reports_more_epochs_than_it_planned_has_none_to_come(make_cell):
    running = RunningCell(make_cell(), began=0.0, phase="fit", fitting_since=0.0)
    running.report = EpochReport(12, 10)
    assert running.rest_of_fit(5.0) == 0.0


def test_nothing_to_come_takes_no_time(timed):
    assert timed.forecast([], [], 0.0, 1) == Forecast(0.0, 0)
