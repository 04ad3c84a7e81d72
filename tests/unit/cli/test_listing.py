"""``cfbench list``: what is installed, and whole contracts with ``--long``."""

from __future__ import annotations

import pytest

from cfbench.cli import listing
from cfbench.registry.registry import Plugin, Registry


@pytest.fixture
def shown(capsys, monkeypatch):
    """What the command prints for the given plugins, or for those installed."""

    def call(*arguments, plugins=None, **options) -> str:
        if plugins is not None:
            monkeypatch.setattr(Registry, "discover", classmethod(lambda cls: cls(plugins)))
            monkeypatch.setattr("cfbench.registry.registry.missing_packages", lambda distribution: ())
        assert listing.show(*arguments, **options) == 0
        return capsys.readouterr().out

    return call


def metric(name, value):
    return Plugin("metric", name, value, "somebody", "2.0")


@pytest.mark.parametrize(
    "text",
    [
        "metrics: ranking",
        "mean_u |L_u & Rel_u| / k",
        "training catalogue minus the user's training items",
        "test rating >= relevant_from",
        "higher is better",
        "k: int = 10",
        "Järvelin and Kekäläinen 2002",
        "cfbench",
    ],
)
def test_long_metrics_show_the_whole_contract_and_the_parameters(shown, text):
    assert text in " ".join(shown("metrics", long=True).split())


def test_without_long_one_line_describes_a_metric(shown):
    text = shown("metrics")
    assert "Root mean squared error" in text
    assert "Rel_u" not in text


def test_metrics_are_grouped_by_family(shown):
    text = shown("metrics", long=True)
    places = [text.index(f"metrics: {family}") for family in ("accuracy", "ranking", "cold start", "cost")]
    assert places == sorted(places)


def test_a_metric_that_cannot_be_loaded_says_why_beside_the_others(shown):
    plugins = [
        metric("bad[name]", "no_such_module_anywhere:Bad"),
        metric("good", "cfbench.evaluation.metrics.accuracy:RMSE"),
    ]
    text = " ".join(shown("metrics", long=True, plugins=plugins).split())
    assert "bad[name] somebody 2.0 cannot be used: there is no module 'no_such_module_anywhere'" in text
    assert "good somebody 2.0 Root mean squared error" in text


def test_a_metric_without_contract_says_what_it_needs(shown):
    text = shown("metrics", long=True, plugins=[metric("odd", "cfbench.evaluation.metrics.metric:CutOff")])
    assert "class attribute 'contract'" in " ".join(text.split())


def test_other_kinds_show_their_parameters_with_long(shown):
    assert "k: int = " not in shown("splitters")
    assert "k: int = " in shown("splitters", long=True)
