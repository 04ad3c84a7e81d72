"""Resampling beside the models: every measured cell is resampled in the background, while the next one is fitted."""

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
from cfbench.evaluation.statistics.bootstrap import Draw, Resampleable, resampled
from cfbench.experiment.study import Study
from cfbench.records.record import Cell

_LOWEST_PRIORITY = 19
_MOST_WAITING = 2  # cells whose sums are kept until their turn; more would fill the memory where models are fast


@dataclass(frozen=True, eq=False)
class CellSamples:
    """The figures of one cell on the resamples of its division.

    Attributes:
        draws: by figure name; see :func:`cfbench.records.record.figure_name` for those of strata.
        per_user: of metrics, strata apart, the figure of each user of the division, shape (u,); NaN for those who do
            not count here.
    """

    draws: Mapping[str, Draw]
    per_user: Mapping[str, NDArray[np.float32]]


class BootstrapQueue:
    """Draws the same users for all cells of a division: those of all its folds, whatever becomes of other cells."""

    def __init__(self, study: Study) -> None:
        """Draw for the cells of ``study``."""
        self._study = study
        self._drawn: dict[Cell, Future[CellSamples]] = {}
        self._room = threading.Semaphore(_MOST_WAITING)
        self._background = ThreadPoolExecutor(1, "resampling", initializer=_give_way)

    def add(self, cell: Cell, people: NDArray[np.int32], sums: Mapping[str, Resampleable], metrics: set[str]) -> None:
        """Begin to draw what was measured of ``cell``; wait before where too many others do.

        Args:
            cell: the cell.
            people: its test users, as the split's ``test_user_positions``, shape (t,).
            sums: by figure name, sums over them.
            metrics: of which figures the values of single users are wanted too.
        """
        self._room.acquire()
        self._drawn[cell] = self._background.submit(self._draw, cell, people, dict(sums), metrics)
        self._drawn[cell].add_done_callback(lambda _: self._room.release())

    def of(self, cell: Cell) -> CellSamples:
        """Wait for what was drawn of ``cell``."""
        return self._drawn[cell].result()

    def close(self) -> None:
        """Let the background go; what was drawn stays."""
        self._background.shutdown()

    def _draw(
        self, cell: Cell, people: NDArray[np.int32], sums: Mapping[str, Resampleable], metrics: set[str]
    ) -> CellSamples:
        everyone = self._study.test_users(cell)
        places = np.searchsorted(everyone, people)
        spread = {name: one.spread(places, len(everyone)) for name, one in sums.items()}
        per_user = {
            name: one.per_user.astype(np.float32)
            for name, one in spread.items()
            if name in metrics and isinstance(one, PerUser)
        }
        return CellSamples(resampled(spread, self._study.resampling_seed(cell)), per_user)


def _give_way() -> None:
    """Let models have the cores first: on Linux a thread has a priority of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
