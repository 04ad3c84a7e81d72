import pytest

from cfbench.model import FitContext
from cfbench.testing import random_ratings, require_the_same_in_a_new_process
from cfbench_scipy.als import AlternatingLeastSquares
from cfbench_scipy.bias_svd import BiasSVD


@pytest.mark.parametrize(
    "model", [AlternatingLeastSquares(n_factors=3), BiasSVD()], ids=lambda model: type(model).__name__
)
def test_a_saved_model_answers_alike_in_a_new_process(model):
    train = random_ratings()
    model.fit(train, FitContext(seed=3, device="cpu"))
    require_the_same_in_a_new_process(model, train)
