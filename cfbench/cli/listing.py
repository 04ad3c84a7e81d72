"""``cfbench list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cfbench.cli.console import listing, output
from cfbench.errors import CfbenchError
from cfbench.registry.declaration import Declaration
from cfbench.registry.registry import KINDS, Kind, Plugin, Registry
from cfbench.registry.shipped_suites import ShippedSuite, shipped_suites
from cfbench.reporting.terminal import shown

if TYPE_CHECKING:  # brings the metrics' contracts, and numpy with them: only --long needs it
    from cfbench.reporting.metric_families import Described


Kinds: TypeAlias = Literal[
    "models", "datasets", "preprocessors", "splitters", "metrics", "executors", "trackers", "suites"
]


def show(what: Kinds | None = None, /, *, long: bool = False) -> int:
    """Show what is installed: name, plugin, capabilities, description. Loads no model library.

    Parameters
    ----------
    what: str
        One of models, datasets, preprocessors, splitters, metrics, executors, trackers, suites; all where omitted.
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
    table = listing(Text("suites"), "name", "plugin", "claims", "description")
    for shipped in shipped_suites().values():
        claims, told = _described(shipped)
        owner = shown(f"{shipped.distribution} {shipped.version}")
        table.add_row(shown(shipped.name, "bold"), owner, Text(claims), told)
    return table


def _described(shipped: ShippedSuite) -> tuple[str, Text]:
    """Return how many claims a suite makes and its description, or why it cannot be used."""
    from cfbench.experiment.suite import Suite  # noqa: PLC0415 - pydantic is needed for this table alone

    try:
        suite = None if shipped.problem else Suite.read(shipped.path)
    except CfbenchError as error:
        return "-", shown(f"cannot be used: {error}", "red")
    if suite is None:
        return "-", shown(f"cannot be used: {shipped.problem}", "red")
    return str(sum(1 for expectation in suite.expected for _ in expectation.claims())), shown(suite.description)


def _table(kind: Kind, plugins: list[Plugin], long: bool) -> Table:
    columns = (
        ("name", "plugin", "capabilities", "description") if kind == "model" else ("name", "plugin", "description")
    )
    table = listing(Text(f"{kind}s"), *columns)
    for plugin in plugins:
        table.add_row(*_row(kind, plugin, long))
    return table


def _row(kind: Kind, plugin: Plugin, long: bool) -> list[Text]:
    if plugin.problem:
        description, capabilities = shown(f"cannot be used: {plugin.problem}", "red"), Text("-")
    else:
        declaration = plugin.declaration
        description, capabilities = _description(declaration, long), shown(", ".join(declaration.capabilities))
    cells = [capabilities] if kind == "model" else []
    return [shown(plugin.name, "bold"), _owner(plugin), *cells, description]


def _description(declaration: Declaration, long: bool) -> Text:
    text = shown(declaration.description)
    for parameter in declaration.parameters.values() if long else ():
        text.append("\n").append(shown(f"  {parameter}", "dim"))
    return text


def _definitions(plugins: list[Plugin]) -> Group:
    """Show every metric with its whole contract, by family; those that cannot be described come last."""
    from cfbench.reporting.metric_families import MetricFamilies  # noqa: PLC0415 - see the head of this module

    found = MetricFamilies.of(plugins)
    blocks: list[RenderableType] = []
    for family, metrics in found.families.items():
        blocks += [shown(f"metrics: {family}", "bold underline"), Text(), *map(_definition, metrics)]
    for plugin, reason in found.broken.items():
        blocks.append(_block(plugin, shown(reason, "red")))
    return Group(*blocks)


def _definition(metric: Described) -> RenderableType:
    """Show a metric's description, contract and parameters."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column()
    parameters = (("parameter", parameter) for parameter in metric.parameters)
    for heading, text in [("title", metric.contract.title), *metric.definition, *parameters]:
        grid.add_row(heading, shown(text))
    return _block(metric.plugin, shown(metric.plugin.declaration.description), grid)


def _block(plugin: Plugin, *parts: RenderableType) -> RenderableType:
    """Show ``parts``, indented, below a plugin's name and owner."""
    head = Text.assemble(shown(plugin.name, "bold"), "  ", _owner(plugin))
    return Group(head, Padding(Group(*parts), (0, 0, 1, 2)))


def _owner(plugin: Plugin) -> Text:
    return shown(f"{plugin.distribution} {plugin.version}")
