"""`cfbench run --executor dask`, end to end: the same records, quiet, and clear where there is no cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

DATA = ("-d", "synthetic[n_items=60,n_ratings=1500,n_users=80]", "-s", "holdout")
MODELS = ("-m", "global-mean,bias,svd")


@pytest.fixture
def call(tmp_path, home):
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "PYTHONPATH": str(home), "PYTHONWARNINGS": "error"}
        command = (sys.executable, "-m", "cfbench", "run", *arguments)
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300, check=False
        )

    return call


def answers_in(folder: Path) -> dict[str, np.ndarray]:
    """All raw answers of a run, by cell and kind."""
    found = {}
    for path in (folder / "cells").glob("*.npz"):
        with np.load(path) as arrays:
            found |= {f"{path.stem} {kind}": arrays[kind] for kind in arrays.files}
    return found


def test_answers_of_a_cluster_equal_those_of_local_processes(call, cluster, tmp_path):
    for folder, executor in (("here", ()), ("there", ("--executor", "dask[shared=false]"))):
        where = ("--scheduler", cluster.address) if executor else ()
        done = call(*DATA, *MODELS, "-o", folder, *executor, *where)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert "distributed" not in done.stderr
    here, there = answers_in(tmp_path / "here"), answers_in(tmp_path / "there")
    assert len(here) > 6
    assert here.keys() == there.keys()
    for name, array in here.items():
        np.testing.assert_array_equal(there[name], array)


def test_a_cluster_of_its_own_says_nothing_of_itself(call):
    done = call(*DATA, "-m", "bias", "--executor", "dask", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "distributed" not in done.stderr + done.stdout
    assert "ok" in done.stderr


@pytest.mark.parametrize("address", ["nonsense", pytest.param("tcp://127.0.0.1:1", marks=pytest.mark.slow)])
def test_a_scheduler_that_does_not_answer_is_the_users_to_mend(call, address):
    began = time.monotonic()
    done = call(*DATA, "-m", "bias", "--executor", "dask", "--scheduler", address)
    assert done.returncode == 2
    assert f"cfbench: no Dask scheduler answers at {address}" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 120


def test_an_interrupt_ends_the_cells_on_the_workers(cluster, tmp_path, home):
    command = (sys.executable, "-m", "cfbench", "run", *DATA, "-m", "waits,bias", "-o", "cut", "--executor", "dask")
    environ = {**os.environ, "PYTHONPATH": str(home)}
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--scheduler", cluster.address], cwd=tmp_path, env=environ, stdout=out, stderr=out
        )
    until = time.monotonic() + 120
    while log.read_text().count(" ok ") < 1 and process.poll() is None:
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130, log.read_text()
    assert "Traceback" not in log.read_text()
    assert not [child for one in cluster.workers.values() for child in psutil.Process(one.pid).children(True)]
