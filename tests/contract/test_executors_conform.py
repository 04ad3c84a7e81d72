"""Every installed executor is held to the contract, in exactly one place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cfbench.execution.executors import InProcessExecutor, ProcessExecutor
from cfbench.registry.registry import Registry
from cfbench.testing.executors import executor_checks

PLUGINS = Path(__file__).parents[2] / "plugins"
FIRST_PARTY = {path.parent.name for path in PLUGINS.glob("*/pyproject.toml") if "cfbench.executors" in path.read_text()}
FOR_DEBUGGERS = {
    "what a model prints is in its log, the end of it in the outcome of a failure": "a debugger needs the terminal"
}


@pytest.mark.parametrize("check", executor_checks(), ids=str)
@pytest.mark.parametrize("jobs", [1, 2])
def test_processes(check, jobs, tmp_path):
    check(ProcessExecutor(jobs), tmp_path)


@pytest.mark.parametrize("check", executor_checks(isolates=False, expected_failures=FOR_DEBUGGERS), ids=str)
def test_in_process(check, tmp_path, monkeypatch):
    monkeypatch.setattr("cfbench.testing.executors.task_rules._TO_THE_END", 0.0)  # here no task ends meanwhile
    check(InProcessExecutor(), tmp_path)


@pytest.mark.parametrize("distribution", sorted(FIRST_PARTY))
def test_a_first_party_distribution_runs_the_checks_in_its_own_tests(distribution):
    own = (path.read_text() for path in (PLUGINS / distribution / "tests").glob("test_*_contract.py"))
    assert any("executor_checks(" in text for text in own)


def test_any_other_installed_executor_that_needs_no_parameters_conforms(tmp_path):
    for plugin in Registry.discover().plugins("executor"):
        required = [one for one in plugin.declaration.parameters.values() if one.required]
        if plugin.distribution not in FIRST_PARTY | {"cfbench"} and not required:
            for number, check in enumerate(executor_checks()):
                check(plugin.load()(), tmp_path / f"{plugin.name}-{number}")


def test_checks_for_models_load_no_executor():
    program = "import sys, cfbench.testing; print([name for name in sys.modules if 'executors' in name])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
