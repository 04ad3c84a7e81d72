import pytest

from cfbench_baselines.bias import Bias


@pytest.mark.parametrize(
    ("model", "parameter", "value", "expected"),
    [
        (Bias, "iterations", -1, "a whole number of at least 1"),
        (Bias, "iterations", 0, "a whole number of at least 1"),
        (Bias, "damping_users", -1, "a number of at least 0"),
        (Bias, "damping_items", float("nan"), "a number of at least 0"),
        (Bias, "damping_items", float("inf"), "a number of at least 0"),
    ],
)
def test_a_hyperparameter_that_makes_no_sense_is_refused_by_name(model, parameter, value, expected):
    with pytest.raises(ValueError, match=f"^{parameter}={value}: expected {expected}$"):
        model(**{parameter: value})


def test_no_damping_at_all_and_a_single_iteration_make_sense():
    assert Bias(damping_users=0, damping_items=0, iterations=1).iterations == 1
