"""Conformance checks for plugin authors: the contract, executable.

A plugin's whole contract test::

    import pytest
    from cfbench.testing import conformance_checks

    @pytest.mark.parametrize("check", conformance_checks("cfbench-torch"), ids=str)
    def test_contract(check):
        check()

A model class that no distribution registers yet is checked by :func:`checks_for`. A check that a model cannot pass
for a good reason is named, with the reason, in ``expected_failures``; one that passes all the same is an error. That a
saved model answers alike in another process too is tested by
:func:`cfbench.testing.new_process.require_the_same_in_a_new_process`.

Executors have checks of their own, in :mod:`cfbench.testing.executors`.
"""

from cfbench.testing.check import Check
from cfbench.testing.model_checks import checks_for, conformance_checks

__all__ = ["Check", "checks_for", "conformance_checks"]
