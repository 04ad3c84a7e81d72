"""Plugins found, refused and resolved."""

from __future__ import annotations

import pytest

from cfbench.errors import PluginError, SpecError, UnknownNameError, UsageError
from cfbench.registry import Plugin, Registry
from cfbench.spec import Spec


def plugin(name="holdout", value="cfbench.splits.holdout:Holdout", distribution="cfbench", problem=""):
    return Plugin("splitter", name, value, distribution, "1.0", problem)


def test_installed_plugins_carry_distribution_and_version():
    found = {p.name: p for p in Registry.discover().plugins("splitter")}
    assert found["holdout"].distribution == "cfbench"
    assert found["holdout"].version
    assert not found["holdout"].problem


def test_a_name_registered_twice_is_a_problem_that_names_both_distributions():
    registry = Registry([plugin(), plugin(distribution="other")])
    assert all("cfbench 1.0 and other 1.0" in p.problem for p in registry.plugins("splitter"))
    with pytest.raises(UsageError, match=r"cfbench 1\.0 and other 1\.0"):
        registry.named("splitter", "holdout")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'holdout'"):
        Registry([plugin()]).named("splitter", "holdot")


def test_an_unknown_parameter_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'share'"):
        Registry([plugin()]).parameters("splitter", Spec.parse("holdout[shar=0.1]"))


def test_a_parameter_of_the_wrong_type_is_refused():
    with pytest.raises(SpecError, match="share expects float, got 'much'"):
        Registry([plugin()]).parameters("splitter", Spec.parse("holdout[share=much]"))


def test_parameters_are_completed_with_defaults():
    assert Registry([plugin()]).parameters("splitter", Spec.parse("holdout")) == {"share": 0.2}


def test_a_value_that_the_plugin_refuses_is_the_users_mistake():
    with pytest.raises(UsageError, match="share"):
        Registry([plugin()]).create("splitter", Spec.parse("holdout[share=7]"))


def test_a_plugin_whose_import_exits_is_an_error_not_an_exit(tmp_path, monkeypatch):
    (tmp_path / "leaving.py").write_text("raise SystemExit(3)\nclass Model: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="SystemExit: 3"):
        plugin(value="leaving:Model").load()


def test_a_plugin_with_a_problem_cannot_be_created_and_says_why():
    registry = Registry([plugin(problem="needs torch (not installed)")])
    with pytest.raises(PluginError, match="needs torch"):
        registry.create("splitter", Spec("holdout"))
