"""The arrays that metrics share, on data small enough to check by eye."""

import numpy as np
import pytest

from cfbench.errors import RunError

TRAIN = [(0, 0, 5), (0, 1, 3), (1, 0, 4), (2, 0, 2), (2, 2, 4)]
# Users 1 and 3 (3 is not in training), items 1 and 9 (9 is not in training).
TEST = [(3, 1, 5), (1, 1, 4), (1, 9, 5), (3, 0, 2), (1, 2, 3)]


def test_rows_of_a_user_share_a_cluster_whatever_their_order(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST)
    assert evaluation.test_user_positions.tolist() == [1, 3]
    assert evaluation.user_of_row.tolist() == [1, 0, 0, 1, 0]
    assert evaluation.rows_by_user.tolist() == [3, 2]


def test_two_users_outside_training_stay_two_although_they_share_a_code(make_evaluation):
    evaluation = make_evaluation([(0, 0, 5), (0, 1, 5)], [(7, 0, 4), (8, 0, 4)])
    assert evaluation.split.test.users.tolist() == [1, 1]
    assert evaluation.rows_by_user.tolist() == [1, 1]


def test_holes_get_the_training_mean_and_the_rest_is_clipped_once(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, predictions=[np.nan, 6, 0, 3, np.nan])
    assert evaluation.predicted.tolist() == [False, True, True, True, False]
    assert evaluation.filled.tolist() == pytest.approx([3.6, 5, 1, 3, 3.6])
    assert evaluation.off_scale.tolist() == [False, True, True, False, False]
    assert evaluation.errors.tolist() == pytest.approx([-1.4, 1, -4, 1, 0.6])
    assert np.isnan(evaluation.output.predictions).sum() == 2, "raw answers stay as they were"


def test_relevant_items_include_cold_ones_which_no_list_can_hit(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, lists=[[1, 2], [2]])
    assert evaluation.n_relevant.tolist() == [2, 1]
    assert evaluation.hits.tolist() == [[True, False], [False, False]]


def test_padding_is_no_hit_although_cold_relevant_items_have_its_code(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 9, 5)], lists=[[]])
    assert evaluation.split.test.items.tolist() == evaluation.lists[0, :1].tolist()
    assert not evaluation.hits.any()


def test_a_pair_rated_twice_is_one_relevant_item_and_one_training_user(make_evaluation):
    evaluation = make_evaluation([*TRAIN, (1, 0, 5)], [(1, 1, 4), (1, 1, 5)])
    assert evaluation.n_relevant.tolist() == [1]
    assert evaluation.item_popularity.tolist() == [3, 1, 1]


def test_the_head_is_the_smallest_set_with_80_percent_of_interactions(make_evaluation):
    # phi = 5, 3, 1, 1: the first two hold exactly 80 % of ten.
    train = [(user, 0, 3) for user in range(5)] + [(user, 1, 3) for user in range(3)] + [(0, 2, 3), (0, 3, 3)]
    evaluation = make_evaluation(train, [(4, 1, 4)])
    assert evaluation.head.tolist() == [True, True, False, False]
    assert evaluation.tail.tolist() == [False, False, True, True]


def test_head_and_order_of_equally_popular_items_do_not_depend_on_the_order_of_rows(make_evaluation):
    train = [(user, item, 3) for user in range(2) for item in range(5)]
    heads = []
    for rows in (train, train[::-1]):
        evaluation = make_evaluation(rows, [(2, 0, 4)])
        positions = evaluation.split.item_coding.positions
        heads.append(sorted(positions[evaluation.head].tolist()))
    assert heads == [[0, 1, 2, 3]] * 2


def test_profiles_hold_every_training_item_once_and_nothing_outside_training(make_evaluation):
    evaluation = make_evaluation([*TRAIN, (1, 0, 5)], TEST)
    assert evaluation.incidence.toarray().tolist() == [[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0]]
    assert evaluation.user_codes.tolist() == [1, 3]
    assert evaluation.profile_sizes.tolist() == [1, 0]
    assert evaluation.sum_over_profiles(np.array([7, 1, 2])).tolist() == [7, 0]
    assert evaluation.sum_over_profiles(np.array([[7, 1], [1, 1], [2, 1]])).tolist() == [[7, 1], [0, 0]]
    asked_users, asked_items = np.array([0, 0, 1]), np.array([0, 1, 0])
    assert evaluation.has_trained_on(asked_users, asked_items).tolist() == [True, False, False]


def test_exposures_leave_out_what_nobody_is_shown_and_what_comes_after_k(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, lists=[[2, 1], [2]])
    assert evaluation.exposures.toarray().tolist() == [[1, 1], [0, 1]]
    assert evaluation.of_first(1).exposures.toarray().tolist() == [[1], [1]]
    assert evaluation.of_first(1).exposures is evaluation.of_first(1).exposures


def test_the_most_popular_items_cover_a_share_in_whole_numbers(make_evaluation):
    # phi = 5, 3, 1, 1 of ten: 20, 40, 60, 80 and 100 % take 1, 1, 2, 2 and 4 items.
    train = [(user, 0, 3) for user in range(5)] + [(user, 1, 3) for user in range(3)] + [(0, 2, 3), (0, 3, 3)]
    evaluation = make_evaluation(train, [(4, 1, 4)])
    assert [evaluation.most_popular(fifths).sum() for fifths in (1, 2, 3, 4, 5)] == [1, 1, 2, 2, 4]


def test_asking_for_what_the_model_did_not_answer_says_so(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST)
    with pytest.raises(RunError, match="without predictions"):
        _ = evaluation.filled
    with pytest.raises(RunError, match="without lists"):
        _ = evaluation.hits
    with pytest.raises(RunError, match="catalogue's scores"):
        _ = evaluation.score_means
    with pytest.raises(RunError, match="embeddings"):
        _ = evaluation.item_factors
