"""Plugin classes imported and library versions found with the standard library alone."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from cfbench.errors import PluginError
from cfbench.registry.loading import library_versions, load_class

METADATA = """Metadata-Version: 2.1
Name: stranger
Version: 1
Requires-Dist: {requirement}
Requires-Dist: Typing_Extensions >=4
Requires-Dist: no-such-package>=2
Requires-Dist: pytest; extra == 'tests'
"""


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    def install(requirement="scipy>=1"):
        info = tmp_path / "stranger-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA.format(requirement=requirement))
        monkeypatch.syspath_prepend(tmp_path)

    return install


@pytest.mark.parametrize(
    "requirement", ["scipy>=1", "scipy", "scipy[test] (>=1)", "scipy>=1; python_version > '3'", "scipy @ file:///x"]
)
def test_versions_of_a_strangers_requirements_are_found_under_normalized_names(stranger, requirement):
    stranger(requirement)
    assert library_versions("stranger") == {
        name: metadata.version(name) for name in ("numpy", "scipy", "typing-extensions")
    }


def test_of_a_distribution_that_is_not_installed_numpy_alone_is_known():
    assert library_versions("no-such-package") == {"numpy": metadata.version("numpy")}


def test_no_version_is_found_on_an_empty_import_path(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    assert library_versions("cfbench") == {}


def test_an_entry_point_that_names_no_class_is_refused():
    with pytest.raises(PluginError, match=r"model 'x': json:loads is a function, expected a class"):
        load_class("json:loads", "model 'x'")


def test_loading_a_class_needs_the_standard_library_alone():
    program = (
        "import sys; before = set(sys.modules)\n"
        "import cfbench.registry.loading\n"
        "new = {name.split('.')[0] for name in sys.modules.keys() - before}\n"
        "print(sorted(new - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['cfbench']"
