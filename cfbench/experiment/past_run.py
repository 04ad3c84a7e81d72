"""What a run was asked for and what came of its cells, read back from its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from cfbench.errors import StoreError, UsageError
from cfbench.experiment.suite import Suite
from cfbench.records.record import SCHEMA, Cell, Record
from cfbench.records.store import RunFolder, read_lines

Place: TypeAlias = tuple[str, str, str, int]
"""Where a cell stands in its run: fingerprint of the split, fold, model, repeat."""

Past: TypeAlias = Mapping[Place, Record]
"""What came of every cell of a run."""


def place_of(cell: Cell) -> Place:
    """Return where ``cell`` stands in its run."""
    return (cell.split_fingerprint, cell.fold, cell.model, cell.repeat)


def past_suite(folder: RunFolder) -> Suite:
    """Return what the last run in ``folder`` was asked for; raises UsageError where there was none."""
    if not folder.suite_path.exists():
        raise UsageError(
            f"{folder.path} holds no run: expected suite.json and cells/ in it, as `cfbench run` writes them to "
            "runs/<suite>/ (published results hold tables, not raw answers)"
        )
    return Suite.read_json(folder.suite_path)


def past_records(folder: RunFolder, suite: Suite, note: Callable[[str], None]) -> Past:
    """Return what came of the cells under the suite's seed, by their places; raises UsageError where there are none.

    The consolidated file knows what the last run was about; a run that was cut off has none, and the latest record of
    each place stands in, since an older version of a plugin leaves its cells behind.
    """
    lying = sorted(folder.all_records(note), key=lambda record: record.provenance.get("finished", ""))
    ours = [
        record
        for record in (*lying, *_consolidated(folder, note))
        if record.schema_version == SCHEMA and record.cell.base_seed == suite.seed and record.cell.model in suite.models
    ]
    if not ours:
        raise UsageError(f"{folder.path} holds no finished cell of suite {suite.name!r}; run it first")
    return {place_of(record.cell): record for record in ours}


def _consolidated(folder: RunFolder, note: Callable[[str], None]) -> list[Record]:
    if not folder.records_path.exists():
        return []
    try:
        return [line for line in read_lines(folder.records_path) if isinstance(line, Record)]
    except StoreError as error:
        note(f"{error}; what lies in cells/ stands in for it")
        return []
