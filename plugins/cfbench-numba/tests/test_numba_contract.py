import pytest

from cfbench.testing import conformance_checks


@pytest.mark.parametrize("check", conformance_checks("cfbench-numba"), ids=str)
def test_contract(check):
    check()
