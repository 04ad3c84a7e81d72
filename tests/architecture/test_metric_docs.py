"""The pages of docs/metrics say what the contracts say, and what is installed is what pyproject.toml registers."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cfbench.evaluation.metrics.metric import FAMILIES
from cfbench.registry.registry import Registry
from cfbench.reporting.metric_pages import INDEX, own_families, pages

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "metrics"
AGAIN = "run `python -m cfbench.reporting.metric_pages docs/metrics`"


def test_the_installed_metrics_are_those_that_the_project_registers():
    registered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["cfbench.metrics"]
    installed = {p.name: p.value for p in Registry.discover().plugins("metric") if p.distribution == "cfbench"}
    assert installed == registered, "run `pip install -e .` again"


def test_the_pages_are_rendered_from_the_contracts():
    texts = pages(own_families(), (FOLDER / INDEX).read_text())
    assert {path.name: path.read_text() for path in FOLDER.glob("*.md")} == texts, AGAIN


def test_every_metric_of_the_project_is_of_a_known_family():
    assert set(own_families()) <= set(FAMILIES)


@pytest.mark.parametrize("family", own_families())
def test_every_contract_is_filled_in(family):
    for metric in own_families()[family]:
        contract = metric.contract
        for text in (contract.title, contract.formula, contract.averaging, contract.cold_policy, contract.source):
            assert text.strip(), metric.plugin.name
        assert contract.needs, metric.plugin.name
        assert format(0.5, contract.display), metric.plugin.name
        assert metric.plugin.declaration.description.endswith("."), metric.plugin.name
        if "lists" in contract.needs:
            assert contract.candidates != "n/a", metric.plugin.name
        if contract.needs == ("ratings",) and contract.unit == "rating":
            assert contract.clipping != "n/a", metric.plugin.name
