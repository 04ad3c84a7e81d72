import pytest

from cfbench.testing import conformance_checks

FEW = {"myfm": {"iterations": 25, "burn_in": 5, "n_factors": 3}}


@pytest.mark.parametrize("check", conformance_checks("cfbench-myfm", params=FEW), ids=str)
def test_contract(check):
    check()
