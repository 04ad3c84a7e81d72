"""The contract of executors, on workers that are sent everything and on a cluster of its own."""

from __future__ import annotations

import pytest

from cfbench.testing.executors import executor_checks
from cfbench_dask.executor import DaskExecutor

IN_THIS_PROCESS = {
    "global random state of the caller is left alone": "Dask's scheduler chooses by it whom it asks for a result first"
}
# What is in another way where the cluster is this process's own; slow tests try the rest there too.
ITS_OWN = {
    *IN_THIS_PROCESS,
    "a task that holds more than its memory limit is ended",
    "an error of the queue ends the run, after the outcomes of what was computed",
    "an interrupt ends what runs, and leaves no process",
    "closing ends what runs, and leaves no process",
    "outcomes are those of the same task performed here, in any order and again",
    "signals, folder and environment of the caller stay",
    "what a model changes in its process is its own",
}


@pytest.mark.parametrize("check", executor_checks(), ids=str)
def test_a_cluster_that_is_there_keeps_the_contract(check, cluster, tmp_path):
    check(DaskExecutor(cluster.address, shared=False), tmp_path)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, marks=[pytest.mark.slow] * (str(check) not in ITS_OWN), id=str(check))
        for check in executor_checks(expected_failures=IN_THIS_PROCESS)
    ],
)
def test_a_cluster_of_its_own_keeps_the_contract(check, tmp_path):
    check(DaskExecutor(jobs=2), tmp_path)
