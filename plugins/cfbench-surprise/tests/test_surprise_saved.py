import numpy as np
import pytest

from cfbench.model import FitContext, StoreError, load_parts, save_parts
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


@pytest.mark.parametrize("index", [-1, 10**6, 2**31 - 1])
@pytest.mark.parametrize("name", ["rated_items_", "rated_starts_"])
def test_forged_indices_of_the_rated_items_are_refused(tmp_path, name, index):
    model = SurpriseSlopeOne()
    model.fit(random_ratings(), FitContext(seed=3, device="cpu"))
    model.save(tmp_path)
    arrays, facts = load_parts(tmp_path, "cfbench-surprise.slopeone.2")
    forged = arrays[name].copy()
    forged[1] = np.int64(index).astype(forged.dtype)
    save_parts(tmp_path, "cfbench-surprise.slopeone.2", arrays | {name: forged}, facts)
    with pytest.raises(StoreError, match=r"cfbench-surprise\.slopeone\.2"):
        SurpriseSlopeOne.load(tmp_path)
