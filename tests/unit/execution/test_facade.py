"""The public names of the execution package are loaded when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cfbench.execution


@pytest.mark.parametrize("name", cfbench.execution.__all__)
def test_every_public_name_is_found(name):
    assert getattr(cfbench.execution, name) is not None


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Desk'"):
        _ = cfbench.execution.Desk


def test_the_package_loads_nothing_by_itself():
    program = "import sys, cfbench.execution; print([name for name in sys.modules if name.startswith('cfbench.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "['cfbench.execution']"
