"""What is measured and reported: cells, metrics and splits, however the cells' answers came to be."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitter import Fold
from cfbench.evaluation.metrics.metric import Metric
from cfbench.records.record import Cell
from cfbench.resources.clock import Clock


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
    """Makes the split of a cell on demand and keeps the latest few: many folds stay small.

    Attributes:
        clock: what loading data (``load``) and making splits (``split``) took in this process.
    """

    def __init__(self, keep: int = 2) -> None:
        """Keep up to ``keep`` splits in memory."""
        self.clock = Clock()
        self._folds: dict[tuple[str, str, str], tuple[SplitPlan, Fold]] = {}
        self._kept: OrderedDict[tuple[str, str, str], Split] = OrderedDict()
        self._keep = keep

    def add(self, group: SplitPlan, fold: Fold) -> Split:
        """Register a fold and return its split."""
        key = (group.label, group.split, fold.name)
        self._folds[key] = (group, fold)
        return self._get(key)

    def of(self, cell: Cell) -> Split:
        """Return the split that ``cell`` belongs to."""
        return self._get(_key(cell))

    def division_of(self, cell: Cell) -> SplitPlan:
        """Return the data and splitter that ``cell`` belongs to."""
        return self._folds[_key(cell)][0]

    def tested(self, cell: Cell) -> NDArray[np.int32]:
        """Return ``Split.test_user_positions`` of ``cell``, without making the split."""
        group, fold = self._folds[_key(cell)]
        return np.unique(group.dataset.user_index[fold.test_rows])

    def _get(self, key: tuple[str, str, str]) -> Split:
        if key not in self._kept:
            group, fold = self._folds[key]
            with self.clock.part("split"):
                self._kept[key] = Split.of(group.dataset, group.split, fold)
            while len(self._kept) > self._keep:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


@dataclass(frozen=True)
class Study:
    """What is measured.

    Attributes:
        cells: in table order, folds outermost.
        metrics: what is measured on each.
        splits: gives the split of a cell.
    """

    cells: tuple[Cell, ...]
    metrics: tuple[Metric, ...]
    splits: Splits

    @property
    def clock(self) -> Clock:
        """The clock of this process's own work on the study; the cells' own clocks are in their records."""
        return self.splits.clock

    @cached_property
    def groups(self) -> Mapping[tuple[str, str, int | None], Sequence[Cell]]:
        """The cells by data set, split and point of the curve, in table order."""
        groups: dict[tuple[str, str, int | None], list[Cell]] = {}
        for cell in self.cells:
            groups.setdefault(cell.group, []).append(cell)
        return groups

    def test_users(self, cell: Cell) -> NDArray[np.int32]:
        """Return the distinct test users of all folds of the division of ``cell``, ascending positions, shape (u,)."""
        if cell.group not in self._test_users:
            folds = {one.fold: one for one in self.groups[cell.group]}
            self._test_users[cell.group] = np.unique(np.concatenate([*map(self.splits.tested, folds.values())]))
        return self._test_users[cell.group]

    @cached_property
    def _test_users(self) -> dict[tuple[str, str, int | None], NDArray[np.int32]]:
        return {}

    def resampling_seed(self, cell: Cell) -> int:
        """Return the seed of the bootstrap: the same for all cells of a division, so that models can be paired."""
        return int(self.groups[cell.group][0].split_fingerprint[:12], 16)


def _key(cell: Cell) -> tuple[str, str, str]:
    return (cell.dataset, cell.split, cell.fold)
