"""``cfbench report``."""

from __future__ import annotations

from pathlib import Path

from cfbench.cli.tables import show_tables
from cfbench.report.files import stored_lines


def report(folder: Path, /) -> int:
    """Render the tables of a run again from its records: nothing is fitted or measured.

    Parameters
    ----------
    folder: Path
        A run's folder, or a published suite's, with records.jsonl in it.
    """
    lines = stored_lines(folder)
    show_tables(folder, lines)
    return 0
