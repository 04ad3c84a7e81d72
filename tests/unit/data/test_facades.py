"""The facades from which third-party data sets, preprocessors and splitters import."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("facade", ["cfbench.data", "cfbench.data.splits"])
def test_a_facade_loads_numpy_and_the_standard_library_alone(facade):
    program = f"import sys, {facade}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    plain = subprocess.run(
        [sys.executable, "-c", "import sys, numpy; print(*{name.partition('.')[0] for name in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(loaded) - set(plain) - sys.stdlib_module_names == {"cfbench"}
