import numpy as np
import pytest

from cfbench.model import FitContext, Ratings, RatingScale
from cfbench_implicit.als import ImplicitALS
from cfbench_implicit.bpr import ImplicitBPR
from cfbench_implicit.confidence import confidences
from cfbench_implicit.lmf import ImplicitLMF


def codes(*values):
    return np.array(values, dtype=np.int32)


@pytest.fixture
def train():
    """User 1 dislikes all she rated; nobody likes item 2."""
    return Ratings(
        users=codes(0, 0, 1, 2, 2),
        items=codes(0, 1, 0, 1, 2),
        ratings=np.array([5, 3, 1, 4, 1], dtype=np.float32),
        timestamps=None,
        n_users=3,
        n_items=3,
        scale=RatingScale(1, 5),
    )


def test_confidence_grows_from_one_with_the_place_of_the_rating_on_its_scale(train):
    dense = confidences(train, alpha=10, positive_from=0).toarray()
    assert dense.tolist() == [[11, 6, 0], [1, 0, 0], [0, 8.5, 1]]


def test_ratings_below_the_positive_share_leave_no_entry(train):
    matrix = confidences(train, alpha=10, positive_from=0.5)
    assert matrix.toarray().tolist() == [[11, 6, 0], [0, 0, 0], [0, 8.5, 0]]
    assert matrix.nnz == 3


@pytest.mark.parametrize("model", [ImplicitALS, ImplicitBPR, ImplicitLMF], ids=lambda cls: cls.__name__)
def test_users_and_items_without_a_positive_are_not_ranked(model, train):
    ranker = model(n_factors=4, epochs=3, positive_from=0.5)
    ranker.fit(train, FitContext(seed=0))
    unranked = np.isnan(ranker.score_items(codes(0, 1, 2, 3)))
    assert unranked.tolist() == [[False, False, True], [True] * 3, [False, False, True], [True] * 3]


def test_als_scores_are_the_product_of_the_librarys_own_factors(train):
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    ranker = ImplicitALS(n_factors=4, epochs=3, alpha=2)
    ranker.fit(train, FitContext(seed=11))
    with threadpool_limits(1, user_api="blas"):
        theirs = AlternatingLeastSquares(factors=4, iterations=3, regularization=0.1, random_state=11, num_threads=1)
        theirs.fit(confidences(train, alpha=2, positive_from=0), show_progress=False)
    np.testing.assert_allclose(
        ranker.score_items(codes(0, 1, 2)), theirs.user_factors @ theirs.item_factors.T, rtol=1e-5
    )


@pytest.mark.parametrize("model", [ImplicitALS, ImplicitBPR, ImplicitLMF], ids=lambda cls: cls.__name__)
def test_more_threads_do_not_change_the_answers(model, train):
    def scores(threads):
        ranker = model(n_factors=4, epochs=3)
        ranker.fit(train, FitContext(seed=5, threads=threads))
        return ranker.score_items(codes(0, 1, 2))

    np.testing.assert_allclose(scores(1), scores(2), rtol=1e-4, atol=1e-6)


def test_every_epoch_is_reported(train):
    reports = []
    ImplicitALS(n_factors=2, epochs=4).fit(train, FitContext(seed=0, on_epoch=reports.append))
    assert [(report.epoch, report.epochs) for report in reports] == [(1, 4), (2, 4), (3, 4), (4, 4)]
