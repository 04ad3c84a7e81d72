import pytest

from cfbench_surprise.baseline import SurpriseBaseline
from cfbench_surprise.co_clustering import SurpriseCoClustering
from cfbench_surprise.knn import SurpriseKNNBaseline, SurpriseKNNBasic, SurpriseKNNMeans, SurpriseKNNZScore
from cfbench_surprise.nmf import SurpriseNMF
from cfbench_surprise.svd import SurpriseSVD
from cfbench_surprise.svdpp import SurpriseSVDpp


@pytest.mark.parametrize(
    ("model", "parameter", "value", "expected"),
    [
        (SurpriseSVD, "n_factors", 0, "a whole number of at least 1"),
        (SurpriseSVD, "epochs", -1, "a whole number of at least 1"),
        (SurpriseSVD, "learning_rate", 0, "a number above 0"),
        (SurpriseSVD, "lr_bu", -0.1, "a number above 0"),
        (SurpriseSVD, "reg_qi", -0.1, "a number of at least 0"),
        (SurpriseSVDpp, "lr_yj", 0, "a number above 0"),
        (SurpriseSVDpp, "reg_yj", -1, "a number of at least 0"),
        (SurpriseSVDpp, "n_factors", 0, "a whole number of at least 1"),
        (SurpriseNMF, "n_factors", 0, "a whole number of at least 1"),
        (SurpriseNMF, "init_low", -1, "a number of at least 0"),
        (SurpriseCoClustering, "n_cltr_u", 0, "a whole number of at least 1"),
        (SurpriseBaseline, "epochs", 0, "a whole number of at least 1"),
        (SurpriseBaseline, "learning_rate", 0, "a number above 0"),
        (SurpriseBaseline, "reg_u", -1, "a number of at least 0"),
        (SurpriseKNNBasic, "k", 0, "a whole number of at least 1"),
        (SurpriseKNNMeans, "min_k", 0, "a whole number of at least 1"),
        (SurpriseKNNZScore, "min_support", 0, "a whole number of at least 1"),
        (SurpriseKNNBaseline, "bsl_epochs", 0, "a whole number of at least 1"),
        (SurpriseKNNBaseline, "shrinkage", -1, "a number of at least 0"),
    ],
)
def test_a_hyperparameter_that_makes_no_sense_is_refused_by_name(model, parameter, value, expected):
    with pytest.raises(ValueError, match=f"^{parameter}={value}: expected {expected}$"):
        model(**{parameter: value})


def test_a_parameter_left_to_the_library_is_none():
    assert SurpriseSVD(lr_bu=None, reg_bu=None).lr_bu is None
