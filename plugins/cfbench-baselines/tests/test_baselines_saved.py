import pytest

from cfbench.model import FitContext
from cfbench.testing import random_ratings, require_the_same_in_a_new_process
from cfbench_baselines.bias import Bias
from cfbench_baselines.random_order import RandomOrder


@pytest.mark.parametrize("model", [Bias(damping_users=2), RandomOrder()], ids=lambda model: type(model).__name__)
def test_a_saved_model_answers_alike_in_a_new_process(model):
    train = random_ratings()
    model.fit(train, FitContext(seed=3, device="cpu"))
    require_the_same_in_a_new_process(model, train)
