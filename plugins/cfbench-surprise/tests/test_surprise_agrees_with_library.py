"""Vectorised answers against the library's own ``estimate``, pair by pair."""

import numpy as np
import pytest
import surprise

from cfbench.model import FitContext, Ratings, RatingScale
from cfbench_surprise.baseline import SurpriseBaseline
from cfbench_surprise.co_clustering import SurpriseCoClustering
from cfbench_surprise.knn import SurpriseKNNBaseline, SurpriseKNNBasic, SurpriseKNNMeans, SurpriseKNNZScore
from cfbench_surprise.nmf import SurpriseNMF
from cfbench_surprise.slope_one import SurpriseSlopeOne
from cfbench_surprise.svd import SurpriseSVD
from cfbench_surprise.svdpp import SurpriseSVDpp

SEED = 3
ITEM_COSINE = {"similarity": "cosine", "user_based": False, "min_support": 2}
SGD = {"method": "sgd", "reg": 0.05, "learning_rate": 0.01}


def sims(k=40, min_k=1, **options):
    return {"k": k, "min_k": min_k, "sim_options": options, "verbose": False}


ITEM_SIMS = {"name": "cosine", "user_based": False, "min_support": 2}
PEARSON = {"name": "pearson_baseline", "shrinkage": 20}
CASES = {
    "svd": (SurpriseSVD(epochs=4), surprise.SVD(n_epochs=4, random_state=SEED)),
    "svd unbiased": (
        SurpriseSVD(biased=False, reg_pu=0.1, init_mean=0.3),
        surprise.SVD(biased=False, reg_pu=0.1, init_mean=0.3, random_state=SEED),
    ),
    "svdpp": (SurpriseSVDpp(lr_yj=0.01), surprise.SVDpp(lr_yj=0.01, random_state=SEED)),
    "nmf": (SurpriseNMF(), surprise.NMF(random_state=SEED)),
    "nmf biased": (SurpriseNMF(biased=True), surprise.NMF(biased=True, random_state=SEED)),
    "slopeone": (SurpriseSlopeOne(), surprise.SlopeOne()),
    "coclustering": (
        SurpriseCoClustering(n_cltr_u=4, n_cltr_i=2),
        surprise.CoClustering(n_cltr_u=4, n_cltr_i=2, random_state=SEED),
    ),
    "baseline": (SurpriseBaseline(), surprise.BaselineOnly(verbose=False)),
    "baseline sgd": (
        SurpriseBaseline(epochs=5, **SGD),
        surprise.BaselineOnly(bsl_options={"n_epochs": 5, **SGD}, verbose=False),
    ),
    "knn basic": (SurpriseKNNBasic(k=5, min_k=3), surprise.KNNBasic(**sims(5, 3))),
    "knn basic of items": (SurpriseKNNBasic(k=4, **ITEM_COSINE), surprise.KNNBasic(**sims(4, **ITEM_SIMS))),
    "knn means": (SurpriseKNNMeans(k=3), surprise.KNNWithMeans(**sims(3))),
    "knn means of items": (
        SurpriseKNNMeans(k=6, min_k=2, **ITEM_COSINE),
        surprise.KNNWithMeans(**sims(6, 2, **ITEM_SIMS)),
    ),
    "knn z-score": (SurpriseKNNZScore(k=4), surprise.KNNWithZScore(**sims(4))),
    "knn z-score of items": (
        SurpriseKNNZScore(similarity="pearson", user_based=False),
        surprise.KNNWithZScore(**sims(name="pearson", user_based=False)),
    ),
    "knn baseline": (
        SurpriseKNNBaseline(k=4, similarity="pearson_baseline", shrinkage=20),
        surprise.KNNBaseline(**sims(4, **PEARSON)),
    ),
    "knn baseline of items": (
        SurpriseKNNBaseline(k=4, user_based=False, bsl_method="sgd", bsl_epochs=3),
        surprise.KNNBaseline(**sims(4, user_based=False), bsl_options={"method": "sgd", "n_epochs": 3}),
    ),
}


@pytest.fixture(scope="module")
def train():
    """40 users, 25 items; codes deliberately not in order of first appearance, users with single ratings."""
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((40, 25)) < 0.3)
    order = rng.permutation(len(users))
    users, items = users[order].astype(np.int32), items[order].astype(np.int32)
    assert len(set(users)) == 40
    assert len(set(items)) == 25
    ratings = rng.integers(1, 6, len(users)).astype(np.float32)
    return Ratings(users, items, ratings, None, 40, 25, RatingScale(1, 5))


def estimates(algo, train):
    """The library's estimate of every pair, unknown ones last; NaN where it gives up."""
    dataset = surprise.Dataset(surprise.Reader(rating_scale=(1, 5)))
    rows = [(u, i, r, None) for u, i, r in zip(train.users, train.items, train.ratings.tolist(), strict=True)]
    algo.fit(dataset.construct_trainset(rows))
    table = np.full((train.n_users + 1, train.n_items + 1), np.nan)
    for user in range(train.n_users + 1):
        for item in range(train.n_items + 1):
            answer = algo.predict(user, item, clip=False)
            if not answer.details["was_impossible"]:
                table[user, item] = answer.est
    return table


@pytest.mark.parametrize("name", CASES)
def test_answers_equal_the_librarys_estimates(name, train):
    model, algo = CASES[name]
    expected = estimates(algo, train)
    if name == "coclustering":  # the library's training mean for strangers, said as NaN here
        np.testing.assert_allclose(expected[-1], train.mean)
        expected[-1, :] = expected[:, -1] = np.nan
    model.fit(train, FitContext(seed=SEED + 2**40 * 2**32))
    users, items = np.indices(expected.shape, dtype=np.int32).reshape(2, -1)
    np.testing.assert_allclose(model.predict(users, items).reshape(expected.shape), expected, atol=1e-6)
    everybody = np.arange(train.n_users + 1, dtype=np.int32)
    np.testing.assert_allclose(model.score_items(everybody), expected[:, :-1], atol=1e-6)


def test_among_equally_similar_neighbours_the_earlier_row_wins_as_in_the_library():
    # Users 1 to 4 agree with user 0 on item 0 alike; only the first two of those who rated item 1 may count.
    users = np.array([0, 3, 1, 2, 4, 4, 2, 1, 3], dtype=np.int32)
    items = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1], dtype=np.int32)
    ratings = np.array([3, 3, 3, 3, 3, 1, 2, 4, 5], dtype=np.float32)
    train = Ratings(users, items, ratings, None, 5, 2, RatingScale(1, 5))
    model = SurpriseKNNBasic(k=2)
    model.fit(train, FitContext(seed=0))
    assert model.predict(np.array([0], dtype=np.int32), np.array([1], dtype=np.int32)) == pytest.approx([1.5])


def test_a_fixed_random_state_overrides_the_seed_of_the_run(train):
    def answers(model, seed):
        model.fit(train, FitContext(seed=seed))
        return model.predict(train.users, train.items)

    np.testing.assert_array_equal(answers(SurpriseSVD(random_state=5), 1), answers(SurpriseSVD(random_state=5), 2))
    assert not np.array_equal(answers(SurpriseSVD(), 1), answers(SurpriseSVD(), 2))


def test_nothing_is_printed_while_fitting(train, capsys):
    for model, _ in CASES.values():
        model.fit(train, FitContext(seed=0))
    assert capsys.readouterr() == ("", "")
