import numpy as np
import pytest

from cfbench.model import FitContext, Ratings, RatingScale
from cfbench_scipy.truncated_svd import TruncatedSVD


def complete(matrix):
    """Every cell of ``matrix`` as a rating."""
    matrix = np.asarray(matrix, dtype=np.float32)
    users, items = np.indices(matrix.shape, dtype=np.int32).reshape(2, -1)
    return Ratings(users, items, matrix.ravel(), None, *matrix.shape, RatingScale(1, 5))


def fitted(train, seed=0, **params):
    model = TruncatedSVD(**params)
    model.fit(train, FitContext(seed=seed))
    return model


def test_one_factor_recovers_a_matrix_whose_residual_has_rank_one():
    # Mean 3, no biases, and the residual is 2 * outer([1, -1, 1, -1], [1, -1, 1, -1]).
    board = np.where(np.indices((4, 4)).sum(axis=0) % 2 == 0, 5.0, 1.0)
    model = fitted(complete(board), n_factors=1)
    np.testing.assert_allclose(model.score_items(np.arange(4, dtype=np.int32)), board, atol=1e-12)


def test_factors_equal_the_dense_decomposition_of_the_residuals():
    rng = np.random.default_rng(3)
    train = complete(rng.integers(1, 6, size=(12, 9)))
    model = fitted(train, n_factors=3)
    residual = (train.ratings - model.factors_.biases.of_pairs(train.users, train.items)).reshape(12, 9)
    left, strengths, right = np.linalg.svd(residual)
    best = (left[:, :3] * strengths[:3]) @ right[:3]
    np.testing.assert_allclose(model.factors_.users[:-1] @ model.factors_.items[:-1].T, best, atol=1e-10)


def test_an_unknown_user_gets_mean_and_item_bias_only():
    train = complete([[5, 1, 3], [4, 2, 3], [5, 1, 1]])
    model = fitted(train, n_factors=2)
    answer = model.predict(np.array([3], dtype=np.int32), np.array([0], dtype=np.int32))
    assert answer == pytest.approx([train.mean + model.factors_.biases.items[0]])


def test_rank_is_cut_to_what_a_small_matrix_has():
    model = fitted(complete([[5, 1, 3, 2], [4, 2, 3, 1], [5, 1, 1, 4]]), n_factors=50)
    assert model.factors_.users.shape == (4, 2)


def test_the_seed_does_not_move_the_answer_beyond_rounding():
    rng = np.random.default_rng(5)
    train = complete(rng.integers(1, 6, size=(30, 20)))
    first, second = fitted(train, seed=1, n_factors=4), fitted(train, seed=2, n_factors=4)
    np.testing.assert_allclose(
        first.predict(train.users, train.items), second.predict(train.users, train.items), atol=1e-8
    )
