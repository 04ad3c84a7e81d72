"""Conformance checks for plugin authors: the contract, executable.

A plugin's whole contract test::

    import pytest
    from cfbench.testing import conformance_checks

    @pytest.mark.parametrize("check", conformance_checks("cfbench-torch"), ids=str)
    def test_contract(check):
        check()
"""
