"""Inequality, coverage and entropy of exposure, by hand."""

import numpy as np
import pytest
from scipy.stats import entropy

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.exposure import Coverage, Entropy, Gini

TRAIN = [(user, 0, 3) for user in range(5)] + [(user, 1, 3) for user in range(3)] + [(0, 2, 3), (0, 3, 3)]
TEST = [(4, 1, 4), (5, 0, 4), (6, 0, 1)]
LISTS = [[1, 2], [0], []]


def test_gini_counts_items_that_nobody_is_shown(make_evaluation):
    # Exposures ascending 0, 1, 1, 1: (-3*0 - 1*1 + 1*1 + 3*1) / (4 * 3).
    measured = apply_metric(Gini(k=2), make_evaluation(TRAIN, TEST, lists=LISTS))
    assert (measured.value, measured.n) == (3 / 12, 4)


def test_gini_is_zero_for_equal_exposure_and_largest_for_one_item(make_evaluation):
    equal = make_evaluation(TRAIN, TEST[:2], lists=[[0, 1], [2, 3]])
    single = make_evaluation(TRAIN, TEST, lists=[[0], [0], [0]])
    assert apply_metric(Gini(k=2), equal).value == 0
    assert apply_metric(Gini(k=2), single).value == (4 - 1) / 4


def test_coverage_is_the_union_over_the_catalogue(make_evaluation):
    measured = apply_metric(Coverage(k=2), make_evaluation(TRAIN, TEST, lists=LISTS))
    assert (measured.value, measured.n) == (3 / 4, 4)


def test_entropy_is_in_bits_over_the_items_shown(make_evaluation):
    # Item 0 three times, item 1 once: -(3/4 log2 3/4 + 1/4 log2 1/4) = 2 - 3/4 log2 3.
    uneven = make_evaluation(TRAIN, TEST, lists=[[0, 1], [0], [0]])
    assert apply_metric(Entropy(k=2), uneven).value == pytest.approx(2 - 0.75 * np.log2(3))
    assert apply_metric(Entropy(k=2), make_evaluation(TRAIN, TEST, lists=LISTS)).value == pytest.approx(np.log2(3))


def test_entropy_of_equal_exposure_is_log2_of_the_items_and_of_one_item_zero(make_evaluation):
    equal = make_evaluation(TRAIN, TEST[:2], lists=[[0, 1], [2, 3]])
    single = make_evaluation(TRAIN, TEST, lists=[[0], [0], [0]])
    assert apply_metric(Entropy(k=2), equal).value == 2  # not 2 / 4: never divided by the number of items
    assert apply_metric(Entropy(k=2), single).value == 0


def test_entropy_agrees_with_scipy(make_evaluation):
    exposures = np.array([[5.0, 1, 0, 7], [1, 1, 1, 1]])
    evaluation = make_evaluation(TRAIN, TEST[:2], lists=[[0, 1], [2, 3]])
    ours = apply_metric(Entropy(k=2), evaluation).finish(exposures)
    assert ours == pytest.approx([entropy(row, base=2) for row in exposures])


@pytest.mark.parametrize(("metric", "value"), [(Gini(k=1), 2 / 4), (Coverage(k=1), 2 / 4), (Entropy(k=1), 1)])
def test_places_after_k_do_not_count(make_evaluation, metric, value):
    assert apply_metric(metric, make_evaluation(TRAIN, TEST, lists=LISTS)).value == value


def test_without_any_list_there_is_no_distribution_and_coverage_is_zero(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, lists=[[], [], []])
    assert all(np.isnan(apply_metric(metric(k=2), evaluation).value) for metric in (Gini, Entropy))
    assert apply_metric(Coverage(k=2), evaluation).value == 0


@pytest.mark.parametrize("metric", [Gini, Coverage, Entropy])
def test_resamples_are_measured_together_as_one_by_one_and_left_unchanged(make_evaluation, metric):
    measured = apply_metric(metric(k=2), make_evaluation(TRAIN, TEST, lists=LISTS))
    drawn = np.array([[3, 0, 0], [1, 1, 1], [0, 2, 1], [0, 0, 3]])  # how often each user was drawn
    sums = drawn @ measured.sums.toarray()
    kept = sums.copy()
    together = measured.finish(sums)
    assert (sums == kept).all()
    assert together == pytest.approx([measured.finish(row[np.newaxis])[0] for row in sums], nan_ok=True)
    assert together[1] == pytest.approx(measured.value)


@pytest.mark.parametrize("metric", [Gini, Entropy, Coverage])
def test_a_row_of_a_large_catalogue_has_the_same_bits_alone_and_among_others(make_evaluation, metric):
    train = [(0, item, 3) for item in range(9000)]  # more than numpy buffers at a time
    evaluation = make_evaluation(train, [(1, 0, 4)], lists=[list(range(9000))], k=9000)
    finish = apply_metric(metric(k=9000), evaluation).finish
    rows = np.random.default_rng(0).integers(0, 50, size=(3, 9000)).astype(float)
    assert finish(rows).tolist() == [finish(row[np.newaxis])[0] for row in rows]


def test_metrics_of_exposure_share_one_object_so_that_users_are_resampled_once(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, lists=LISTS)
    assert len({id(apply_metric(metric(k=2), evaluation).sums) for metric in (Gini, Coverage, Entropy)}) == 1


@pytest.mark.parametrize(("metric", "name"), [(Gini, "Gini"), (Coverage, "coverage"), (Entropy, "entropy")])
def test_names_carry_k(metric, name):
    assert metric(k=5).name == f"{name}@5"
