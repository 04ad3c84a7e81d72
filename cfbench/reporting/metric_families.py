"""The installed metrics by family, each with the contract that its class states."""

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
_OF_TABLES = "figure"  # what stands for a table: other metrics have none to name


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
        stated = [name for name in _STATED if name != _OF_TABLES or self.contract.figure]
        return [(name.replace("_", " "), _line(name, getattr(self.contract, name))) for name in stated]


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
                described = Described(plugin, _contract(plugin))
            except PluginError as error:
                broken[plugin] = str(error)
            else:
                families.setdefault(str(described.contract.family), []).append(described)
        return cls({name: families[name] for name in sorted(families, key=family_rank)}, broken)


def _contract(plugin: Plugin) -> Contract:
    if plugin.problem:
        raise PluginError(f"cannot be used: {plugin.problem}")
    contract = getattr(plugin.load(), "contract", None)
    if not isinstance(contract, Contract):
        raise PluginError("states no definition: it needs a class attribute 'contract' of type Contract")
    return contract


def _line(name: str, value: object) -> str:
    """Render one field; what a plugin states may be of any type."""
    if name == "direction":
        return BETTER.get(str(value), "neither higher nor lower is better")
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return " ".join(text.split()) or "n/a"
