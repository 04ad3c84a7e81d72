"""Popularity bias of predicted ratings and scores, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr, t

from cfbench.errors import RunError
from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.popularity import PopularityCorrelation
from cfbench.evaluation.metrics.strata import PopularityDeciles

# phi = 5, 3, 1, 1: items 0 and 1 hold 80 % of the ten interactions, items 2 and 3 are the tail.
TRAIN = [(user, 0, 3) for user in range(5)] + [(user, 1, 3) for user in range(3)] + [(0, 2, 3), (0, 3, 3)]
TEST = [(4, 1, 4), (5, 0, 4), (6, 0, 1)]


def test_deciles_are_tenths_of_the_catalogue_with_cold_items_apart(make_evaluation):
    # Item n has n + 1 training users, so the twenty items fill the deciles in pairs.
    train = [(user, item, 3) for item in range(20) for user in range(item + 1)]
    test = [(30, 0, 4), (30, 1, 2), (30, 19, 5), (30, 25, 1)]
    table = apply_metric(PopularityDeciles(), make_evaluation(train, test, [3, 3, 4, np.nan]))
    assert list(table.rows) == [*map(str, range(1, 11)), "cold"]
    assert [row["n"] for row in table.rows.values()] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert (table.rows["1"]["signed error"].value, table.rows["1"]["RMSE"].value) == (0, 1)
    assert table.rows["10"]["signed error"].value == -1
    assert table.rows["cold"]["signed error"].value == 2


def test_the_cut_of_the_tail_and_its_share_of_items_are_reported(make_evaluation):
    facts = apply_metric(PopularityDeciles(), make_evaluation(TRAIN, TEST, [3, 3, 3])).facts
    assert facts == {"tail cut": 3, "tail share": 0.5}


def test_deciles_of_equally_popular_items_do_not_depend_on_the_order_of_rows(make_evaluation):
    train = [(user, item, 3) for user in range(2) for item in range(20)]
    test = [(3, item, 4) for item in range(20)]
    predictions = np.linspace(1, 5, 20)
    there, back = (
        apply_metric(PopularityDeciles(), make_evaluation(rows, test, predictions)).rows
        for rows in (train, train[::-1])
    )
    for decile in map(str, range(1, 11)):
        assert there[decile]["n"] == back[decile]["n"] == 2
        assert there[decile]["RMSE"].value == back[decile]["RMSE"].value


def scored(make_evaluation, score_means, train=TRAIN):
    evaluation = make_evaluation(train, TEST)
    output = replace(evaluation.output, score_means=np.array(score_means, dtype=np.float32))
    return apply_metric(PopularityCorrelation(), replace(evaluation, output=output))


def test_the_correlation_is_of_ranks_with_ties_at_their_mean(make_evaluation):
    # Ranks of phi 4, 3, 1.5, 1.5 and of the scores 4, 3, 2, 1: 4.5 / sqrt(4.5 * 5) = sqrt(0.9).
    measured = scored(make_evaluation, [[0.9, 0.3, 0.2, 0.1]])
    assert measured.value == pytest.approx(np.sqrt(0.9))
    assert (measured.n, measured.interval) == (4, None), "one group says nothing about spread"


def test_the_interval_is_the_delete_a_group_jackknife(make_evaluation):
    # Without the first or the second group the means are 3.5, 3.5, 2, 1: ranks 3.5, 3.5, 2, 1 and
    # rho = 4 / sqrt(4.5 * 4.5) = 8/9; without the third, and with all, sqrt(0.9). g = 3 groups.
    measured = scored(make_evaluation, [[4, 3, 2, 1], [4, 3, 2, 1], [3, 4, 2, 1]])
    deviation = np.sqrt(2 / 3 * (2 * (8 / 9 - np.sqrt(0.9)) ** 2))
    low = np.sqrt(0.9) - t.ppf(0.975, 2) * deviation
    assert measured.value == pytest.approx(np.sqrt(0.9))
    assert measured.interval == pytest.approx((low, 1)), "cut at the largest correlation there is"


def test_items_without_a_score_are_left_out_and_missing_groups_do_not_count(make_evaluation):
    nan = np.nan
    measured = scored(make_evaluation, [[4, 3, 2, nan], [nan, 1, 2, nan], [4, nan, 2, nan]])
    # Means 4, 2, 2 against phi 5, 3, 1: ranks 3, 1.5, 1.5 against 3, 2, 1.
    assert measured.n == 3
    assert measured.value == pytest.approx(spearmanr([4, 2, 2], [5, 3, 1]).statistic)


@pytest.mark.parametrize("means", [[[1, 1, 1, 1], [1, 1, 1, 1]], [[np.nan] * 4] * 2, [[1, np.nan, np.nan, np.nan]] * 2])
def test_scores_that_do_not_vary_have_no_correlation(make_evaluation, means):
    measured = scored(make_evaluation, means)
    assert np.isnan(measured.value)
    assert measured.interval is None


def test_the_correlation_agrees_with_scipy(make_evaluation):
    rng = np.random.default_rng(1)
    train = [(user, item, 3) for item in range(30) for user in range(rng.integers(1, 9))]
    means = rng.integers(0, 10, size=(4, 30)) / 2
    item_popularity = np.bincount([item for _, item, _ in train])
    assert scored(make_evaluation, means, train).value == pytest.approx(
        spearmanr(means.mean(axis=0), item_popularity).statistic
    )


def test_asking_for_scores_that_are_not_there_says_so(make_evaluation):
    with pytest.raises(RunError, match="catalogue's scores"):
        apply_metric(PopularityCorrelation(), make_evaluation(TRAIN, TEST))
