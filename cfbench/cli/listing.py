"""``cfbench list``."""

from __future__ import annotations

from typing import Literal

from rich.table import Table
from rich.text import Text

from cfbench.cli.console import output
from cfbench.declaration import Declaration
from cfbench.registry import KINDS, Kind, Plugin, Registry


def show(what: Literal["models", "datasets", "splitters", "metrics"] | None = None, /, *, long: bool = False) -> int:
    """Show what is installed: name, plugin, capabilities, description. Loads no model library.

    Parameters
    ----------
    what: str
        One of models, datasets, splitters, metrics; all where omitted.
    long: bool
        Show the parameters with their defaults too.
    """
    registry = Registry.discover()
    console = output()
    for kind in KINDS:
        if what in (None, f"{kind}s"):
            console.print(_table(kind, registry.plugins(kind), long))
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
    owner = Text(f"{plugin.distribution} {plugin.version}")
    if plugin.problem:
        told, powers = Text(f"cannot be used: {plugin.problem}", style="red"), Text("-")
    else:
        declaration = plugin.declaration
        told, powers = _description(declaration, long), Text(", ".join(declaration.powers))
    capabilities = [powers] if kind == "model" else []
    return [Text(plugin.name, style="bold"), owner, *capabilities, told]


def _description(declaration: Declaration, long: bool) -> Text:
    text = Text(declaration.description)
    for parameter in declaration.parameters.values() if long else ():
        default = "required" if parameter.required else repr(parameter.default)
        text.append(f"\n  {parameter.name}: {parameter.annotation} = {default}", style="dim")
    return text
