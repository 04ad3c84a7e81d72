"""Bootstrap samples: of cells, drawn in the background while the next cell is fitted, and pooled over result groups."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.measure import finite
from cfbench.evaluation.metrics.metric import PerUser
from cfbench.evaluation.statistics.bootstrap import (
    MetricSamples,
    RatioSamples,
    Resampleable,
    percentile_interval,
    resampled,
)
from cfbench.experiment.study import Study
from cfbench.records.record import Cell, Figure, Record

_LOWEST_PRIORITY = 19
_MOST_WAITING = 2  # cells whose sums are kept until their turn; more would fill the memory where models are fast


_Name: TypeAlias = tuple[str, str]
"""A model and a figure name."""


@dataclass(frozen=True, eq=False)
class CellSamples:
    """The figures of one cell on the bootstrap samples of its result group.

    Attributes:
        draws: by figure name; see :func:`cfbench.records.record.figure_name` for those of strata.
        per_user: of metrics, strata apart, the figure of each user of the group, shape (u,); NaN for those who do not
            count here.
    """

    draws: Mapping[str, MetricSamples]
    per_user: Mapping[str, NDArray[np.float32]]


class BootstrapQueue:
    """Draws the same users for all cells of a result group: those of all its folds, whatever becomes of other cells."""

    def __init__(self, study: Study) -> None:
        """Start the background thread for the cells of ``study``."""
        self._study = study
        self._samples: dict[Cell, Future[CellSamples]] = {}
        self._free_places = threading.Semaphore(_MOST_WAITING)
        self._background = ThreadPoolExecutor(1, "resampling", initializer=_lower_priority)

    def add(self, cell: Cell, users: NDArray[np.int32], sums: Mapping[str, Resampleable], metrics: set[str]) -> None:
        """Queue the resampling of ``cell``; wait first while too many cells are queued.

        Args:
            cell: the cell.
            users: positions of its test users, as the split's ``test_user_positions``, shape (t,).
            sums: by figure name, sums over them.
            metrics: the figures whose values of single users are wanted too.
        """
        self._free_places.acquire()
        self._samples[cell] = self._background.submit(self._resample, cell, users, dict(sums), metrics)
        self._samples[cell].add_done_callback(lambda _: self._free_places.release())

    def of(self, cell: Cell) -> CellSamples:
        """Return the samples of ``cell`` as soon as they are drawn; raises what resampling raised."""
        return self._samples[cell].result()

    def close(self) -> None:
        """Wait for the background thread to end; the samples stay."""
        self._background.shutdown()

    def _resample(
        self, cell: Cell, users: NDArray[np.int32], sums: Mapping[str, Resampleable], metrics: set[str]
    ) -> CellSamples:
        group_users = self._study.test_users(cell)
        places = np.searchsorted(group_users, users)
        spread = {name: one.expanded(places, len(group_users)) for name, one in sums.items()}
        per_user = {
            name: one.per_user.astype(np.float32)
            for name, one in spread.items()
            if name in metrics and isinstance(one, PerUser)
        }
        return CellSamples(resampled(spread, self._study.resampling_seed(cell)), per_user)


def _lower_priority() -> None:
    # Models go first. On Linux a thread has a priority of its own.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)


@dataclass(frozen=True, eq=False)
class GroupSamples:
    """The figures of all models of a result group on the same bootstrap samples of users.

    Attributes:
        draws: by model and figure name, one for each cell; of strata one for each repeat, its folds pooled.
        per_users: by model and metric, the figure of each user of the group, shape (u,), one for each cell.
    """

    draws: Mapping[_Name, Sequence[MetricSamples]] = field(default_factory=dict)
    per_users: Mapping[_Name, Sequence[NDArray[np.float32]]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Sequence[Record], queue: BootstrapQueue) -> GroupSamples:
        """Gather the samples of the cells of one group; ``records`` are those that are ok."""
        draws: dict[_Name, list[MetricSamples]] = {}
        strata: dict[tuple[str, str, int], list[RatioSamples]] = {}
        per_users: dict[_Name, list[NDArray[np.float32]]] = {}
        for record in records:
            cell, of_cell = record.cell, queue.of(record.cell)
            for name, one in of_cell.draws.items():
                if isinstance(one, RatioSamples) and name not in record.metrics:
                    strata.setdefault((cell.model, name, cell.repeat), []).append(one)
                else:
                    draws.setdefault((cell.model, name), []).append(one)
            for name, values in of_cell.per_user.items():
                per_users.setdefault((cell.model, name), []).append(values)
        for (model, name, _), folds in strata.items():
            draws.setdefault((model, name), []).append(reduce(add, folds))
        return cls(draws, per_users)

    @cached_property
    def samples(self) -> Mapping[_Name, NDArray[np.float64]]:
        """By model and figure name, its value in every sample, mean over the cells, shape (resamples,)."""
        return {key: _mean_where_known(np.array([one.samples for one in cells])) for key, cells in self.draws.items()}

    def figure(self, model: str, name: str, value: float | None, n: int) -> Figure:
        """Return ``value`` with its interval, where the figure can be resampled."""
        if (model, name) not in self.samples:
            return Figure(value, n=n)
        interval = percentile_interval(self.samples[model, name])
        return Figure(value, finite(interval.low), finite(interval.high), n)

    def n_users(self, model: str, name: str) -> int:
        """Return how many users of the group the figure rests on, at the most, in one cell."""
        return max(one.n_users for one in self.draws[model, name])

    def per_user(self, model: str, name: str) -> NDArray[np.float64] | None:
        """Return the figure of each user, mean over the cells that tested them, shape (u,); None for no such figure."""
        cells = self.per_users.get((model, name))
        return None if cells is None else _mean_where_known(np.array(cells, dtype=np.float64))


def _mean_where_known(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over cells, shape (cells, n), those that have a value; NaN where none has."""
    known = np.isfinite(samples)
    count = known.sum(axis=0)
    mean = np.full(samples.shape[1], np.nan)
    np.divide(np.where(known, samples, 0.0).sum(axis=0), count, out=mean, where=count > 0)
    return mean
