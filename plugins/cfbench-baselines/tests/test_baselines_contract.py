import pytest

from cfbench.testing import conformance_checks

ALIKE = "knows no personal taste, and the checkerboard is nothing but taste"
EXEMPT = {
    f"{name}: learns a checkerboard of tastes": ALIKE
    for name in ("global-mean", "user-mean", "item-mean", "bias", "feature-mean", "popular", "random")
}


@pytest.mark.parametrize("check", conformance_checks("cfbench-baselines", expected_failures=EXEMPT), ids=str)
def test_contract(check):
    check()
