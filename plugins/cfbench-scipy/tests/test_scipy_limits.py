import pytest

from cfbench_scipy.als import AlternatingLeastSquares
from cfbench_scipy.bias_svd import BiasSVD
from cfbench_scipy.truncated_svd import TruncatedSVD


@pytest.mark.parametrize(
    ("model", "parameter", "value", "expected"),
    [
        (TruncatedSVD, "n_factors", 0, "a whole number of at least 1"),
        (TruncatedSVD, "iterations", -1, "a whole number of at least 1"),
        (TruncatedSVD, "damping_users", -1, "a number of at least 0"),
        (TruncatedSVD, "damping_items", -0.5, "a number of at least 0"),
        (BiasSVD, "shrinkage", -1, "a number of at least 0"),
        (BiasSVD, "epochs", 0, "a whole number of at least 1"),
        (AlternatingLeastSquares, "regularization", 0, "a number above 0"),
        (AlternatingLeastSquares, "weighting", -1, "a number of at least 0"),
    ],
)
def test_a_hyperparameter_that_makes_no_sense_is_refused_by_name(model, parameter, value, expected):
    with pytest.raises(ValueError, match=f"^{parameter}={value}: expected {expected}$"):
        model(**{parameter: value})
