"""A run's tables, on the terminal and as files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cfbench.cli.console import output, until_the_reader_leaves
from cfbench.records.lines import Line
from cfbench.report.files import write_report
from cfbench.report.terminal import print_report


def show_tables(folder: Path, lines: Sequence[Line]) -> None:
    """Write the tables into ``folder`` and print them; what cannot be written is printed all the same."""
    try:
        written = write_report(folder, lines)
    finally:
        with until_the_reader_leaves():
            print_report(lines, output())
    for file in written:
        print(f"wrote {file}", file=sys.stderr)
