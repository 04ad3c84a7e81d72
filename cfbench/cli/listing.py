"""``cfbench list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cfbench.cli.console import output
from cfbench.discovery.declaration import Declaration
from cfbench.discovery.registry import KINDS, Kind, Plugin, Registry

if TYPE_CHECKING:  # brings the metrics' contracts, and numpy with them: only --long needs it
    from cfbench.report.metric_families import Described


Kinds: TypeAlias = Literal["models", "datasets", "preprocessors", "splitters", "metrics"]


def show(what: Kinds | None = None, /, *, long: bool = False) -> int:
    """Show what is installed: name, plugin, capabilities, description. Loads no model library.

    Parameters
    ----------
    what: str
        One of models, datasets, preprocessors, splitters, metrics; all where omitted.
    long: bool
        Show the parameters with their defaults too, and of metrics the whole definition, for which they are imported.
    """
    registry = Registry.discover()
    console = output()
    for kind in KINDS:
        if what in (None, f"{kind}s"):
            plugins = registry.plugins(kind)
            console.print(_definitions(plugins) if kind == "metric" and long else _table(kind, plugins, long))
    return 0


def _table(kind: Kind, plugins: list[Plugin], long: bool) -> Table:
    table = Table(title=Text(f"{kind}s"), title_justify="left", title_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("plugin")
    if kind == "model":
        table.add_column("capabilities")
    table.add_column("description")
    for plugin in plugins:
        table.add_row(*_row(kind, plugin, long))
    return table


def _row(kind: Kind, plugin: Plugin, long: bool) -> list[Text]:
    if plugin.problem:
        told, powers = Text(f"cannot be used: {plugin.problem}", style="red"), Text("-")
    else:
        declaration = plugin.declaration
        told, powers = _description(declaration, long), Text(", ".join(declaration.powers))
    capabilities = [powers] if kind == "model" else []
    return [Text(plugin.name, style="bold"), _owner(plugin), *capabilities, told]


def _description(declaration: Declaration, long: bool) -> Text:
    text = Text(declaration.description)
    for parameter in declaration.parameters.values() if long else ():
        text.append(f"\n  {parameter}", style="dim")
    return text


def _definitions(plugins: list[Plugin]) -> Group:
    """Show every metric with its whole contract, by family; those that cannot be described come last."""
    from cfbench.report.metric_families import MetricFamilies  # noqa: PLC0415 - see the head of this module

    found = MetricFamilies.of(plugins)
    blocks: list[RenderableType] = []
    for family, metrics in found.families.items():
        blocks += [Text(f"metrics: {family}", style="bold underline"), Text(), *map(_definition, metrics)]
    for plugin, reason in found.broken.items():
        blocks.append(_block(plugin, Text(reason, style="red")))
    return Group(*blocks)


def _definition(metric: Described) -> RenderableType:
    """Show a metric's description, contract and parameters."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column()
    parameters = (("parameter", parameter) for parameter in metric.parameters)
    for heading, text in [("title", metric.contract.title), *metric.definition, *parameters]:
        grid.add_row(heading, Text(text))
    return _block(metric.plugin, Text(metric.plugin.declaration.description), grid)


def _block(plugin: Plugin, *parts: RenderableType) -> RenderableType:
    """Show ``parts``, indented, below a plugin's name and owner."""
    head = Text.assemble(Text(plugin.name, style="bold"), "  ", _owner(plugin))
    return Group(head, Padding(Group(*parts), (0, 0, 1, 2)))


def _owner(plugin: Plugin) -> Text:
    return Text(f"{plugin.distribution} {plugin.version}")
