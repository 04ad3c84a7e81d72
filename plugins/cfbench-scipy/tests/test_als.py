import numpy as np
import pytest

from cfbench.model import EpochReport, FitContext
from cfbench.testing import random_ratings
from cfbench_scipy import als as module
from cfbench_scipy.als import AlternatingLeastSquares


def fitted(train, seed=0, listen=None, **params):
    model = AlternatingLeastSquares(**params)
    model.fit(train, FitContext(seed=seed) if listen is None else FitContext(seed=seed, on_epoch=listen))
    return model


def test_every_item_is_the_exact_minimum_given_the_users():
    train = random_ratings()
    params = {"n_factors": 3, "regularization": 0.7, "regularization_biases": 0.3, "weighting": 0.5}
    factors = fitted(train, **params).factors_
    for item in range(train.n_items):
        rated = np.flatnonzero(train.items == item)
        users = train.users[rated]
        features = np.column_stack([factors.users[users], np.ones(len(rated))])
        targets = train.ratings[rated] - (train.mean + factors.biases.users[users])
        penalty = np.sqrt(len(rated)) * np.diag([0.7, 0.7, 0.7, 0.3])
        wanted = np.linalg.solve(features.T @ features + penalty, features.T @ targets)
        np.testing.assert_allclose(np.append(factors.items[item], factors.biases.items[item]), wanted, atol=1e-10)


def test_small_chunks_change_nothing(monkeypatch):
    train = random_ratings()
    whole = fitted(train, n_factors=3).score_items(np.arange(train.n_users, dtype=np.int32))
    monkeypatch.setattr(module, "_CELLS", 60)
    parts = fitted(train, n_factors=3).score_items(np.arange(train.n_users, dtype=np.int32))
    np.testing.assert_allclose(whole, parts, rtol=1e-6)


def test_a_strong_penalty_leaves_the_mean():
    train = random_ratings()
    model = fitted(train, regularization=1e9, regularization_biases=1e9)
    assert model.predict(train.users, train.items) == pytest.approx(train.mean, abs=1e-5)


def test_training_loss_is_reported_and_falls():
    reports: list[EpochReport] = []
    fitted(random_ratings(), listen=reports.append, epochs=5)
    assert [report.epoch for report in reports] == [1, 2, 3, 4, 5]
    assert reports[-1].train_loss < reports[0].train_loss


def test_unknown_users_and_items_have_nothing_of_their_own():
    train = random_ratings()
    factors = fitted(train).factors_
    assert not factors.users[-1].any()
    assert not factors.items[-1].any()
    assert factors.biases.users[-1] == factors.biases.items[-1] == 0
