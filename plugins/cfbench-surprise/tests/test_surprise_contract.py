import pytest

from cfbench.testing import conformance_checks

EXEMPT = {
    "surprise-baseline: learns a checkerboard of tastes": "biases alone know no personal taste",
    "surprise-normal: learns a checkerboard of tastes": "draws at random",
    "surprise-slopeone: learns a checkerboard of tastes": "even and odd users cancel out in mean differences of items",
}


@pytest.mark.parametrize("check", conformance_checks("cfbench-surprise", expected_failures=EXEMPT), ids=str)
def test_contract(check):
    check()
