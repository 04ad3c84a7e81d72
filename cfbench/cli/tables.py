"""A run's tables, on the terminal and as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cfbench.cli.console import NO_PICTURES, output, tell, until_the_reader_leaves
from cfbench.drawing.canvas import can_draw
from cfbench.records.lines import Line
from cfbench.report.files import write_report
from cfbench.report.pictures import can_be_seen
from cfbench.report.terminal import print_report


def show_tables(folder: Path, lines: Sequence[Line], told: Callable[[str], None] = tell) -> list[Path]:
    """Write the tables into ``folder`` and print them, also what cannot be written; return the files.

    ``told`` hears of each file, and of pictures that cannot be drawn.
    """
    try:
        written = write_report(folder, lines)
    finally:
        with until_the_reader_leaves():
            print_report(lines, output())
    for file in written:
        told(f"wrote {file}")
    if not can_draw() and can_be_seen(lines):
        told(NO_PICTURES)
    return written
