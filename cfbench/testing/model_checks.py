"""All rules, applied to the models of a distribution or to a class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cfbench.errors import PluginError, UnknownNameError
from cfbench.model.protocols import CAPABILITIES
from cfbench.registry.registry import Plugin, Registry
from cfbench.spec import Value
from cfbench.testing import (
    cold_start_checks,
    consistency_checks,
    construction_checks,
    embedding_checks,
    fit_checks,
    isolation_checks,
    output_checks,
    saving_checks,
)
from cfbench.testing.check import Check, Rule
from cfbench.testing.expected_failure import require_known
from cfbench.testing.model_under_test import ModelUnderTest

RULES: tuple[Rule, ...] = (
    *construction_checks.RULES,
    *output_checks.RULES,
    *consistency_checks.RULES,
    *isolation_checks.RULES,
    *fit_checks.RULES,
    *embedding_checks.RULES,
    *cold_start_checks.RULES,
    *saving_checks.RULES,
)


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
    mine = [plugin for plugin in plugins if plugin.distribution == distribution]
    if not mine:
        known = {plugin.distribution for plugin in plugins}
        raise UnknownNameError.among(
            "distribution with models", distribution, known, "(is it installed, with entry points in cfbench.models?)"
        )
    chosen = dict(params or {})
    for name in chosen.keys() - {plugin.name for plugin in mine}:
        raise UnknownNameError.among(f"model of {distribution}", name, (plugin.name for plugin in mine))
    checks = [check for plugin in mine for check in _checks_of(plugin, chosen.get(plugin.name, {}))]
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
    capabilities = [power.name for power in CAPABILITIES if hasattr(model, power.method)]
    checks = [Check(rule, subject) for rule in RULES if rule.applies(capabilities)]
    return _with_exemptions(checks, expected_failures or {})


def _checks_of(plugin: Plugin, params: Mapping[str, Value]) -> list[Check]:
    subject = ModelUnderTest(plugin.name, plugin.load, params)
    declared = Rule("loads and is what its source declares", lambda _: _require_declared(plugin))
    try:
        capabilities = plugin.declaration.capabilities
    except PluginError:
        return [Check(declared, subject)]
    return [Check(rule, subject) for rule in (declared, *RULES) if rule.applies(capabilities)]


def _require_declared(plugin: Plugin) -> None:
    """Demand that the class can be loaded and has exactly the powers that can be read off its source."""
    if plugin.problem:
        raise AssertionError(f"{plugin.name}: {plugin.problem}")
    model = plugin.load()
    declared = set(plugin.declaration.capabilities)
    present = {power.name for power in CAPABILITIES if hasattr(model, power.method)}
    if declared != present:
        raise AssertionError(
            f"{plugin.name}: its source declares {sorted(declared)}, the loaded class has {sorted(present)}; "
            "define the methods in the class body, where they can be read without importing"
        )


def _with_exemptions(checks: Iterable[Check], reasons: Mapping[str, str]) -> list[Check]:
    found = list(checks)
    require_known(reasons, {str(check) for check in found} | {check.rule.name for check in found})
    return [
        Check(check.rule, check.subject, reasons.get(str(check)) or reasons.get(check.rule.name, "")) for check in found
    ]
