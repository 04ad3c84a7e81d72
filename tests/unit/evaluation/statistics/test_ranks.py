"""Ranks over data sets: hand-computed ranks and statistic, and the critical difference that Demšar (2006) published."""

import numpy as np
import pytest
from scipy import stats

from cfbench.evaluation.statistics.significance import cliques, rank_test

# Ranks by row, higher being better: 3 2 1 / 3 1 2 / 3 1.5 1.5 / 2 3 1.
VALUES = np.array([[0.1, 0.2, 0.3], [0.1, 0.3, 0.2], [0.1, 0.5, 0.5], [0.2, 0.1, 0.9]])


def test_mean_ranks_are_those_counted_by_hand_ties_shared():
    assert rank_test(VALUES, lower=False).mean_ranks == pytest.approx([11 / 4, 7.5 / 4, 5.5 / 4])


def test_friedmans_p_is_that_of_its_statistic_corrected_for_ties():
    # Rank sums 11, 7.5, 5.5: 12 / (4 x 3 x 4) x (121 + 56.25 + 30.25) - 3 x 4 x 4 = 3.875; one tie of two takes
    # away 1 - 6 / (4 x 24) of it, so that 3.875 / 0.9375 = 4.1333 with 2 degrees of freedom.
    assert rank_test(VALUES, lower=False).p == pytest.approx(stats.chi2.sf(4.13333, 2), abs=1e-5)


def test_the_critical_difference_of_four_models_on_fourteen_data_sets_is_the_published_one():
    # Demšar 2006, Statistical comparisons of classifiers over multiple data sets, section 3.2.2: 1.25.
    values = np.random.default_rng(0).random((14, 4))
    assert rank_test(values, lower=True).critical_difference == pytest.approx(1.25, abs=5e-3)


def test_lower_is_better_turns_the_ranks_around():
    assert rank_test(VALUES, lower=True).mean_ranks == pytest.approx(4 - rank_test(VALUES, lower=False).mean_ranks)


def test_models_that_tie_everywhere_are_alike():
    test = rank_test(np.ones((3, 3)), lower=True)
    assert test.p == 1.0
    assert test.mean_ranks.tolist() == [2, 2, 2]


@pytest.mark.parametrize("shape", [(2, 3), (3, 2)])
def test_too_few_data_sets_or_models_are_not_ranked(shape):
    with pytest.raises(ValueError, match="at least 3 data sets and 3 models"):
        rank_test(np.ones(shape), lower=True)


def test_groups_hold_all_models_within_the_critical_difference_and_none_inside_another():
    # Ranks 1, 1.8, 2.5, 4 and a critical difference of 1: {1, 1.8} and {1.8, 2.5}; 4 stands alone.
    assert cliques([2.5, 1.0, 4.0, 1.8], 1.0) == [(1, 3), (3, 0)]
    assert cliques([1.0, 2.0, 3.0], 5.0) == [(0, 1, 2)]
    assert cliques([1.0, 9.0], 2.0) == []
