import numpy as np

from cfbench.model import EpochReport, FitContext, Ratings, RatingScale
from cfbench.testing import random_ratings
from cfbench_scipy.bias_svd import BiasSVD


def complete(matrix):
    """Every cell of ``matrix`` as a rating."""
    matrix = np.asarray(matrix, dtype=np.float32)
    users, items = np.indices(matrix.shape, dtype=np.int32).reshape(2, -1)
    return Ratings(users, items, matrix.ravel(), None, *matrix.shape, RatingScale(1, 5))


def fitted(train, seed=0, listen=None, **params):
    model = BiasSVD(**params)
    model.fit(train, FitContext(seed=seed) if listen is None else FitContext(seed=seed, on_epoch=listen))
    return model


def test_of_a_complete_matrix_singular_values_are_lowered_by_the_noise():
    # Mean 3, no biases; the residual is 2 * outer([1, -1, 1, -1], [1, -1, 1, -1]), of the one singular value 8 and
    # standard deviation 2. Noise would have 2 (sqrt(16 / 4) + sqrt(16 / 4)) = 8; a quarter of it is 2, leaving 6.
    board = np.where(np.indices((4, 4)).sum(axis=0) % 2 == 0, 5.0, 1.0)
    model = fitted(complete(board), n_factors=2, shrinkage=0.25, epochs=50)
    expected = 3 + (board - 3) * 6 / 8
    np.testing.assert_allclose(model.score_items(np.arange(4, dtype=np.int32)), expected, atol=1e-6)


def test_at_the_end_the_residuals_are_the_subgradient_of_the_nuclear_norm():
    # At the minimum, with residuals E = sum of e u v', E V = lambda U on the kept subspace and no singular value of
    # E is above lambda.
    train = random_ratings()
    model = fitted(train, epochs=3000, shrinkage=0.4, damping_users=1e9, damping_items=1e9)
    left = np.zeros((train.n_users, train.n_items))
    left[train.users, train.items] = train.ratings - model.predict(train.users, train.items)
    spread = np.std(train.ratings - train.mean, dtype=np.float64)
    noise = spread * (np.sqrt(len(train) / train.n_users) + np.sqrt(len(train) / train.n_items))
    strengths = np.linalg.svd(left, compute_uv=False)
    kept = np.count_nonzero(np.linalg.norm(model.factors_.users, axis=0) > 1e-6)
    assert 1 < kept < train.n_items
    np.testing.assert_allclose(strengths[:kept], 0.4 * noise, rtol=1e-3)
    assert strengths[kept:].max() <= 0.4 * noise * 1.001


def test_full_shrinkage_leaves_the_biases():
    train = random_ratings()
    model = fitted(train, shrinkage=1e6)
    assert not model.factors_.users.any()
    expected = model.factors_.biases.of_pairs(train.users, train.items)
    np.testing.assert_allclose(model.predict(train.users, train.items), expected)


def test_a_pair_that_was_rated_twice_counts_twice():
    train = random_ratings()
    again = np.concatenate([np.arange(len(train)), [0]])
    doubled = Ratings(
        train.users[again], train.items[again], train.ratings[again], None, train.n_users, train.n_items, train.scale
    )
    once, twice = (fitted(part, shrinkage=0.3).predict(train.users[:1], train.items[:1]) for part in (train, doubled))
    assert abs(twice - train.ratings[0]) < abs(once - train.ratings[0])


def test_training_loss_is_reported():
    reports: list[EpochReport] = []
    fitted(random_ratings(), listen=reports.append, epochs=4)
    assert [report.epoch for report in reports] == [1, 2, 3, 4]
    assert reports[-1].train_loss < reports[0].train_loss
