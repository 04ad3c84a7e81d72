"""The contract of executors, on workers that are sent everything and on a cluster of its own."""

from __future__ import annotations

import pytest

from cfbench.testing.executors import executor_checks
from cfbench_dask.executor import DaskExecutor

IN_THIS_PROCESS = {
    "global random state of the caller is left alone": "Dask's scheduler chooses by it whom it asks for a result first"
}


@pytest.mark.parametrize("check", executor_checks(), ids=str)
def test_a_cluster_that_is_there_keeps_the_contract(check, cluster, tmp_path):
    check(DaskExecutor(cluster.address, shared=False), tmp_path)


@pytest.mark.parametrize("check", executor_checks(expected_failures=IN_THIS_PROCESS), ids=str)
def test_a_cluster_of_its_own_keeps_the_contract(check, tmp_path):
    check(DaskExecutor(jobs=2), tmp_path)
