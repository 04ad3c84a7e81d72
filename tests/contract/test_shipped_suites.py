"""Every shipped suite can be planned: all that it names is installed and takes its parameters."""

import pytest

from cfbench.experiment.plan import chosen_metrics
from cfbench.experiment.suite import Suite
from cfbench.registry.registry import Registry, shipped_suites
from cfbench.spec import Spec

REGISTRY = Registry.discover()


@pytest.mark.parametrize("name", shipped_suites())
def test_a_shipped_suite_names_what_is_installed(name):
    suite = Suite.find(name)
    assert suite.description
    parts = {
        "dataset": suite.datasets,
        "preprocessor": suite.preprocess,
        "splitter": suite.splits,
        "model": suite.models,
    }
    for kind, texts in parts.items():
        for spec in map(Spec.parse, texts):
            assert not REGISTRY.named(kind, spec.name).problem
            REGISTRY.parameters(kind, spec)
    assert len(chosen_metrics(suite.metrics, REGISTRY)) == len(suite.metrics)


@pytest.mark.parametrize("name", shipped_suites())
def test_what_a_shipped_suite_expects_is_measured_by_it(name):
    suite = Suite.find(name)
    measured = {metric.name for metric in chosen_metrics(suite.metrics, REGISTRY)}
    for expectation in suite.expected:
        assert {claim.metric.split(": ")[0] for claim in expectation.claims()} <= {*measured, ""}


@pytest.mark.parametrize("name", shipped_suites())
def test_a_shipped_suite_says_which_plugin_brings_each_of_its_models(name):
    suite = Suite.find(name)
    brought = {spec.name: REGISTRY.named("model", spec.name).distribution for spec in map(Spec.parse, suite.models)}
    assert suite.distributions == brought
