"""``cfbench rescore``."""

from __future__ import annotations

from pathlib import Path

from cfbench.cli.console import complain
from cfbench.cli.execution import verdict
from cfbench.cli.report import show_tables
from cfbench.data.sources.source import default_storage
from cfbench.errors import UsageError
from cfbench.records.record import Record
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.runner.rescoring import rescore as rescore_run
from cfbench.spec import Spec


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
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give a run's, e.g. runs/default")
    further = [str(spec) for text in metric or [] for spec in Spec.parse_many(text)]
    lines = rescore_run(RunFolder(folder), Registry.discover(), default_storage(data_dir), further, complain)
    show_tables(folder, lines)
    return verdict([line for line in lines if isinstance(line, Record)])
