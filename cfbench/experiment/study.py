"""Studies: the cells, metrics and splits that are measured and reported, without how the models were run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitter import Fold
from cfbench.evaluation.metrics.metric import Metric
from cfbench.records.record import Cell
from cfbench.resources.clock import Clock

CellGroup: TypeAlias = tuple[str, str, int | None]
"""Data set, split and point of the curve, which cells of different models, folds and repeats share."""


@dataclass(frozen=True)
class SplitPlan:
    """One data set under one splitter, with its folds as row indices.

    Attributes:
        label: the data set as tables name it.
        dataset: the data, preprocessed.
        preprocessing: what was done to it, with what was left.
        split: the splitter as the user wrote it.
        in_time_order: whether the splitter promises that training is earlier than the test.
        folds: the folds.
    """

    label: str
    dataset: Dataset
    preprocessing: tuple[str, ...]
    split: str
    in_time_order: bool
    folds: Sequence[Fold]


class Splits:
    """Splits of cells, made on demand; the latest few are kept, so that many folds need little memory.

    Attributes:
        clock: what loading data (``load``) and making splits (``split``) took in this process.
    """

    def __init__(self, keep: int = 2) -> None:
        """Keep up to ``keep`` splits in memory."""
        self.clock = Clock()
        self._folds: dict[tuple[str, str, str], tuple[SplitPlan, Fold]] = {}
        self._split = lru_cache(maxsize=keep)(self._make)

    def add(self, plan: SplitPlan, fold: Fold) -> Split:
        """Register a fold and return its split."""
        key = (plan.label, plan.split, fold.name)
        self._folds[key] = (plan, fold)
        return self._split(key)

    def of(self, cell: Cell) -> Split:
        """Return the split that ``cell`` belongs to."""
        return self._split(_key(cell))

    def plan_of(self, cell: Cell) -> SplitPlan:
        """Return the data set and splitter that ``cell`` belongs to."""
        return self._folds[_key(cell)][0]

    def tested(self, cell: Cell) -> NDArray[np.int32]:
        """Return ``Split.test_user_positions`` of ``cell``, without making the split."""
        plan, fold = self._folds[_key(cell)]
        return np.unique(plan.dataset.user_index[fold.test_rows])

    def _make(self, key: tuple[str, str, str]) -> Split:
        plan, fold = self._folds[key]
        with self.clock.part("split"):
            return Split.of(plan.dataset, plan.split, fold)


@dataclass(frozen=True)
class Study:
    """Cells with the metrics that are measured on each.

    Attributes:
        cells: in table order, folds outermost.
        metrics: what is measured on each.
        splits: gives the split of a cell.
    """

    cells: tuple[Cell, ...]
    metrics: tuple[Metric, ...]
    splits: Splits
    _test_users: dict[CellGroup, NDArray[np.int32]] = field(default_factory=dict, init=False, repr=False)

    @property
    def clock(self) -> Clock:
        """The clock of this process's own work on the study; the cells' own clocks are in their records."""
        return self.splits.clock

    @cached_property
    def groups(self) -> Mapping[CellGroup, Sequence[Cell]]:
        """The cells by group, in table order."""
        groups: dict[CellGroup, list[Cell]] = {}
        for cell in self.cells:
            groups.setdefault(cell.group, []).append(cell)
        return groups

    def test_users(self, cell: Cell) -> NDArray[np.int32]:
        """Return the distinct test users of all folds in the group of ``cell``, ascending positions, shape (u,)."""
        if cell.group not in self._test_users:
            folds = {one.fold: one for one in self.groups[cell.group]}
            self._test_users[cell.group] = np.unique(np.concatenate([*map(self.splits.tested, folds.values())]))
        return self._test_users[cell.group]

    def resampling_seed(self, cell: Cell) -> int:
        """Return the seed of the bootstrap: the same for all cells of a group, so that models can be paired."""
        return int(self.groups[cell.group][0].split_fingerprint[:12], 16)


def _key(cell: Cell) -> tuple[str, str, str]:
    return (cell.dataset, cell.split, cell.fold)
