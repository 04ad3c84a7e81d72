"""Every installed distribution with models is held to the contract, in exactly one place."""

from pathlib import Path

import pytest

from cfbench.registry.registry import Registry
from cfbench.testing import conformance_checks

PLUGINS = Path(__file__).parents[2] / "plugins"
FIRST_PARTY = sorted(
    path.parent.name for path in PLUGINS.glob("*/pyproject.toml") if "cfbench.models" in path.read_text()
)
INSTALLED = sorted({plugin.distribution for plugin in Registry.discover().plugins("model")})


@pytest.mark.parametrize("distribution", FIRST_PARTY)
def test_a_first_party_plugin_runs_the_conformance_checks_in_its_own_tests(distribution):
    own = [path.read_text() for path in (PLUGINS / distribution / "tests").glob("test_*_contract.py")]
    assert any(f'conformance_checks("{distribution}"' in text for text in own)


@pytest.mark.parametrize("distribution", FIRST_PARTY)
def test_a_first_party_plugin_is_installed_and_registers_models(distribution):
    assert distribution in INSTALLED


def test_any_other_installed_plugin_conforms():
    strangers = [name for name in INSTALLED if name not in FIRST_PARTY]
    for check in (check for name in strangers for check in conformance_checks(name)):
        check()
