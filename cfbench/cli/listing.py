"""``cfbench list``."""

from __future__ import annotations

from typing import Literal, TypeAlias

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cfbench.cli.console import listing, output
from cfbench.errors import CfbenchError
from cfbench.registry.registry import KINDS, Kind, Plugin, Registry, ShippedSuite, shipped_suites
from cfbench.reporting.table import shown

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
    remarks = dict[str, None]()
    for kind in KINDS:
        if what in (None, f"{kind}s"):
            plugins = registry.plugins(kind)
            console.print(_definitions(plugins) if kind == "metric" and long else _table(kind, plugins, long))
            remarks |= dict.fromkeys(text for plugin in plugins for _, text in registry.remarks(plugin))
            remarks |= dict.fromkeys(registry.likenesses(kind))
    if what in (None, "suites"):
        console.print(_suites())
    for text in remarks:
        console.print(shown(f"warning: {text}", "yellow"))
    return 0


def _suites() -> Table:
    """Return a table of the shipped suites with their descriptions, and how many claims of each can be verified."""
    from cfbench.experiment.suite import Suite  # noqa: PLC0415 - pydantic is needed for this table alone

    table = listing(Text("suites"), "name", "plugin", "claims", "description")
    for shipped in shipped_suites().values():
        claims, problem = "-", shipped.problem
        if not problem:
            try:
                suite = Suite.read(shipped.path)
                claims = str(sum(1 for expectation in suite.expected for _ in expectation.claims()))
            except CfbenchError as error:
                problem = str(error)
        description = shown(f"cannot be used: {problem}", "red") if problem else shown(suite.description)
        table.add_row(shown(shipped.name, "bold"), _owner(shipped), Text(claims), description)
    return table


def _table(kind: Kind, plugins: list[Plugin], long: bool) -> Table:
    with_capabilities = ("capabilities",) if kind == "model" else ()
    table = listing(Text(f"{kind}s"), "name", "plugin", *with_capabilities, "description")
    for plugin in plugins:
        if plugin.problem:
            capabilities, description = Text("-"), shown(f"cannot be used: {plugin.problem}", "red")
        else:
            declaration = plugin.declaration
            capabilities, description = shown(", ".join(declaration.capabilities)), shown(declaration.description)
            for parameter in declaration.parameters.values() if long else ():
                description.append("\n").append(shown(f"  {parameter}", "dim"))
        row = [shown(plugin.name, "bold"), _owner(plugin), capabilities, description]
        table.add_row(*(row if with_capabilities else [*row[:2], description]))
    return table


def _definitions(plugins: list[Plugin]) -> Group:
    """Return every metric with its whole contract, by family; those that cannot be described come last."""
    from cfbench.reporting.metric_pages import metric_families  # noqa: PLC0415 - brings the contracts, and numpy

    families, broken = metric_families(plugins)
    blocks: list[RenderableType] = []
    for family, metrics in families.items():
        blocks += [shown(f"metrics: {family}", "bold underline"), Text()]
        for metric in metrics:
            grid = Table.grid(padding=(0, 2))
            grid.add_column(no_wrap=True, style="dim")
            grid.add_column()
            for heading, text in [("title", metric.contract.title), *metric.definition]:
                grid.add_row(heading, shown(text))
            blocks.append(_block(metric.plugin, shown(metric.plugin.declaration.description), grid))
    blocks += [_block(plugin, shown(reason, "red")) for plugin, reason in broken.items()]
    return Group(*blocks)


def _block(plugin: Plugin, *parts: RenderableType) -> RenderableType:
    """Return ``parts``, indented, below a plugin's name and owner."""
    head = Text.assemble(shown(plugin.name, "bold"), "  ", _owner(plugin))
    return Group(head, Padding(Group(*parts), (0, 0, 1, 2)))


def _owner(found: Plugin | ShippedSuite) -> Text:
    return shown(f"{found.distribution} {found.version}")
