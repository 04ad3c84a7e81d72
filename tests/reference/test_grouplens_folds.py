"""Means on the published folds u1 to u5 of ml-100k: no randomness at all, so every digit counts."""

import numpy as np
import pytest

from cfbench.data.splits.split import Split
from cfbench.data.splits.splitters import Predefined
from cfbench_baselines.global_mean import GlobalMean
from cfbench_baselines.item_mean import ItemMean
from cfbench_baselines.user_mean import UserMean

PUBLISHED = {  # RMSE and MAE: of u1, and the mean of the five folds
    "global mean": (GlobalMean, (1.15368, 0.96805), (1.12558, 0.94473)),
    "user mean": (UserMean, (1.06300, 0.85019), (1.04372, 0.83618)),
    "item mean": (ItemMean, (1.03341, 0.82757), (1.02455, 0.81742)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_means_on_the_published_folds_agree_to_five_digits(name, ml_100k, rmse_and_mae):
    model, first, average = PUBLISHED[name]
    folds = Predefined().folds(ml_100k, seed=0)
    assert [fold.name for fold in folds] == ["u1", "u2", "u3", "u4", "u5"]
    measured = [rmse_and_mae(model(), Split.of(ml_100k, "predefined", fold)) for fold in folds]
    assert measured[0] == pytest.approx(first, abs=0.5e-5)
    assert np.mean(measured, axis=0) == pytest.approx(average, abs=0.5e-5)


def test_u1_asks_about_thirty_two_ratings_of_items_that_training_has_not_seen(ml_100k):
    split = Split.of(ml_100k, "predefined", Predefined("u1").folds(ml_100k, seed=0)[0])
    assert np.count_nonzero(split.test.items == split.train.n_items) == 32
