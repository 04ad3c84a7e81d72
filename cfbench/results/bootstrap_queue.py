"""Bootstrap samples of every measured cell, drawn in the background while the next cell is fitted."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.sums import PerUser
from cfbench.evaluation.statistics.bootstrap import MetricSamples, Resampleable, resampled
from cfbench.experiment.study import Study
from cfbench.records.record import Cell

_LOWEST_PRIORITY = 19
_MOST_WAITING = 2  # cells whose sums are kept until their turn; more would fill the memory where models are fast


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
