"""``cfbench report``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cfbench.cli.console import NO_PICTURES, output, tell, until_the_reader_leaves
from cfbench.records.record import Line
from cfbench.reporting.pictures import has_pictures
from cfbench.reporting.plots import can_draw
from cfbench.reporting.run_report import print_report, stored_lines, write_report


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


def show_tables(folder: Path, lines: Sequence[Line], notify: Callable[[str], None] = tell) -> list[Path]:
    """Write the tables into ``folder`` and print them, also those that cannot be written; return the files.

    ``notify`` is called with a message for each file, and one for pictures that cannot be drawn.
    """
    try:
        written = write_report(folder, lines)
    finally:
        with until_the_reader_leaves():
            print_report(lines, output())
    for file in written:
        notify(f"wrote {file}")
    if not can_draw() and has_pictures(lines):
        notify(NO_PICTURES)
    return written
