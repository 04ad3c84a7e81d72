"""How a cluster is used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ResourceLimits:
    """The executor's parameters; see :class:`cfbench_dask.executor.DaskExecutor`."""

    scheduler: str | None
    jobs: int
    cells_per_worker: int | None
    shared: bool | None
    patience: float

    @property
    def where(self) -> str:
        """The cluster, for messages."""
        return self.scheduler or "the local Dask cluster"

    def places(self, threads: int, threads_per_cell: int) -> int:
        """Return how many cells a worker of so many threads carries out at a time: no more than Dask would give it."""
        return max(1, min(self.cells_per_worker or threads // threads_per_cell, threads))
