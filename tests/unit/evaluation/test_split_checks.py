"""Splits that break their promise or test mostly the unknown are told."""

from __future__ import annotations

import numpy as np
import pytest

from cfbench.data.splits.split import Fold, Split
from cfbench.evaluation.sanity_checks import split_warnings

ROWS = [(0, 0, 3), (1, 1, 4), (0, 1, 5), (1, 0, 2)]


def split_at(make_dataset, times, n_train=2, n_given=None, rows=ROWS) -> Split:
    numbers = np.arange(len(rows), dtype=np.int64)
    return Split.of(make_dataset(rows, times), "temporal", Fold("", numbers[:n_train], numbers[n_train:], n_given))


def codes_of(split, in_time_order=False) -> list[str]:
    return [one.code for one in split_warnings(split, in_time_order)]


def test_training_that_is_strictly_older_keeps_the_promise(make_dataset):
    assert codes_of(split_at(make_dataset, [1, 2, 3, 4]), in_time_order=True) == []


@pytest.mark.parametrize("times", [[1, 9, 3, 4], [1, 3, 3, 4]])
def test_a_training_row_that_is_not_older_than_every_test_row_breaks_it(make_dataset, times):
    (caution,) = split_warnings(split_at(make_dataset, times), in_time_order=True)
    assert caution.code == "future-in-training"
    assert "1 of 2 training rows" in caution.text


def test_without_timestamps_the_promise_cannot_be_kept(make_dataset):
    assert codes_of(split_at(make_dataset, None), in_time_order=True) == ["future-in-training"]


def test_a_splitter_that_promises_nothing_is_not_held_to_it(make_dataset):
    assert codes_of(split_at(make_dataset, [4, 3, 2, 1])) == []


def test_a_test_of_mostly_unknown_users_or_items_is_told(make_dataset):
    rows = [(0, 0, 3), (5, 0, 4), (0, 6, 5), (6, 0, 1)]
    (caution,) = split_warnings(split_at(make_dataset, None, n_train=1, rows=rows), in_time_order=False)
    assert caution.code == "mostly-cold"
    assert "100%" in caution.text


def test_half_cold_is_not_most(make_dataset):
    assert codes_of(split_at(make_dataset, None, n_train=2, rows=[(0, 0, 3), (1, 1, 3), (0, 1, 4), (5, 0, 4)])) == []


def test_the_points_of_a_curve_are_cold_on_purpose(make_dataset):
    rows = [(0, 0, 3), (5, 0, 4), (0, 6, 5)]
    assert codes_of(split_at(make_dataset, None, n_train=1, rows=rows, n_given=0)) == []


def test_pairs_that_training_and_test_share_are_counted(make_dataset):
    rows = [(0, 0, 3), (1, 1, 4), (0, 0, 5), (1, 0, 2)]
    (caution,) = split_warnings(split_at(make_dataset, None, rows=rows), in_time_order=False)
    assert caution.code == "pair-in-both"
    assert "1 of 2 test rows" in caution.text


def test_unknown_codes_are_no_pairs_that_training_has(make_dataset):
    rows = [(0, 0, 3), (1, 1, 4), (2, 0, 5), (0, 2, 2)]
    assert "pair-in-both" not in codes_of(split_at(make_dataset, None, rows=rows))
