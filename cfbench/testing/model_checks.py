"""Conformance checks of models: every rule, applied to the models of a distribution or to a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cfbench.errors import PluginError, UnknownNameError
from cfbench.model.protocols import CAPABILITIES
from cfbench.registry.registry import Plugin, Registry
from cfbench.spec import Value
from cfbench.testing import fitting_rules, output_rules, saving_rules  # noqa: F401 - register rules
from cfbench.testing.model_under_test import ModelUnderTest, model_rule
from cfbench.testing.rule import Rule, require_known


@dataclass(frozen=True)
class Check:
    """A rule applied to a model; call it to run it.

    Attributes:
        rule: what is checked.
        subject: the model.
        expected_failure: why the model may break the rule, or an empty text.
    """

    rule: Rule[ModelUnderTest]
    subject: ModelUnderTest
    expected_failure: str = ""

    def __str__(self) -> str:
        return f"{self.subject.name}: {self.rule.name}"

    def __call__(self) -> None:
        """Run the check; raises AssertionError, with advice to the model's author, unless the model conforms.

        A model that conforms where a failure was expected fails too, so that exemptions do not outlive their reason.
        """
        self.rule.apply_to(self.subject, self.expected_failure)


def conformance_checks(
    distribution: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    params: Mapping[str, Mapping[str, Value]] | None = None,
) -> list[Check]:
    """Return the checks of every model that the installed ``distribution`` registers, importing none.

    ``expected_failures`` gives a reason for each check that may fail, by ``str(check)`` or, for all models, by the
    rule's name. ``params`` gives hyperparameters to check a model with, by the model's name, where its defaults would
    be slow on small data.

    Raises UnknownNameError where the distribution registers no model, or a name fits no check or model.
    """
    plugins = Registry.discover().plugins("model")
    mine = {plugin.name: plugin for plugin in plugins if plugin.distribution == distribution}
    if not mine:
        known = {plugin.distribution for plugin in plugins}
        raise UnknownNameError.among(
            "distribution with models", distribution, known, "(is it installed, with entry points in cfbench.models?)"
        )
    chosen = params or {}
    for name in chosen.keys() - mine.keys():
        raise UnknownNameError.among(f"model of {distribution}", name, mine)
    checks = []
    for plugin in mine.values():
        subject = ModelUnderTest(plugin.name, plugin.load, chosen.get(plugin.name, {}))
        declared = Rule("loads and is what its source declares", partial(_require_declared, plugin))
        checks.append(Check(declared, subject))
        try:
            rules = model_rule.for_capabilities(plugin.declaration.capabilities)
        except PluginError:  # which the first check raises
            continue
        checks += [Check(rule, subject) for rule in rules]
    return _with_exemptions(checks, expected_failures or {})


def checks_for(
    model: type[Any],
    *,
    name: str | None = None,
    expected_failures: Mapping[str, str] | None = None,
    params: Mapping[str, Value] | None = None,
) -> list[Check]:
    """Return the checks of a model class that need not be registered; the rest as :func:`conformance_checks`."""
    subject = ModelUnderTest(name or model.__name__, lambda: model, params or {})
    rules = model_rule.for_capabilities(_capabilities(model))
    return _with_exemptions([Check(rule, subject) for rule in rules], expected_failures or {})


def _require_declared(plugin: Plugin, subject: ModelUnderTest) -> None:
    """Require that the class can be loaded and has exactly the capabilities that can be read off its source."""
    subject.require(not plugin.problem, plugin.problem)
    declared, present = set(plugin.declaration.capabilities), _capabilities(plugin.load())
    subject.require(
        declared == present,
        f"its source declares {sorted(declared)}, the loaded class has {sorted(present)}; define the methods in the "
        "class body, where they can be read without importing",
    )


def _capabilities(model: type[Any]) -> set[str]:
    return {capability.name for capability in CAPABILITIES if hasattr(model, capability.method)}


def _with_exemptions(checks: list[Check], reasons: Mapping[str, str]) -> list[Check]:
    require_known(reasons, {str(check) for check in checks} | {check.rule.name for check in checks})
    return [
        replace(check, expected_failure=reasons.get(str(check)) or reasons.get(check.rule.name, "")) for check in checks
    ]
