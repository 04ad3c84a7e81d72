"""``cfbench report`` and ``cfbench rescore``, and the end of every command that has records: tables and exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cfbench.cli.console import NO_PICTURES, complain, output, tell, until_the_reader_leaves
from cfbench.data.sources.source import default_storage
from cfbench.errors import UsageError
from cfbench.records.record import Line, Record
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.reporting.pictures import has_pictures
from cfbench.reporting.plots import can_draw
from cfbench.reporting.run_report import print_report, stored_lines, write_report
from cfbench.spec import Spec


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


def rescore(folder: Path, /, *, metric: list[str] | None = None, data_dir: Path | None = None) -> int:
    """Measure a finished run again from its raw answers: nothing is fitted, no model needs to be installed.

    Parameters
    ----------
    folder: Path
        A run's folder, with cells/ in it.
    metric: list[str]
        Metrics beside those that the run had, e.g. NDCG@5 or one that a new plugin brings; commas separate.
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    """
    from cfbench.runner.rescoring import rescore as rescore_run  # noqa: PLC0415 - brings all that runs a suite

    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give a run's, e.g. runs/default")
    further = [str(spec) for text in metric or [] for spec in Spec.parse_many(text)]
    lines = rescore_run(RunFolder(folder), Registry.discover(), default_storage(data_dir), further, complain)
    show_tables(folder, lines)
    return verdict([line for line in lines if isinstance(line, Record)])


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


def verdict(records: Sequence[Record], report: Callable[[str], None] = tell) -> int:
    """Report every failure; return the exit code: 1 where there was any, or where nothing could be run, else 0.

    A model whose plugin is not installed is reported too, but it fails nothing where others ran.
    """
    missing = {one.cell.model: one.reason for one in records if not one.cell.installed}
    failed = [f"{one.status}: {one.cell}: {one.reason}" for one in records if one.cell.installed and one.status != "ok"]
    failed += [
        f"metric {name} failed on {one.cell}: {how}" for one in records for name, how in one.failed_metrics.items()
    ]
    for complaint in [*(f"skipped: {model} {reason}" for model, reason in missing.items()), *failed]:
        report(f"cfbench: {complaint}")
    nothing_ran = bool(records) and all(one.status != "ok" for one in records)
    return 1 if failed or nothing_ran else 0
