"""The table in Surprise's README, re-run: ml-100k, its own KFold(5, random_state=0), defaults, random_state=0."""

import numpy as np
import pytest

from cfbench.data.splits.split import Split
from cfbench.data.splits.splitters import Predefined
from cfbench_surprise.baseline import SurpriseBaseline
from cfbench_surprise.co_clustering import SurpriseCoClustering
from cfbench_surprise.kfold import SurpriseKFold
from cfbench_surprise.knn import SurpriseKNNBaseline, SurpriseKNNBasic, SurpriseKNNMeans
from cfbench_surprise.nmf import SurpriseNMF
from cfbench_surprise.slope_one import SurpriseSlopeOne
from cfbench_surprise.svd import SurpriseSVD
from cfbench_surprise.svdpp import SurpriseSVDpp

PUBLISHED = {  # RMSE and MAE, means of the five folds, as printed
    "SVD": (SurpriseSVD(random_state=0), 0.934, 0.737),
    "NMF": (SurpriseNMF(random_state=0), 0.963, 0.758),
    "SlopeOne": (SurpriseSlopeOne(), 0.946, 0.743),
    "KNNBasic": (SurpriseKNNBasic(), 0.980, 0.774),
    "KNNWithMeans": (SurpriseKNNMeans(), 0.951, 0.749),
    "KNNBaseline": (SurpriseKNNBaseline(), 0.931, 0.733),
    "CoClustering": (SurpriseCoClustering(random_state=0), 0.963, 0.753),
    "BaselineOnly": (SurpriseBaseline(), 0.944, 0.748),
}
FAST = ("SVD", "BaselineOnly")
SVDPP = (SurpriseSVDpp(random_state=0, cache_ratings=True), 0.919, 0.721)
U1_TO_U5 = {  # the library's own RMSE on the published folds
    "BaselineOnly": (SurpriseBaseline(), (0.9599, 0.9477, 0.9405, 0.9383, 0.9423)),
    "SVD": (SurpriseSVD(random_state=0), (0.9513, 0.9423, 0.9309, 0.9322, 0.9332)),
}
SAME_SEED_AND_ORDER = 0.001


@pytest.fixture(scope="module")
def folds(ml_100k):
    return [Split.of(ml_100k, "surprise-kfold", fold) for fold in SurpriseKFold().folds(ml_100k, seed=0)]


@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.slow] * (one not in FAST)) for one in PUBLISHED])
def test_a_row_of_the_published_table_comes_out_again(name, folds, rmse_and_mae):
    model, *published = PUBLISHED[name]
    measured = np.mean([rmse_and_mae(model, split) for split in folds], axis=0)
    assert measured == pytest.approx(published, abs=SAME_SEED_AND_ORDER)


@pytest.mark.slow
def test_the_slow_row_of_the_published_table_comes_out_again(folds, rmse_and_mae):
    model, *published = SVDPP
    measured = np.mean([rmse_and_mae(model, split) for split in folds], axis=0)
    assert measured == pytest.approx(published, abs=SAME_SEED_AND_ORDER)


@pytest.mark.parametrize("name", U1_TO_U5)
def test_the_librarys_figures_on_the_published_folds_come_out_again(name, ml_100k, rmse_and_mae):
    model, published = U1_TO_U5[name]
    folds = Predefined(("u1", "u2", "u3", "u4", "u5")).folds(ml_100k, seed=0)
    measured = [rmse_and_mae(model, Split.of(ml_100k, "predefined", fold))[0] for fold in folds]
    assert measured == pytest.approx(published, abs=SAME_SEED_AND_ORDER)
