"""What looks wrong about answers is said, and honest answers are left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from cfbench.evaluation.measure import measure
from cfbench.evaluation.metrics.accuracy import MAE, RMSE
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.ranking import NDCG
from cfbench.evaluation.metrics.strata import ColdUserStrata
from cfbench.evaluation.sanity_checks import answer_warnings
from cfbench.inference.output import ModelOutput


def codes_of(evaluation, metrics=()) -> list[str]:
    return [one.code for one in warnings_of(evaluation, metrics)]


def warnings_of(evaluation, metrics=()):
    """Leave out that answers made from the truth are too good to be true: that has tests of its own."""
    found = answer_warnings(evaluation, measure(evaluation, metrics).n_users(metrics))
    return [one for one in found if one.code != "too-good"]


@pytest.fixture
def world(make_split):
    """40 users who rate 12 of 20 items each; the last three of each are the test."""
    rng = np.random.default_rng(0)
    rows = [[(user, int(item), float(rng.integers(1, 6))) for item in rng.permutation(20)[:12]] for user in range(40)]
    return make_split(
        [row for of_user in rows for row in of_user[:9]], [row for of_user in rows for row in of_user[9:]]
    )


def answering(split, predictions, train_predictions=None, rating_range=None) -> Evaluation:
    output = {"predictions": predictions.astype(np.float32)}
    if train_predictions is not None:
        output |= {"train_rows": np.arange(len(split.train)), "train_predictions": train_predictions.astype(np.float32)}
    if rating_range is not None:
        output["rating_range"] = np.array(rating_range, dtype=np.float64)
    return Evaluation(split, ModelOutput.of(output))


def noisy(ratings, deviation, seed=0):
    return ratings + np.random.default_rng(seed).normal(scale=deviation, size=len(ratings))


def test_a_test_error_far_below_the_training_error_smells_of_a_leak(world):
    leaking = answering(world, noisy(world.test.ratings, 0.1), noisy(world.train.ratings, 1.5))
    (warning,) = warnings_of(leaking)
    assert warning.code == "test-below-training"
    assert "has the model seen the test" in warning.text


@pytest.mark.parametrize(("unseen", "seen"), [(1.0, 0.2), (1.0, 1.0), (0.97, 1.0)])
def test_a_model_that_knows_its_training_better_or_as_well_is_left_in_peace(world, unseen, seen):
    honest = answering(world, noisy(world.test.ratings, unseen), noisy(world.train.ratings, seen, seed=1))
    assert codes_of(honest) == []


def test_on_a_few_test_rows_a_lucky_error_is_no_leak(make_split):
    split = make_split([(0, 0, 1), (0, 1, 5), (1, 0, 3), (1, 2, 5), (2, 2, 2)], [(2, 0, 4), (2, 1, 3)])
    assert codes_of(answering(split, np.array([4.1, 3.1]), np.array([3.0, 3, 3, 3, 3]))) == []


def test_saying_the_same_of_an_item_to_every_user_is_told(world):
    by_item = np.linspace(1, 5, 21)[world.test.items]
    assert codes_of(answering(world, by_item)) == ["same-for-all"]
    assert codes_of(answering(world, np.full(len(world.test), 3.0))) == ["same-for-all"]


def test_one_user_who_is_told_something_else_makes_a_model_personal(world):
    by_item = np.linspace(1, 5, 21)[world.test.items]
    repeated = int(np.flatnonzero(np.bincount(world.test.items)[world.test.items] > 1)[0])
    by_item[repeated] += 0.01
    assert codes_of(answering(world, by_item)) == []


def test_unknown_users_who_all_get_the_same_are_no_sign(make_split):
    split = make_split([(0, 0, 1), (1, 1, 5), (2, 2, 3)], [(user, 0, 4) for user in range(3, 12)])
    assert codes_of(answering(split, np.full(9, 3.0))) == []


@pytest.mark.parametrize("limits", [(0, 0.5), (1, 4.5), (1.5, 5)])
def test_a_range_that_excludes_observed_ratings_is_told_with_their_share(world, limits):
    (warning,) = warnings_of(answering(world, noisy(world.test.ratings, 1), rating_range=limits))
    assert warning.code == "range-too-narrow"
    outside = np.mean((world.train.ratings < limits[0]) | (world.train.ratings > limits[1]))
    assert f"({limits[0]:g}, {limits[1]:g}) leaves {outside:.1%} of the training ratings (1 to 5)" in warning.text


@pytest.mark.parametrize("limits", [(1, 5), (0, 5.5), (-1.5, 5), None])
def test_a_range_that_holds_all_ratings_is_left_in_peace(world, limits):
    assert codes_of(answering(world, noisy(world.test.ratings, 1), rating_range=limits)) == []


# phi: items 0, 1, 2, 3 have 4, 3, 2, 1 training users; users 0 to 3 have seen as many of the first ones.
POPULAR = [(0, 0, 5), (1, 0, 5), (1, 1, 5), (2, 0, 5), (2, 1, 5), (2, 2, 5), (3, 0, 5), (3, 1, 5), (3, 2, 5), (3, 3, 5)]


def test_lists_in_the_exact_order_of_popularity_are_told(make_evaluation):
    # User 0 has seen item 0, user 1 items 0 and 1.
    assert codes_of(make_evaluation(POPULAR, [(0, 1, 5), (1, 2, 5)], lists=[[1, 2], [2, 3]])) == ["popularity-order"]


@pytest.mark.parametrize("lists", [[[2, 1], [2, 3]], [[1, 3], [2, 3]]])
def test_an_inversion_or_a_gap_in_the_order_of_popularity_is_not(make_evaluation, lists):
    assert codes_of(make_evaluation(POPULAR, [(0, 1, 5), (1, 2, 5)], lists=lists)) == []


def test_among_equally_popular_items_any_order_is_that_of_popularity(make_evaluation):
    train = [(0, 0, 5), (1, 1, 5), (1, 2, 5), (2, 3, 5)]
    assert codes_of(make_evaluation(train, [(0, 1, 5)], lists=[[3, 1]])) == ["popularity-order"]


def test_lists_that_are_not_full_say_nothing_of_popularity(make_evaluation):
    assert codes_of(make_evaluation(POPULAR, [(0, 1, 5)], lists=[[1]])) == []


def test_figures_on_fewer_than_thirty_users_are_named_with_their_number(make_evaluation):
    evaluation = make_evaluation(POPULAR, [(0, 1, 5), (1, 2, 5), (9, 2, 1)], predictions=[4, 5, 2])
    (warning,) = warnings_of(evaluation, (RMSE(), MAE(), ColdUserStrata()))
    assert warning.code == "few-users"
    assert warning.text.endswith(": RMSE (3), MAE (3), cold-users 0 (1), cold-users 1-5 (2)")


def test_thirty_users_are_enough_and_strata_without_anybody_are_not_figures(world):
    assert codes_of(answering(world, noisy(world.test.ratings, 1)), (RMSE(), ColdUserStrata())) == []


def test_ranking_counts_the_users_with_a_relevant_item(make_evaluation):
    test = [(user, 40 + user, 5 if user < 2 else 1) for user in range(35)]
    train = [(user, user, 5) for user in range(36)]
    evaluation = make_evaluation(train, test, lists=[[35, 34]] * 34 + [[35, 33]])
    assert "NDCG@2 (2)" in warnings_of(evaluation, (NDCG(k=2),))[0].text


def test_many_figures_on_few_users_are_counted_not_listed(make_evaluation):
    metrics = [replace_name(RMSE(), f"m{number}") for number in range(9)]
    evaluation = make_evaluation(POPULAR, [(0, 1, 5), (1, 2, 5)], predictions=[4, 5])
    assert warnings_of(evaluation, metrics)[0].text.endswith("m5 (2) and 3 more")


def replace_name(metric, name):
    class Named(type(metric)):
        @property
        def name(self):
            return name

    return Named()


NAN = [np.nan, np.nan]


@pytest.mark.parametrize(
    ("asked_again", "words"),
    [
        ([[0.5, 1.25], [0, 0]], "changes 50.00% of predicted ratings by up to 1.2: "),
        ([NAN, [0.01, 3]], "changes 1.00% of scores by up to 3 standard deviations: "),
        ([[0.5, 1], [1, 2]], "50.00% of predicted ratings by up to 1 and 100.00% of scores by up to 2 standard"),
    ],
)
def test_answers_that_change_when_they_are_asked_again_are_told(world, asked_again, words):
    asked = ModelOutput(None, None, asked_again=np.array(asked_again, dtype=np.float64))
    (warning,) = warnings_of(Evaluation(world, asked))
    assert warning.code == "answers-change"
    assert words in warning.text


def test_answers_that_stay_the_same_are_left_in_peace(world):
    asked = ModelOutput(None, None, asked_again=np.array([[0, 1e-6], NAN]))
    assert codes_of(Evaluation(world, asked)) == []
