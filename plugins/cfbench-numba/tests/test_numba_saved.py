import pytest

from cfbench.model import FitContext
from cfbench.testing import random_ratings, require_the_same_in_a_new_process
from cfbench_numba.sgd_mf import SGDMatrixFactorization


@pytest.mark.parametrize(
    "model", [SGDMatrixFactorization(n_factors=5, epochs=3)], ids=lambda model: type(model).__name__
)
def test_a_saved_model_answers_alike_in_a_new_process(model):
    train = random_ratings()
    model.fit(train, FitContext(seed=3, device="cpu"))
    require_the_same_in_a_new_process(model, train)
