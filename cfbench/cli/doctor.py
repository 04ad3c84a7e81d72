"""``cfbench doctor``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from cfbench.cli.console import output
from cfbench.cli.option_types import OUTPUT
from cfbench.doctor.checks import Finding, diagnose
from cfbench.doctor.import_probe import DoctorOptions
from cfbench.errors import UsageError
from cfbench.files.printable import printable_line

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "problem": ("PROBLEM", "bold red")}


def doctor(
    *,
    folder: Annotated[Path, OUTPUT] = Path("runs"),
    data_dir: Path | None = None,
    time_limit: float = 20.0,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Check the installation and the machine: what is wrong, and how to fix it.

    Plugins are really imported, each distribution's in a confined process of its own that may crash or hang. The
    exit code is 1 where there is a problem; warnings leave it 0.

    Parameters
    ----------
    folder: Path
        The folder that runs are to be written to.
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    time_limit: float
        Seconds that the imports of one plugin distribution may take.
    as_json: bool
        Print one JSON object instead of the table.
    """
    if not time_limit > 0:
        raise UsageError(f"--time-limit must be above 0 seconds, got {time_limit:g}")
    findings = list(diagnose(DoctorOptions.here(folder, data_dir, time_limit)))
    problems, warnings = (sum(finding.level == level for finding in findings) for level in ("problem", "warning"))
    if as_json:
        counts = {"problems": problems, "warnings": warnings}
        print(json.dumps({"cfbench": version("cfbench"), **counts, "findings": [asdict(one) for one in findings]}))
        return 1 if problems else 0
    output().print(_table(findings))
    if problems or warnings:
        print(f"{problems} problem{'' if problems == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}")
    else:
        print("all is well")
    return 1 if problems else 0


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("topic", "", "what was found"):
        table.add_column(column, no_wrap=column != "what was found")
    topic = ""
    for finding in findings:
        mark, style = _MARKS[finding.level]
        text = Text(printable_line(finding.text))
        if finding.remedy:
            text.append(f"\n  -> {printable_line(finding.remedy)}", style="dim" if finding.level == "ok" else "bold")
        table.add_row(Text(finding.topic if finding.topic != topic else "", style="bold"), Text(mark, style), text)
        topic = finding.topic
    return table
