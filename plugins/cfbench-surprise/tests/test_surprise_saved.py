import pytest

from cfbench.model import FitContext
from cfbench.testing import random_ratings, require_the_same_in_a_new_process
from cfbench_surprise.knn import SurpriseKNNZScore
from cfbench_surprise.slope_one import SurpriseSlopeOne
from cfbench_surprise.svdpp import SurpriseSVDpp


@pytest.mark.parametrize(
    "model",
    [SurpriseKNNZScore(k=3), SurpriseSlopeOne(), SurpriseSVDpp(epochs=2)],
    ids=lambda model: type(model).__name__,
)
def test_a_saved_model_answers_alike_in_a_new_process(model):
    train = random_ratings()
    model.fit(train, FitContext(seed=3, device="cpu"))
    require_the_same_in_a_new_process(model, train)
