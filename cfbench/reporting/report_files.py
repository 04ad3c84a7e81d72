"""Files of a report: a run's tables and pictures, written beside its records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cfbench.errors import UsageError
from cfbench.files.atomic import clear_leftovers, write_text
from cfbench.records.record import Line, Summary
from cfbench.records.store import RunFolder, read_lines
from cfbench.reporting.csv_files import csv_files
from cfbench.reporting.markdown import markdown_report
from cfbench.reporting.pictures import NAMES, pictures
from cfbench.reporting.plots.canvas import can_draw


def write_report(folder: Path, lines: Sequence[Line]) -> list[Path]:
    """Write ``table.md``, titled as ``folder`` is called, CSV files and pictures into it; return their paths.

    Pictures that earlier tables had and these have not are removed, unless none can be drawn here.
    """
    drawn = pictures(lines)
    texts = {
        "table.md": markdown_report(folder.resolve().name, lines, drawn),
        **csv_files(lines),
        **{picture.file: picture.svg for picture in drawn},
    }
    clear_leftovers(folder)
    for name, text in texts.items():
        write_text(folder / name, text)
    if can_draw():
        for path in folder.iterdir():
            if NAMES.fullmatch(path.name) and path.name not in texts:
                path.unlink()
    return [folder / name for name in texts]


def stored_lines(folder: Path) -> Sequence[Line]:
    """Return the lines of a run or of a published suite; raises UsageError where the folder holds none."""
    run = RunFolder(folder)
    if run.records_path.exists():
        lines = read_lines(run.records_path)
        if not any(isinstance(line, Summary) for line in lines):
            raise UsageError(f"{run.records_path} holds no summaries, so no table; start the same `cfbench run` again")
        return lines
    refused: list[str] = []
    records = run.all_records(refused.append)
    if records or refused:
        others = "".join(f"\n  {reason}" for reason in refused)
        raise UsageError(
            f"{folder} holds {len(records)} finished cells but no records.jsonl: the run was cut off; "
            f"start the same `cfbench run` again, it keeps what is done{others}"
        )
    raise UsageError(f"{folder} holds no run: expected records.jsonl in it, as `cfbench run` writes to runs/<suite>/")
