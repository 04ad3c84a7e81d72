"""Table of where the time of a run went."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cfbench.monitoring.timing import MODELS_OWN, Spent, Times

_SHOWN = 0.05  # seconds; what took less is left out
_OWN = {
    "load": "load data",
    "split": "split",
    "write inputs": "write inputs",
    "measure": "metrics",
    "summarise": "intervals and comparisons",
    "write": "write",
    "report": "tables and pictures",
}
_CELLS = {
    "waiting": "libraries and start",
    "import": "import",
    "load": "load data",
    "fit": "fit",
    "add_cold_entities": "add cold users and items",
    "predict": "predict",
    "rank": "rank",
    "check": "predict training rows",
    "save": "save",
    "write": "write answers",
    "cell": "cells that died or were ended",
}


def timing_table(times: Times) -> RenderableType:
    """Show a run's times: its own parts, then those of its cells together, with their share of the whole."""
    summary = f"{times.computed} cells computed, {times.kept} kept, in {times.wall:.1f} s"
    table = Table(box=None, pad_edge=False)
    table.add_column("where the time went")
    for heading in ("seconds", "CPU seconds", "share"):
        table.add_column(heading, justify="right")
    own = dict(times.own)
    own["waiting for cells"] = Spent(max(0.0, times.wall - sum(spent.wall for spent in own.values())), 0.0)
    _add_part(table, "the run itself", own, _OWN, times.wall)
    _add_part(table, "its cells", times.cells, _CELLS, sum(spent.wall for spent in times.cells.values()))
    if times.models_share is None:
        return Group(Text(summary), table)
    share = f"the models' own work ({', '.join(MODELS_OWN)}): {times.models_share:.0%} of the cells' time"
    return Group(Text(summary), table, Text(share))


def _add_part(table: Table, heading: str, parts: Mapping[str, Spent], words: Mapping[str, str], whole: float) -> None:
    """Add the parts that took any time, in the order in which they are worked on; unknown ones come last."""
    shown = [part for part in [*words, *(parts.keys() - words.keys())] if part in parts and parts[part].wall >= _SHOWN]
    if not shown:
        return
    table.add_row(Text(heading, style="bold"))
    for part in shown:
        spent = parts[part]
        cpu = f"{spent.cpu:,.1f}" if spent.cpu else ""
        table.add_row(Text(f"  {words.get(part, part)}"), f"{spent.wall:,.1f}", cpu, f"{spent.wall / whole:.0%}")
