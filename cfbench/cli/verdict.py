"""What went wrong in a run, on standard error, and the exit code that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cfbench.cli.console import tell
from cfbench.records.record import Record


def verdict(records: Sequence[Record], told: Callable[[str], None] = tell) -> int:
    """Tell ``told`` every failure and return 1 where there was any, or where nothing could be run, else 0.

    A model whose plugin is not installed is told too, but it fails nothing where others ran.
    """
    missing = {one.cell.model: one.reason for one in records if not one.cell.installed}
    failed = [f"{one.status}: {one.cell}: {one.reason}" for one in records if one.cell.installed and one.status != "ok"]
    failed += [
        f"metric {name} failed on {one.cell}: {how}" for one in records for name, how in one.broken_metrics.items()
    ]
    for complaint in [*(f"skipped: {model} {reason}" for model, reason in missing.items()), *failed]:
        told(f"cfbench: {complaint}")
    nothing_ran = bool(records) and all(one.status != "ok" for one in records)
    return 1 if failed or nothing_ran else 0
