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
from cfbench.discovery.suites import ShippedSuite, shipped_suites
from cfbench.errors import CfbenchError

if TYPE_CHECKING:  # brings the metrics' contracts, and numpy with them: only --long needs it
    from cfbench.report.metric_families import Described


Kinds: TypeAlias = Literal["models", "datasets", "preprocessors", "splitters", "metrics", "suites"]


def show(what: Kinds | None = None, /, *, long: bool = False) -> int:
    """Show what is installed: name, plugin, capabilities, description. Loads no model library.

    Parameters
    ----------
    what: str
        One of models, datasets, preprocessors, splitters, metrics, suites; all where omitted.
    long: bool
        Show the parameters with their defaults too, and of metrics the whole definition, for which they are imported.
    """
    registry = Registry.discover()
    console = output()
    for kind in KINDS:
        if what in (None, f"{kind}s"):
            plugins = registry.plugins(kind)
            console.print(_definitions(plugins) if kind == "metric" and long else _table(kind, plugins, long))
    if what in (None, "suites"):
        console.print(_suites())
    return 0


def _suites() -> Table:
    """Show every shipped suite with what it says of itself, and how much of it can be verified."""
    table = Table(title=Text("suites"), title_justify="left", title_style="bold")
    for column in ("name", "plugin", "claims", "description"):
        table.add_column(column, no_wrap=column == "name")
    for shipped in shipped_suites().values():
        claims, told = _described(shipped)
        owner = Text(f"{shipped.distribution} {shipped.version}")
        table.add_row(Text(shipped.name, style="bold"), owner, Text(claims), told)
    return table


def _described(shipped: ShippedSuite) -> tuple[str, Text]:
    """Return how many claims a suite makes and its description, or why it cannot be used."""
    from cfbench.planning.suite import Suite  # noqa: PLC0415 - pydantic is needed for this table alone

    try:
        suite = None if shipped.problem else Suite.read(shipped.path)
    except CfbenchError as error:
        return "-", Text(f"cannot be used: {error}", style="red")
    if suite is None:
        return "-", Text(f"cannot be used: {shipped.problem}", style="red")
    return str(sum(1 for expectation in suite.expected for _ in expectation.claims())), Text(suite.description)


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
