"""Popularity of lists against that of profiles, by taste group, by hand."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.popularity import UPD, DeltaGAP, _divergence, taste_groups

# phi = 12, 1, 1, 1: item 0 alone has 80 % (and 20 %) of the 15 interactions, the others are the tail.
PROFILES = {0: [1], 1: [0, 2], 2: [0, 3], 3: [0], 4: [0]}
TRAIN = [(user, item, 3) for user, items in PROFILES.items() for item in items] + [(n, 0, 3) for n in range(5, 13)]
TEST = [(user, 0 if user == 0 else 1, 4) for user in range(5)]
LISTS = [[0], [3], [1], [2], [1]]


def test_users_are_grouped_by_the_share_of_head_items_in_their_profile(make_evaluation):
    # Shares 0, 1/2, 1/2, 1, 1: a fifth of five is one user. Users 3 and 4 are equal: the table's order decides.
    evaluation = make_evaluation(TRAIN, TEST, lists=LISTS)
    assert taste_groups(evaluation).tolist() == [0, 1, 1, 1, 2]


def test_equal_head_shares_are_told_apart_by_the_mean_popularity_of_the_profile(make_evaluation):
    # Five profiles of head items alone: item 0 has phi 5 or more, item 1 phi 2.
    train = [(0, 0, 3), (1, 0, 3), (1, 1, 3), (2, 0, 3), (3, 1, 3), (4, 0, 3), (5, 0, 3)]
    evaluation = make_evaluation(train, [(user, 2, 4) for user in range(5)], lists=[[0]] * 5)
    assert evaluation.head.all()
    assert taste_groups(evaluation).tolist() == [1, 1, 1, 0, 2]


def test_users_without_profile_or_without_list_are_in_no_group(make_evaluation):
    evaluation = make_evaluation(TRAIN, [*TEST, (20, 0, 4)], lists=[[0], [], [1], [2], [1], [0]])
    assert taste_groups(evaluation).tolist() == [1, -1, 1, 1, 1, -1], "a fifth of four is nobody"


def test_delta_gap_is_the_relative_change_of_mean_popularity_in_each_group(make_evaluation):
    rows = apply_metric(DeltaGAP(k=2), make_evaluation(TRAIN, TEST, lists=LISTS)).rows
    # niche: 1 -> 12; diverse: (6.5 + 6.5 + 12) / 3 = 25/3 -> 1; blockbuster: 12 -> 1.
    assert list(rows) == ["niche", "diverse", "blockbuster"]
    assert [row["n"] for row in rows.values()] == [1, 3, 1]
    assert [row["GAP profile"].value for row in rows.values()] == pytest.approx([1, 25 / 3, 12])
    assert [row["GAP list"].value for row in rows.values()] == [12, 1, 1]
    assert [row["dGAP"].value for row in rows.values()] == pytest.approx([11, (1 - 25 / 3) / (25 / 3), -11 / 12])


def test_upd_is_the_mean_over_groups_of_the_mean_divergence(make_evaluation):
    # (head, mid, tail) of profile and list: user 0 (0,0,1) and (1,0,0), user 4 and 3 the reverse: one bit each.
    # Users 1 and 2: (1/2,0,1/2) and (0,0,1): H(1/4,3/4) - (1 + 0) / 2.
    half = (2 - 0.75 * np.log2(3)) - 0.5
    measured = apply_metric(UPD(k=2), make_evaluation(TRAIN, TEST, lists=LISTS))
    assert measured.n == 5
    assert measured.value == pytest.approx((1 + (half + half + 1) / 3 + 1) / 3)


def test_lists_like_the_profiles_have_no_deviation(make_evaluation):
    lists = [[2], [0, 1], [0, 1], [0], [0]]  # of each user's own classes
    train = [*TRAIN, (13, 0, 3)]
    assert apply_metric(UPD(k=2), make_evaluation(train, TEST, lists=lists)).value == 0


def test_items_are_classed_by_a_fifth_three_fifths_and_a_fifth_of_the_interactions(make_evaluation):
    train = [
        (user, item, 3) for item, item_popularity in enumerate([2, 2, 2, 2, 1, 1]) for user in range(item_popularity)
    ]
    evaluation = make_evaluation(train, [(5, 0, 4)], lists=[[0]])
    assert evaluation.most_popular(1).tolist() == [True, False, False, False, False, False]
    assert evaluation.tail.tolist() == [False] * 4 + [True] * 2


def test_the_divergence_is_scipys_distance_squared():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet([0.3] * 3, size=20), rng.dirichlet([1] * 3, size=20)
    p[0], q[0] = [1, 0, 0], [0, 0, 1]
    expected = [jensenshannon(one, other, base=2) ** 2 for one, other in zip(p, q, strict=True)]
    assert _divergence(p, q) == pytest.approx(expected)


def test_a_resample_without_users_of_a_group_averages_the_others(make_evaluation):
    measured = apply_metric(UPD(k=2), make_evaluation(TRAIN, TEST, lists=LISTS))
    only_niche = measured.finish(np.array([5, 0, 0, 0, 0])[np.newaxis] @ measured.sums)
    assert only_niche == pytest.approx([1])
    assert np.isnan(measured.finish(np.zeros((1, 6)))).all()


def test_without_any_list_there_is_no_value(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, lists=[[]] * 5)
    assert np.isnan(apply_metric(UPD(k=2), evaluation).value)
    rows = apply_metric(DeltaGAP(k=2), evaluation).rows.values()
    assert all(np.isnan(row["dGAP"].value) and row["n"] == 0 for row in rows)
