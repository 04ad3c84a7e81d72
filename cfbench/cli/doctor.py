"""``cfbench doctor``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cfbench.cli.console import output
from cfbench.cli.folders import OUTPUT
from cfbench.doctor.diagnosis import diagnose
from cfbench.doctor.doctor_options import DoctorOptions
from cfbench.doctor.finding import Finding, Level
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
    """Look over the installation and the machine: what is wrong, and how to mend it.

    Plugins are really imported, each distribution's in a process of its own that may crash or hang. The exit code is
    1 where there is a problem; warnings leave it 0.

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
    levels = Counter(finding.level for finding in findings)
    if as_json:
        counts = {"problems": levels["problem"], "warnings": levels["warning"]}
        print(json.dumps({"cfbench": version("cfbench"), **counts, "findings": [asdict(one) for one in findings]}))
    else:
        _show(findings, output())
        print(_verdict(levels))
    return 1 if levels["problem"] else 0


def _show(findings: Sequence[Finding], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("topic", "", "what was found"):
        table.add_column(column, no_wrap=column != "what was found")
    topic = ""
    for finding in findings:
        mark, style = _MARKS[finding.level]
        told = Text(printable_line(finding.text))
        if finding.remedy:
            told.append(f"\n  -> {printable_line(finding.remedy)}", style="dim" if finding.level == "ok" else "bold")
        table.add_row(Text(finding.topic if finding.topic != topic else "", style="bold"), Text(mark, style), told)
        topic = finding.topic
    console.print(table)


def _verdict(levels: Counter[Level]) -> str:
    problems, warnings = levels["problem"], levels["warning"]
    if not problems and not warnings:
        return "all is well"
    return f"{problems} problem{'' if problems == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
