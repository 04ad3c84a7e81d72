"""The split that a finished cell was fitted and asked on, made again."""

from __future__ import annotations

from cfbench.discovery.registry import Registry
from cfbench.errors import UsageError
from cfbench.planning.divisions import divisions
from cfbench.planning.study import Division
from cfbench.planning.suite import Suite
from cfbench.records.record import Cell
from cfbench.sources.source import Storage
from cfbench.splits.split import Split


def past_split(cell: Cell, suite: Suite, registry: Registry, storage: Storage) -> Split:
    """Load the data of ``cell`` and divide them as its run did.

    Raises UsageError where the data, the side information or the division are not those of the run.
    """
    division = _division(cell, suite, registry, storage)
    fold = next((one for one in division.folds if one.name == cell.fold), None)
    split = None if fold is None else Split.of(division.dataset, division.split, fold)
    if split is None or split.fingerprint != cell.split_fingerprint:
        raise UsageError(
            f"{cell.dataset}, {cell.split} has other rows now than {cell} was fitted to; restore the data, or run again"
        )
    if split.dataset.features_fingerprint != cell.features:
        raise UsageError(
            f"{cell.dataset} has other side information now than {cell} was fitted to; restore it, or run again"
        )
    return split


def _division(cell: Cell, suite: Suite, registry: Registry, storage: Storage) -> Division:
    """Load data until the label fits; names that the label begins with come first, so that few are loaded."""
    likely = sorted(suite.datasets, key=lambda text: not cell.dataset.startswith(text))
    asked = suite.model_copy(update={"datasets": tuple(likely), "splits": (cell.split,)})
    for division in divisions(asked, registry, storage):
        if division.label == cell.dataset:
            return division
    raise UsageError(f"no data set of suite {suite.name!r} is {cell.dataset!r} any more; run again")
