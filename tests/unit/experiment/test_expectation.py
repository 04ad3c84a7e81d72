"""What a suite expects is checked when the suite is read."""

import pytest

from cfbench.errors import SpecError
from cfbench.experiment.suite import Suite

SUITE = {"name": "mine", "datasets": ["d"], "models": ["dot[n_factors=5]", "bias"]}


def suite(**expected):
    return Suite.check({**SUITE, "expected": [{"source": "a paper", **expected}]}, "mine.toml")


def test_one_table_makes_a_claim_for_each_model_and_rule():
    checked = suite(
        metric="RMSE", tolerance=0.01, published={"dot[ n_factors = 5 ]": 0.9, "bias": 0.95}, at_most={"bias": 1}
    )
    claims = [(one.model, one.rule, one.value) for one in checked.expected[0].claims()]
    assert claims == [("dot[n_factors=5]", "published", 0.9), ("bias", "published", 0.95), ("bias", "at_most", 1)]


def test_a_warning_has_neither_metric_nor_other_model():
    (claim,) = suite(metric="RMSE", than="bias", warning={"bias": "few-users"}).expected[0].claims()
    assert (claim.metric, claim.than, claim.value) == ("", None, "few-users")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"metric": "RMSE"}, "states nothing"),
        ({"at_most": {"bias": 1}}, "needs a metric"),
        ({"metric": "RMSE", "published": {"bias": 1}}, "need a tolerance"),
        ({"metric": "RMSE", "published": {"bias": 1}, "tolerance": 0}, "tolerance"),
        ({"metric": "RMSE", "at_most": {"bais": 1}}, "unknown model of the suite 'bais'; did you mean 'bias'"),
        ({"metric": "RMSE", "at_most": {"bias": 1}, "than": "svd"}, "unknown model of the suite 'svd'"),
        ({"metric": "RMSE", "at_most": {"bias": 1}, "dataset": "e"}, "unknown dataset of the suite 'e'"),
        ({"metric": "RMSE", "at_most": {"bias": 1}, "split": "kfold"}, "unknown split of the suite 'kfold'"),
        ({"metric": "RMSE", "at_most": {"bias": 1}, "tolerence": 1}, "did you mean 'tolerance'"),
        ({"metric": "RMSE", "at_most": {"bias": 1}, "source": ""}, "source"),
        ({"metric": "RMSE", "at_most": {"dot[n_factors=5]": 1, "dot[ n_factors = 5 ]": 2}}, "names one model twice"),
        ({"metric": "RMSE", "at_least": {"bias": float("nan")}}, "finite"),
        ({"metric": "RMSE", "published": {"bias": 1}, "tolerance": float("inf")}, "finite"),
    ],
)
def test_what_could_never_be_judged_is_refused(wrong, said):
    with pytest.raises(SpecError, match=r"mine\.toml") as caught:
        suite(**wrong)
    assert said in str(caught.value)
