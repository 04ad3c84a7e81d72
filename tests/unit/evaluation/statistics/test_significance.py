"""P-values and their correction: published and hand-computed cases, the right side, no false certainty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cfbench.evaluation.statistics.bootstrap import PerUser, resampled
from cfbench.evaluation.statistics.significance import bootstrap_p, holm, mean_ranks, wilcoxon_p


def values_of(drawn):
    return [one.samples for one in drawn.values()]


def test_holm_multiplies_the_smallest_by_all_and_never_goes_down_again():
    # Sorted: .005 x 4 = .020, .01 x 3 = .030, .03 x 2 = .060, .04 x 1 = .040, which may not fall below .060.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_what_is_no_test():
    corrected = holm([float("nan"), 0.02, 0.03])
    assert np.isnan(corrected[0])
    assert corrected[1:] == pytest.approx([0.04, 0.04])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_lies_between_no_correction_and_bonferroni(p_values):
    corrected = holm(p_values)
    for raw, one in zip(p_values, corrected, strict=True):
        assert raw <= one <= min(1.0, raw * len(p_values)) or one == pytest.approx(raw)
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [corrected[index] for index in order] == sorted(corrected)


def mean_of(values):
    return PerUser(np.asarray(values, dtype=np.float64), np.ones(len(values)))


def test_the_bootstrap_p_value_of_a_paired_difference_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    b = a + rng.normal(0.08, 1, size=400)
    of_a, of_b = values_of(resampled({0: mean_of(a), 1: mean_of(b)}, seed=1, resamples=4000))
    ours = bootstrap_p(b.mean() - a.mean(), of_b - of_a, 400)
    assert ours == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.02)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_difference_counts_on_either_side_of_zero(sign):
    samples = sign * np.random.default_rng(0).normal(3, 1, size=200_000)
    assert bootstrap_p(sign * 3.0, samples, 12) == pytest.approx(2 * stats.t.sf(3, 11), rel=0.05)


def test_no_difference_is_certain_to_be_none_and_few_samples_say_nothing():
    assert bootstrap_p(0.0, np.zeros(10), 5) == 1.0
    assert bootstrap_p(0.5, np.full(10, 0.5), 5) == 0.0
    assert np.isnan(bootstrap_p(0.5, np.array([np.nan, 0.5]), 5))
    assert np.isnan(bootstrap_p(0.5, np.ones(10), 1))


def test_wilcoxon_agrees_with_the_published_example_of_its_table():
    # Differences 1..8, the smallest negative: W = 1; exactly 2 of 256 sign patterns on either side are as extreme.
    differences = np.array([-1, 2, 3, 4, 5, 6, 7, 8.0])
    assert wilcoxon_p(differences, np.zeros(8)) == pytest.approx(4 / 256)


def test_wilcoxon_looks_only_at_users_whom_both_models_have_and_who_differ():
    first = np.array([1, np.nan, 3, 4, 5, 6, 7, 8, 9, 2])
    second = np.array([0, 5, 1, 1, 1, 1, 1, 1, 1, 2.0])
    assert wilcoxon_p(first, second) == wilcoxon_p(first[[0, *range(2, 9)]], second[[0, *range(2, 9)]])


def test_wilcoxon_of_equal_models_is_one_and_of_nobody_unknown():
    values = np.array([1.0, 2.0])
    assert wilcoxon_p(values, values) == 1.0
    assert np.isnan(wilcoxon_p(values, np.full(2, np.nan)))


@pytest.mark.parametrize("n", [1, 2, 9, 13, 14, 50, 51, 3000])
@pytest.mark.parametrize("ties", [False, True])
def test_wilcoxon_is_that_of_scipy_to_the_bit(n, ties):
    rng = np.random.default_rng(n)
    for shift in (0.0, 0.3, 3.0) if n < 13 else (0.3,):
        differences = rng.normal(shift, 2, n)
        differences = np.rint(differences) + (np.rint(differences) == 0) if ties else differences
        assert wilcoxon_p(differences, np.zeros(n)) == stats.wilcoxon(differences).pvalue


@given(st.lists(st.one_of(st.integers(-9, 9), st.floats(allow_nan=False))))
def test_ranks_are_those_of_scipy_to_the_bit(values):
    assert mean_ranks(np.array(values, dtype=np.float64)).tolist() == stats.rankdata(values).tolist()
