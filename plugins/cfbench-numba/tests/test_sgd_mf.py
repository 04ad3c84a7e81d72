from types import SimpleNamespace

import numba
import numpy as np
import pytest

from cfbench.model import EpochReport, FitContext, Ratings, RatingScale
from cfbench.testing import random_ratings
from cfbench_numba import compiled as module
from cfbench_numba.compiled import compiled
from cfbench_numba.sgd_mf import SGDMatrixFactorization


def fitted(train, seed=0, listen=None, **params):
    model = SGDMatrixFactorization(**params)
    model.fit(train, FitContext(seed=seed) if listen is None else FitContext(seed=seed, on_epoch=listen))
    return model


def two_ratings():
    """One user gives 5 and 1; the mean is 3."""
    codes = np.array([0, 1], dtype=np.int32)
    return Ratings(np.zeros(2, np.int32), codes, np.array([5, 1], np.float32), None, 1, 2, RatingScale(1, 5))


def test_one_epoch_equals_the_formula_by_hand():
    # With no factors to speak of, only biases move: steps of .1 with decay .5 about the mean 3.
    model = fitted(
        two_ratings(),
        n_factors=1,
        epochs=1,
        learning_rate=0.1,
        regularization=0.5,
        regularization_biases=None,
        init_std=0,
    )
    # First rating, say e = 2: b_u = .2, b_i = .2. Second, e = -2 - .2 = -2.2: b_u = .2 + .1 (-2.2 - .5 * .2) = -.03,
    # b_j = -.22. In the other order all signs turn.
    assert abs(model.user_biases_[0]) == pytest.approx(0.03, abs=1e-6)
    assert sorted(np.abs(model.item_biases_[:2])) == pytest.approx([0.2, 0.22], abs=1e-6)
    assert model.item_biases_[2] == 0


def test_factors_step_along_each_others_values_before_the_step():
    train = Ratings(
        np.zeros(1, np.int32), np.zeros(1, np.int32), np.array([4], np.float32), None, 1, 1, RatingScale(1, 5)
    )
    before = fitted(train, n_factors=1, epochs=1, learning_rate=1e-12, final_learning_rate=None, init_std=1.0)
    p, q = float(before.user_factors_[0, 0]), float(before.item_factors_[0, 0])
    after = fitted(
        train,
        n_factors=1,
        epochs=1,
        learning_rate=0.1,
        final_learning_rate=None,
        regularization=0.2,
        regularization_biases=0.0,
        init_std=1.0,
    )
    error = -p * q  # the only rating is the mean
    assert after.user_factors_[0, 0] == pytest.approx(p + 0.1 * (error * q - 0.2 * p), rel=1e-5)
    assert after.item_factors_[0, 0] == pytest.approx(q + 0.1 * (error * p - 0.2 * q), rel=1e-5)


@pytest.mark.parametrize(("last", "expected"), [(0.01, [0.03, 0.02, 0.01]), (None, [0.03, 0.03, 0.03])])
def test_the_step_falls_in_a_straight_line(monkeypatch, last, expected):
    steps = []
    monkeypatch.setattr(SGDMatrixFactorization, "_epoch", lambda self, tiles, step, rng: steps.append(step) or 1.0)
    fitted(random_ratings(), epochs=3, learning_rate=0.03, final_learning_rate=last)
    assert steps == pytest.approx(expected)


def test_training_loss_is_reported_and_falls():
    reports: list[EpochReport] = []
    fitted(random_ratings(), listen=reports.append, epochs=30)
    assert [report.epoch for report in reports] == list(range(1, 31))
    assert reports[-1].train_loss < reports[0].train_loss


def test_an_unknown_user_gets_mean_and_item_bias():
    train = random_ratings()
    model = fitted(train, epochs=5)
    answer = model.predict(np.array([train.n_users], np.int32), np.array([2], np.int32))
    assert answer == pytest.approx([train.mean + model.item_biases_[2]])


def test_embeddings_add_up_to_the_prediction():
    train = random_ratings()
    model = fitted(train, n_factors=5, epochs=5)
    shown = model.embeddings()
    assert shown.users.shape == (train.n_users, 5)
    table = shown.users @ shown.items.T + shown.user_biases[:, None] + shown.item_biases + shown.offset
    np.testing.assert_allclose(table, model.score_items(np.arange(train.n_users, dtype=np.int32)), rtol=1e-5)


def test_a_step_that_diverges_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^learning_rate=50: the error grew beyond all bounds; use less$"):
        fitted(random_ratings(), learning_rate=50, epochs=20)


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("n_factors", 0, "a whole number of at least 1"),
        ("epochs", 0, "a whole number of at least 1"),
        ("learning_rate", 0, "a number above 0"),
        ("final_learning_rate", -0.1, "a number of at least 0"),
        ("regularization", -1, "a number of at least 0"),
        ("init_std", float("inf"), "a number of at least 0"),
    ],
)
def test_a_hyperparameter_that_makes_no_sense_is_refused_by_name(parameter, value, expected):
    with pytest.raises(ValueError, match=f"^{parameter}={value}: expected {expected}$"):
        SGDMatrixFactorization(**{parameter: value})


def test_without_a_folder_for_the_cache_functions_are_compiled_all_the_same(monkeypatch):
    njit = numba.njit

    def without_cache(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    # For the plugin's module alone: numba compiles parts of itself when they are first needed.
    monkeypatch.setattr(module, "numba", SimpleNamespace(njit=without_cache))
    assert compiled(lambda x: x + 1)(2) == 3
