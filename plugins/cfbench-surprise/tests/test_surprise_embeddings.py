import numpy as np
import pytest

from cfbench.model import FitContext
from cfbench.testing import random_ratings
from cfbench_surprise.nmf import SurpriseNMF
from cfbench_surprise.svd import SurpriseSVD
from cfbench_surprise.svdpp import SurpriseSVDpp


@pytest.mark.parametrize(
    "model",
    [SurpriseSVD(), SurpriseSVD(biased=False), SurpriseSVDpp(), SurpriseNMF(), SurpriseNMF(biased=True)],
    ids=repr,
)
def test_embeddings_add_up_to_the_prediction(model):
    train = random_ratings()
    model.fit(train, FitContext(seed=0))
    shown = model.embeddings()
    ratings = shown.users @ shown.items.T + shown.offset
    assert (shown.user_biases is None) == (not getattr(model, "biased", True))
    if shown.user_biases is not None:
        ratings += shown.user_biases[:, None] + shown.item_biases
    np.testing.assert_allclose(ratings, model.score_items(np.arange(train.n_users, dtype=np.int32)))
