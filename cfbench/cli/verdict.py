"""What went wrong in a run, on standard error, and the exit code that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cfbench.cli.console import tell
from cfbench.records.record import Record


def verdict(records: Sequence[Record], told: Callable[[str], None] = tell) -> int:
    """Tell ``told`` every failure and return 1 where there was any, else 0."""
    complaints = [f"{one.status}: {one.cell}: {one.reason}" for one in records if one.status != "ok"]
    complaints += [
        f"metric {name} failed on {one.cell}: {how}" for one in records for name, how in one.broken_metrics.items()
    ]
    for complaint in complaints:
        told(f"cfbench: {complaint}")
    return 1 if complaints else 0
