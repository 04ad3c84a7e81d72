"""How long tasks wait for a worker that can take them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from cfbench.errors import RunError
from cfbench.execution.task import Task
from cfbench_dask.inventory import Inventory
from cfbench_dask.terms import ResourceLimits
from cfbench_dask.worker import KnownWorker

_TO_ANSWER = 60.0  # seconds that a new worker may take to import what it needs, before patience begins to run out
_SHOWN = 3  # workers that a reason names


class Patience:
    """Knows since when there are tasks that no worker can take."""

    def __init__(self, terms: ResourceLimits, here: Inventory, note: Callable[[str], None]) -> None:
        """Begin to wait.

        Args:
            terms: how long, and for whom.
            here: what the run was planned with.
            note: is told, once each, what is waited for.
        """
        self._terms, self._here, self._note = terms, here, note
        self._since: float | None = None
        self._told: set[str] = set()

    def lost_with(self, tasks: Sequence[Task], workers: Iterable[KnownWorker]) -> Mapping[str, str]:
        """Return the tasks to give up, by name, with the reason; empty while there is hope.

        Raises RunError where there is no worker that could take anything.
        """
        known = list(workers)
        ready = [worker for worker in known if worker.answered]
        stuck = [task for task in tasks if all(worker.misfit(task, self._here) for worker in ready)]
        now = time.monotonic()
        if not stuck or any(not worker.answered and now - worker.since < _TO_ANSWER for worker in known):
            self._since = None
            return {}
        if self._since is None:
            self._since = now
        if now - self._since < self._terms.patience:
            self._tell(stuck, ready)
            return {}
        self._since = None
        if all(worker.unusable for worker in ready):
            raise RunError(self._nobody(ready))
        return {task.name: self._why_not(task, ready) for task in stuck}

    def _nobody(self, ready: Sequence[KnownWorker]) -> str:
        why = f": {_named(f'{worker.address} {worker.unusable}' for worker in ready)}" if ready else ""
        return (
            f"{self._terms.where} has had no worker that can be used for {self._terms.patience:g} s{why}; finished "
            "cells are kept: start workers, and the same command goes on from there; dask[patience=SECONDS] waits on"
        )

    def _why_not(self, task: Task, ready: Sequence[KnownWorker]) -> str:
        told = _named(f"{worker.address} {worker.misfit(task, self._here)}" for worker in ready)
        return f"no worker can run it: {told}; install the same there"

    def _tell(self, stuck: Sequence[Task], ready: Sequence[KnownWorker]) -> None:
        """Say what is waited for: workers, or workers that have the plugin of some tasks."""
        if all(worker.unusable for worker in ready):
            self._tell_once(f"waiting up to {self._terms.patience:g} s for workers of {self._terms.where}")
            return
        for home in sorted({task.distribution for task in stuck}):
            why = self._why_not(next(task for task in stuck if task.distribution == home), ready)
            self._tell_once(f"{home}: {why}; waiting up to {self._terms.patience:g} s for one that can")

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._note(text)


def _named(told: Iterable[str]) -> str:
    """Join what is told of workers, not of all where they are many."""
    every = list(told)
    return "; ".join(every[:_SHOWN]) + (f"; and {len(every) - _SHOWN} more" if len(every) > _SHOWN else "")
