"""The bootstrap over users: agreement with scipy, coverage, pairing."""

import numpy as np
import pytest
from scipy import stats

from cfbench.evaluation.statistics.bootstrap import (
    LEVEL,
    RESAMPLES,
    PerUser,
    percentile_interval,
    resampled,
)


def values_of(drawn):
    return [one.samples for one in drawn.values()]


def mean_of(values):
    values = np.asarray(values, dtype=np.float64)
    return PerUser(values, np.ones(len(values)))


def bootstrap_intervals(metrics, seed, resamples=RESAMPLES, level=LEVEL):
    samples = resampled(metrics, seed, resamples)
    return {name: percentile_interval(one.samples, level) for name, one in samples.items()}


def bootstrap_interval(per_user, seed, resamples=RESAMPLES, level=LEVEL):
    return bootstrap_intervals({"alone": per_user}, seed, resamples, level)["alone"]


def paired_interval(a, b, seed, resamples=RESAMPLES):
    of_a, of_b = values_of(resampled({0: a, 1: b}, seed, resamples))
    return percentile_interval(of_a - of_b)


def test_the_interval_of_a_mean_agrees_with_scipy():
    values = np.random.default_rng(0).gamma(2.0, size=300)
    ours = bootstrap_interval(mean_of(values), seed=1, resamples=20_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_the_interval_of_a_ratio_resamples_whole_users():
    # Two kinds of users, whose 1 or 9 rows are either all wrong or all right: rows are far from independent.
    rng = np.random.default_rng(0)
    rows = rng.choice([1.0, 9.0], size=400)
    wrong = rows * (rng.random(400) < 0.5)
    per_user = PerUser(wrong, rows)
    theirs = stats.bootstrap(
        (wrong, rows),
        lambda n, d, axis: n.sum(axis=axis) / d.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    ours = bootstrap_interval(per_user, seed=1, resamples=10_000)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    of_rows = 1.96 * np.sqrt(0.25 / rows.sum())
    assert ours.high - ours.low > 2 * of_rows * 1.2, "clustering makes it wider than independent rows would"


@pytest.mark.parametrize("rooted", [False, True])
def test_95_percent_intervals_cover_the_true_value_about_95_times_in_100(rooted):
    rng = np.random.default_rng(5)
    true = np.sqrt(2.0) if rooted else 2.0  # the mean of gamma(2) is 2
    covered = 0
    for trial in range(300):
        rows = rng.integers(1, 6, size=150).astype(np.float64)
        numerators = rows * rng.gamma(2.0, size=150)
        interval = bootstrap_interval(PerUser(numerators, rows, rooted), seed=trial, resamples=400)
        covered += interval.low <= true <= interval.high
    assert 0.90 <= covered / 300 <= 0.98


def test_rooted_metrics_have_the_root_of_the_interval():
    values = np.random.default_rng(0).random(50)
    plain = bootstrap_interval(PerUser(values, np.ones(50)), seed=1)
    rooted = bootstrap_interval(PerUser(values, np.ones(50), rooted=True), seed=1)
    assert rooted.low == pytest.approx(np.sqrt(plain.low), rel=1e-4)
    assert rooted.high == pytest.approx(np.sqrt(plain.high), rel=1e-4)


def test_the_value_lies_inside_and_a_higher_level_is_wider():
    per_user = mean_of(np.random.default_rng(0).random(100))
    narrow = bootstrap_interval(per_user, seed=1, level=0.5)
    wide = bootstrap_interval(per_user, seed=1, level=0.99)
    assert wide.low < narrow.low < per_user.value < narrow.high < wide.high


def test_equal_seeds_give_equal_intervals_and_others_do_not():
    per_user = mean_of(np.random.default_rng(0).random(40))
    assert bootstrap_interval(per_user, seed=1) == bootstrap_interval(per_user, seed=1)
    assert bootstrap_interval(per_user, seed=1) != bootstrap_interval(per_user, seed=2)


def test_an_interval_does_not_depend_on_the_metrics_beside_it():
    rng = np.random.default_rng(0)
    metrics = {name: mean_of(rng.random(60)) for name in ("a", "b", "c")}
    together = bootstrap_intervals(metrics, seed=4)
    assert list(together) == ["a", "b", "c"]
    for name, per_user in metrics.items():
        alone = bootstrap_interval(per_user, seed=4)
        assert (together[name].low, together[name].high) == pytest.approx((alone.low, alone.high))


def test_no_metrics_have_no_intervals():
    assert bootstrap_intervals({}, seed=0) == {}


@pytest.mark.parametrize("counted", [0, 1])
def test_fewer_than_two_users_say_nothing_about_spread(counted):
    denominators = np.zeros(5)
    denominators[:counted] = 1
    interval = bootstrap_interval(PerUser(denominators * 0.5, denominators), seed=0)
    assert np.isnan([interval.low, interval.high]).all()


def test_users_left_out_of_the_metric_do_not_pull_it_to_zero():
    values = np.random.default_rng(0).uniform(0.5, 1, size=200)
    counted = np.repeat([1.0, 0.0], 100)
    interval = bootstrap_interval(PerUser(values * counted, counted), seed=0)
    assert 0.65 < interval.low < interval.high < 0.85


def test_two_models_are_compared_on_the_same_users():
    # Users differ much, models little but always: only pairing can see it.
    rng = np.random.default_rng(0)
    users = rng.normal(scale=10, size=200)
    better = mean_of(users + 0.5 + rng.normal(scale=0.1, size=200))
    worse = mean_of(users)
    difference = paired_interval(better, worse, seed=0)
    assert 0.4 < difference.low < better.value - worse.value < difference.high < 0.6
    unpaired = bootstrap_interval(better, seed=0)
    assert unpaired.low < worse.value < unpaired.high


def test_a_model_does_not_differ_from_itself():
    per_user = mean_of(np.random.default_rng(0).random(30))
    difference = paired_interval(per_user, per_user, seed=0)
    assert (difference.low, difference.high) == (0, 0)


def test_differences_cover_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(6)
    covered = 0
    for trial in range(200):
        a, b = rng.gamma(2.0, size=(2, 120))
        difference = paired_interval(mean_of(a), mean_of(b), seed=trial, resamples=300)
        covered += difference.low <= 0 <= difference.high
    assert 0.89 <= covered / 200 <= 0.985


def test_metrics_of_other_users_cannot_be_paired():
    with pytest.raises(ValueError, match=r"same users, got \[2, 3\] users"):
        paired_interval(mean_of([1, 2]), mean_of([1, 2, 3]), seed=0)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_probability(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        bootstrap_interval(mean_of([1, 2]), seed=0, level=level)
