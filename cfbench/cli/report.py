"""``cfbench report``."""

from __future__ import annotations

import sys
from pathlib import Path

from cfbench.cli.console import output, until_the_reader_leaves
from cfbench.report.files import stored_lines, write_report
from cfbench.report.terminal import print_report


def report(folder: Path, /) -> int:
    """Render the tables of a run again from its records: nothing is fitted or measured.

    Parameters
    ----------
    folder: Path
        A run's folder, or a published suite's, with records.jsonl in it.
    """
    lines = stored_lines(folder)
    with until_the_reader_leaves():
        print_report(lines, output())
    written = write_report(folder, lines)
    for file in written:
        print(f"wrote {file}", file=sys.stderr)
    return 0
