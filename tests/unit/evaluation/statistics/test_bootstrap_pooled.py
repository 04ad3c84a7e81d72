"""Metrics of the whole system under resampling: same users as everybody else, spread without the bootstrap's bias."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from cfbench.evaluation.statistics.bootstrap import PerUser, Pooled, jackknife_deviation, percentile_interval, resampled


def values_of(drawn):
    return [one.samples for one in drawn.values()]


def share_of_columns(sums):
    return (sums > 0).mean(axis=1)


def test_a_pooled_ratio_has_the_interval_of_the_ratio():
    rng = np.random.default_rng(0)
    numerators, denominators = rng.random(200), rng.integers(1, 4, size=200).astype(np.float64)
    ratio = PerUser(numerators, denominators)
    pooled = Pooled(np.stack([numerators, denominators], axis=1), lambda sums: sums[:, 0] / sums[:, 1], n=200)
    assert pooled.value == pytest.approx(ratio.value)
    of_ratio, of_pooled = values_of(resampled({0: ratio, 1: pooled}, seed=3))
    # Drawn alike, then centred on the value, and stretched a little where the jackknife's spread is a little wider.
    assert np.corrcoef(of_ratio, of_pooled)[0, 1] == pytest.approx(1)
    assert of_pooled.mean() == pytest.approx(pooled.value)
    assert of_pooled.std() == pytest.approx(of_ratio.std(), rel=0.2)


def test_sparse_and_dense_sums_are_the_same():
    lists = np.random.default_rng(1).random((60, 40)) < 0.05
    dense = Pooled(lists.astype(np.float64), share_of_columns, n=40)
    sparse = Pooled(csr_array(lists.astype(np.float64)), share_of_columns, n=40)
    assert dense.value == sparse.value
    assert dense.n_users == sparse.n_users == int(lists.any(axis=1).sum())
    of_dense, of_sparse = values_of(resampled({0: dense, 1: sparse}, seed=3))
    assert of_dense.tolist() == of_sparse.tolist()


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_users_within_a_larger_table_keep_their_sums(form):
    pooled = Pooled(form(np.array([[1.0, 0.0], [2.0, 3.0]])), lambda sums: sums.sum(axis=1), n=2)
    expanded = pooled.expanded(np.array([1, 3]), 5)
    assert len(expanded) == 5
    rows = expanded.sums if form is np.asarray else expanded.sums.toarray()
    assert rows.tolist() == [[0, 0], [1, 0], [0, 0], [2, 3], [0, 0]]


def test_the_interval_of_coverage_holds_the_value_though_every_resample_covers_less():
    # 300 users with ten of 2,000 items each: two thirds of the users, as in a resample, cover clearly less.
    rng = np.random.default_rng(2)
    shown = np.zeros((300, 2000))
    for user in shown:
        user[rng.choice(2000, 10, replace=False)] = 1
    coverage = Pooled(shown, share_of_columns, n=2000)
    interval = percentile_interval(resampled({"coverage": coverage}, seed=0)["coverage"].samples)
    assert interval.low < coverage.value < interval.high
    raw = [share_of_columns(shown[rng.integers(0, 300, 300)].sum(axis=0, keepdims=True))[0] for _ in range(50)]
    assert max(raw) < interval.low


def test_intervals_of_coverage_hold_the_expected_coverage_of_as_many_users():
    # What is estimated is the coverage that 200 users of this population have on average.
    rng = np.random.default_rng(4)
    popularity = rng.pareto(1.0, size=300) + 0.1
    popularity /= popularity.sum()

    def drawn():
        lists = np.zeros((200, 300))
        for user in lists:
            user[rng.choice(300, 5, replace=False, p=popularity)] = 1
        return Pooled(lists, share_of_columns, n=300)

    truth = np.mean([drawn().value for _ in range(100)])
    held = 0
    for trial in range(60):
        interval = percentile_interval(resampled({"c": drawn()}, seed=trial, resamples=200)["c"].samples)
        held += interval.low <= truth <= interval.high
    assert held / 60 > 0.85


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).random(80)
    mean = Pooled(np.stack([values, np.ones(80)], axis=1), lambda sums: sums[:, 0] / sums[:, 1], n=80)
    assert jackknife_deviation(mean, seed=0) == pytest.approx(values.std(ddof=1) / np.sqrt(80))


def test_one_user_says_nothing_about_spread():
    alone = Pooled(np.ones((1, 2)), share_of_columns, n=2)
    assert np.isnan(values_of(resampled({0: alone}, seed=0))[0]).all()
