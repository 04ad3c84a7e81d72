"""Errors of predicted ratings, their sign, and the prediction coverage, by hand."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.accuracy import (
    MAE,
    MSE,
    RMSE,
    Clipped,
    PredictionCoverage,
    ScaledMSE,
    SignedBias,
    UnclippedMSE,
    UnclippedRMSE,
    UserRMSE,
)

TRAIN = [(0, 0, 2), (0, 1, 4), (1, 0, 3)]  # mean 3
TEST = [(0, 2, 5), (1, 1, 1), (1, 2, 4)]
PREDICTIONS = [9, np.nan, 2.5]  # clipped to 5, filled with 3: errors 0, 2, -1.5


@pytest.mark.parametrize(
    ("metric", "name", "value"),
    [
        (RMSE(), "RMSE", np.sqrt(6.25 / 3)),
        (MAE(), "MAE", 3.5 / 3),
        (MSE(), "MSE", 6.25 / 3),
        (UnclippedMSE(), "MSE-unclipped", (16 + 4 + 2.25) / 3),  # 9 stays 9
        (UnclippedRMSE(), "RMSE-unclipped", np.sqrt((16 + 4 + 2.25) / 3)),
        (ScaledMSE(), "MSE-scaled", (16 + 4 + 2.25) / 16 / 3),
        (PredictionCoverage(), "prediction-coverage", 2 / 3),
        (Clipped(), "clipped", 1 / 3),  # the 9; what was not said is not clipped
        (SignedBias(), "signed-bias", (0 + 2 - 1.5) / 3),
    ],
)
def test_all_rows_count_once_clipped_and_filled(make_evaluation, metric, name, value):
    evaluation = make_evaluation(TRAIN, TEST, PREDICTIONS)
    assert metric.name == name
    assert apply_metric(metric, evaluation).value == pytest.approx(value)


def test_sums_are_kept_by_user_for_the_bootstrap(make_evaluation):
    measured = apply_metric(RMSE(), make_evaluation(TRAIN, TEST, PREDICTIONS))
    assert measured.numerators.tolist() == [0, 6.25]
    assert measured.denominators.tolist() == [1, 2]
    assert measured.rooted


def test_the_mean_of_the_users_rmses_is_a_metric_of_its_own_name(make_evaluation):
    # User 0 has one error, 0; user 1 has 2 and -1.5: (sqrt(0 / 1) + sqrt(6.25 / 2)) / 2 = 0.884, RMSE is 1.443.
    evaluation = make_evaluation(TRAIN, TEST, PREDICTIONS)
    by_user = apply_metric(UserRMSE(), evaluation)
    assert UserRMSE().name == "RMSE-user"
    assert by_user.value == pytest.approx((0 + np.sqrt(6.25 / 2)) / 2)
    assert by_user.denominators.tolist() == [1, 1]
    assert apply_metric(RMSE(), evaluation).value != pytest.approx(by_user.value)


def test_errors_of_both_signs_cancel_in_the_signed_bias_alone(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(0, 2, 3), (1, 2, 3)], [4, 2])
    assert apply_metric(SignedBias(), evaluation).value == 0
    assert apply_metric(MAE(), evaluation).value == 1
    assert SignedBias.contract.direction == "none"


def test_the_signed_bias_is_above_zero_where_the_model_says_too_much(make_evaluation):
    assert apply_metric(SignedBias(), make_evaluation(TRAIN, [(0, 2, 3)], [4.5])).value == 1.5


def test_a_model_that_says_nothing_has_the_error_of_the_training_mean(make_evaluation):
    evaluation = make_evaluation(TRAIN, TEST, [np.nan] * 3)
    assert apply_metric(RMSE(), evaluation).value == pytest.approx(np.sqrt((4 + 4 + 1) / 3))
    assert apply_metric(PredictionCoverage(), evaluation).value == 0


def test_rmse_and_mae_agree_with_scikit_learn(make_evaluation):
    rng = np.random.default_rng(0)
    train = [(user, user % 7, rng.integers(1, 6)) for user in range(30)]
    test = [(user, (user + step) % 7, rng.integers(1, 6)) for user in range(30) for step in (1, 2)]
    predictions = rng.uniform(1, 5, size=60).astype(np.float32)
    truth = [rating for _, _, rating in test]
    evaluation = make_evaluation(train, test, predictions)
    assert apply_metric(RMSE(), evaluation).value == pytest.approx(root_mean_squared_error(truth, predictions))
    assert apply_metric(MAE(), evaluation).value == pytest.approx(mean_absolute_error(truth, predictions))
    of_users = [root_mean_squared_error(truth[2 * u : 2 * u + 2], predictions[2 * u : 2 * u + 2]) for u in range(30)]
    assert apply_metric(UserRMSE(), evaluation).value == pytest.approx(np.mean(of_users))
