import pytest

from cfbench_implicit.als import ImplicitALS
from cfbench_implicit.bpr import ImplicitBPR
from cfbench_implicit.lmf import ImplicitLMF


@pytest.mark.parametrize(
    ("model", "parameter", "value", "expected"),
    [
        (ImplicitALS, "n_factors", 0, "a whole number of at least 1"),
        (ImplicitALS, "regularization", -0.1, "a number of at least 0"),
        (ImplicitALS, "alpha", -1, "a number of at least 0"),
        (ImplicitALS, "positive_from", 1.5, "a number from 0 to 1"),
        (ImplicitALS, "epochs", 0, "a whole number of at least 1"),
        (ImplicitBPR, "learning_rate", 0, "a number above 0"),
        (ImplicitBPR, "epochs", -1, "a whole number of at least 1"),
        (ImplicitBPR, "positive_from", -0.5, "a number from 0 to 1"),
        (ImplicitLMF, "neg_prop", 0, "a whole number of at least 1"),
        (ImplicitLMF, "learning_rate", -1, "a number above 0"),
        (ImplicitLMF, "alpha", -1, "a number of at least 0"),
    ],
)
def test_a_hyperparameter_that_makes_no_sense_is_refused_by_name(model, parameter, value, expected):
    with pytest.raises(ValueError, match=f"^{parameter}={value}: expected {expected}$"):
        model(**{parameter: value})
