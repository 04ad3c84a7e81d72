"""Installed metrics by family, each with the contract that its class states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cfbench.errors import PluginError
from cfbench.evaluation.metrics.metric import Contract, family_rank
from cfbench.registry.registry import Plugin
from cfbench.reporting.table import BETTER

_STATED = (
    "formula",
    "needs",
    "direction",
    "averaging",
    "candidates",
    "relevance",
    "clipping",
    "cold_policy",
    "unit",
    "figure",
    "source",
)


@dataclass(frozen=True)
class Described:
    """A metric plugin with its contract.

    Attributes:
        plugin: who registers it, under which name.
        contract: its definition.
    """

    plugin: Plugin
    contract: Contract

    @property
    def parameters(self) -> list[str]:
        """Each parameter with type and default, as ``"k: int = 10"``."""
        return [str(parameter) for parameter in self.plugin.declaration.parameters.values()]

    @property
    def definition(self) -> list[tuple[str, str]]:
        """The contract, title and family apart, as pairs of a heading and one line of text."""
        lines = []
        for name in _STATED:
            value = getattr(self.contract, name)
            if name == "direction":
                text = BETTER.get(str(value), "neither higher nor lower is better")
            else:  # what a plugin states may be of any type
                text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            if text or name != "figure":  # only strata tables have a figure to name
                lines.append((name.replace("_", " "), " ".join(text.split()) or "n/a"))
        return lines


@dataclass(frozen=True)
class MetricFamilies:
    """All metrics that were asked for.

    Attributes:
        families: the metrics of each family by name, families in the order of
            :data:`cfbench.evaluation.metrics.metric.FAMILIES`.
        broken: why a metric cannot be described, by plugin.
    """

    families: Mapping[str, list[Described]]
    broken: Mapping[Plugin, str]

    @classmethod
    def of(cls, plugins: Iterable[Plugin]) -> MetricFamilies:
        """Import every metric class and sort them; one that cannot be imported, or states no contract, is broken."""
        families: dict[str, list[Described]] = {}
        broken: dict[Plugin, str] = {}
        for plugin in sorted(plugins, key=lambda plugin: (plugin.name.lower(), plugin.distribution)):
            try:
                contract = None if plugin.problem else getattr(plugin.load(), "contract", None)
            except PluginError as error:
                broken[plugin] = str(error)
                continue
            if plugin.problem:
                broken[plugin] = f"cannot be used: {plugin.problem}"
            elif isinstance(contract, Contract):
                families.setdefault(str(contract.family), []).append(Described(plugin, contract))
            else:
                broken[plugin] = "states no definition: it needs a class attribute 'contract' of type Contract"
        return cls({name: families[name] for name in sorted(families, key=family_rank)}, broken)
