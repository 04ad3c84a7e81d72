"""Conformance checks for plugin authors: the contract, executable.

A plugin's whole contract test::

    import pytest
    from cfbench.testing import conformance_checks

    @pytest.mark.parametrize("check", conformance_checks("my-recommenders"), ids=str)
    def test_contract(check):
        check()

A model class that no distribution registers yet is checked by :func:`checks_for`. A check that a model cannot pass
for a good reason is named, with the reason, in ``expected_failures``; one that passes all the same is an error. That a
saved model gives the same output in another process too is tested by :func:`require_the_same_in_a_new_process`.

:func:`random_ratings` and :func:`described_ratings` are training sets for tests of one's own. Executors have checks of
their own, in :mod:`cfbench.testing.executors`.
"""

from cfbench.testing import model_rules, saving_rules  # noqa: F401 - register rules
from cfbench.testing.model_checks import Check, checks_for, conformance_checks, described_ratings, random_ratings
from cfbench.testing.saving_rules import require_the_same_in_a_new_process

__all__ = [
    "Check",
    "checks_for",
    "conformance_checks",
    "described_ratings",
    "random_ratings",
    "require_the_same_in_a_new_process",
]
