"""Past runs: the suite and the records of a run, read back from its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from cfbench.errors import StoreError, UsageError
from cfbench.experiment.suite import Suite
from cfbench.records.record import Record
from cfbench.records.store import RunFolder, read_lines

PastRecords: TypeAlias = Mapping[tuple[str, str, str, int], Record]
"""The records of a run, by the coordinates of their cells: fingerprint of the split, fold, model, repeat."""


def past_suite(folder: RunFolder) -> Suite:
    """Return the suite of the last run in ``folder``; raises UsageError where there was none."""
    if not folder.suite_path.exists():
        raise UsageError(
            f"{folder.path} holds no run: expected suite.json and cells/ in it, as `cfbench run` writes them to "
            "runs/<suite>/ (published results hold tables, not predictions)"
        )
    return Suite.read_json(folder.suite_path)


def past_records(folder: RunFolder, suite: Suite, note: Callable[[str], None]) -> PastRecords:
    """Return the records of the cells under the suite's seed; raises UsageError where there are none.

    Of several records with the same coordinates, as an older version of a plugin leaves behind, the one in the
    consolidated file counts, else the latest: a run that was interrupted has no consolidated file.

    Args:
        folder: the run's folder.
        suite: what the run was asked for.
        note: called with a message for every file that cannot be read.
    """
    records = sorted(folder.all_records(note), key=lambda record: record.provenance.get("finished", ""))
    if folder.records_path.exists():
        try:
            records += [line for line in read_lines(folder.records_path, note) if isinstance(line, Record)]
        except StoreError as error:
            note(f"{error}; the records in cells/ are used instead")
    ours: dict[tuple[str, str, str, int], Record] = {}
    for record in records:
        cell = record.cell
        if cell.base_seed == suite.seed and cell.model in suite.models:
            ours[cell.split_fingerprint, cell.fold, cell.model, cell.repeat] = record
    if not ours:
        raise UsageError(f"{folder.path} holds no finished cell of suite {suite.name!r}; run it first")
    return ours
