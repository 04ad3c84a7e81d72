"""Conformance checks for authors of executors: the contract of :mod:`cfbench.execution.contract`, executable.

An executor's whole contract test::

    import pytest
    from cfbench.testing.executors import executor_checks
    from my_executors import ByHome

    @pytest.mark.parametrize("check", executor_checks(), ids=str)
    def test_contract(check, tmp_path):
        check(ByHome(), tmp_path)

Real tasks of small models are carried out. Workers that are not started by the executor itself need these models on
their path: :func:`models_for_executors` writes them.
"""

from cfbench.testing.executors import process_rules, task_rules  # noqa: F401 - register rules
from cfbench.testing.executors.executor_checks import ExecutorCheck, executor_checks, models_for_executors

__all__ = ["ExecutorCheck", "executor_checks", "models_for_executors"]
