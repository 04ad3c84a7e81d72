"""``cfbench report`` and ``cfbench rescore``: commands that show a finished run, as it was or measured again."""

from __future__ import annotations

from pathlib import Path

from cfbench.cli.console import complain, output, tell
from cfbench.data.sources.source import default_storage
from cfbench.errors import UsageError
from cfbench.records.record import Record
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.reporting.run_report import show_report, stored_lines
from cfbench.spec import Spec


def report(folder: Path, /) -> int:
    """Render the tables of a run again from its records: nothing is fitted or measured.

    The exit code is 1 where a line could not be read, so that the tables are made of the others, or where one says
    other than the sealed records of the run's cells.

    Parameters
    ----------
    folder: Path
        A run's folder, or a published suite's, with records.jsonl in it.
    """
    noted: list[str] = []
    lines = stored_lines(folder, noted.append)
    show_report(folder, lines, output(), tell, len(noted))
    for reason in noted:
        complain(reason)
    return 1 if noted else 0


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
    from cfbench.cli.run import verdict  # noqa: PLC0415 - brings all that runs a suite
    from cfbench.runner.rescoring import rescore as rescore_run  # noqa: PLC0415 - likewise

    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give a run's, e.g. runs/default")
    further = [str(spec) for text in metric or [] for spec in Spec.parse_many(text)]
    lines = rescore_run(RunFolder(folder), Registry.discover(), default_storage(data_dir), further, complain)
    show_report(folder, lines, output(), tell)
    return verdict([line for line in lines if isinstance(line, Record)])
