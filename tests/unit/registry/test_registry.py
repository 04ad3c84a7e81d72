"""Plugins found, refused and resolved."""

from __future__ import annotations

import pytest

from cfbench.errors import PluginError, SpecError, UnknownNameError, UsageError
from cfbench.registry.registry import Plugin, Registry
from cfbench.spec import Spec


def plugin(name="holdout", value="cfbench.data.splits.splitters:Holdout", distribution="cfbench", clash=""):
    return Plugin("splitter", name, value, distribution, "1.0", clash)


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


def model(name, distribution):
    return Plugin("model", name, "none:None", distribution, "1.0")


@pytest.mark.parametrize("likeness", ["dot-bia5", "dot-bais", "d0t-bias", "dot-bi\u0430s", "dotbias"])
def test_a_first_party_model_is_never_the_suspect(likeness):
    known, other = model("dot-bias", "cfbench-torch"), model(likeness, "another")
    registry = Registry([known, other])
    assert "look-alike" not in dict(registry.remarks(known))
    assert registry.likenesses("model") == []
    ((code, text),) = registry.remarks(other)
    assert code == "look-alike"
    assert f"model {likeness} may not be what it seems" in text


def test_of_two_strangers_names_neither_stains_the_others_record_and_both_are_told():
    one, other = model("grand-mf", "rival"), model("grnad-mf", "another")
    registry = Registry([one, other, model("grand-mfs", "rival")])
    assert registry.remarks(one) == registry.remarks(other) == []
    assert registry.likenesses("model") == [
        "model grnad-mf and another can be taken for each other: its name is one letter off grand-mf",
        "model grand-mf and another can be taken for each other: its name is one letter off grnad-mf",
    ]
    assert registry.likenesses("metric") == []


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'holdout'"):
        Registry([plugin()]).named("splitter", "holdot")


def test_an_unknown_parameter_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'share'"):
        Registry([plugin()]).parameters("splitter", Spec.parse("holdout[shar=0.1]"))


def test_a_parameter_of_the_wrong_type_is_refused():
    with pytest.raises(SpecError, match="share expects a number, got 'much'"):
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
    registry = Registry([plugin(clash="the name is registered twice")])
    with pytest.raises(PluginError, match="registered twice"):
        registry.create("splitter", Spec("holdout"))


def test_a_plugin_whose_requirements_are_not_met_is_listed_with_what_it_needs(tmp_path, monkeypatch):
    info = tmp_path / "needy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: needy\nVersion: 1\n"
        "Requires-Dist: no-such-package>=2\nRequires-Dist: numpy>=999\n"
        "Requires-Dist: another-one; extra == 'more'\n"
    )
    (info / "entry_points.txt").write_text("[cfbench.models]\nneedy = needy:Model\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = Registry.discover().named("model", "needy")
    assert "no-such-package>=2 (not installed)" in found.problem
    assert "numpy>=999 (found" in found.problem
    assert "another-one" not in found.problem
