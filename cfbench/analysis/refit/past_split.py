"""The split that a finished cell was fitted and asked on, made again."""

from __future__ import annotations

from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Split
from cfbench.errors import UsageError
from cfbench.experiment.split_plans import split_plans
from cfbench.experiment.study import SplitPlan
from cfbench.experiment.suite import Suite
from cfbench.records.record import Cell
from cfbench.registry.registry import Registry


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


def _division(cell: Cell, suite: Suite, registry: Registry, storage: Storage) -> SplitPlan:
    """Load data until the label fits; names that the label begins with come first, so that few are loaded."""
    likely = sorted(suite.datasets, key=lambda text: not cell.dataset.startswith(text))
    asked = suite.model_copy(update={"datasets": tuple(likely), "splits": (cell.split,)})
    for division in split_plans(asked, registry, storage):
        if division.label == cell.dataset:
            return division
    raise UsageError(f"no data set of suite {suite.name!r} is {cell.dataset!r} any more; run again")
