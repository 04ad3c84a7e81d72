"""A worker as the run knows it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from cfbench.execution.task import Task
from cfbench_dask.inventory import Inventory


@dataclass(eq=False)
class KnownWorker:
    """One worker of the cluster.

    Attributes:
        address: where the scheduler knows it.
        threads: how many tasks Dask gives it at a time.
        since: when it was first seen, by the monotonic clock.
        post: the token of the run's post there; empty while there is none.
        has: what it has installed.
        unusable: why no task is given to it; empty where tasks are.
        sees: whether it reads the run's workspace by the same path.
        holding: the tasks that it carries out, by name.
        kept: the splits whose questions it has.
        sending: held while questions are sent to it.
        job: what is done with it; ends with the worker.
    """

    address: str
    threads: int
    since: float = field(default_factory=time.monotonic)
    post: str = ""
    has: Inventory = field(default_factory=lambda: Inventory({}, {}))
    unusable: str = ""
    sees: bool = False
    holding: dict[str, Task] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    job: asyncio.Task[None] | None = None

    @property
    def answered(self) -> bool:
        """Whether it is known what it can do."""
        return bool(self.post or self.unusable)

    def misfit(self, task: Task, here: Inventory) -> str:
        """Say why a task cannot be given to it, an empty text where it can."""
        return self.unusable or ("" if self.post else "has not answered yet") or self.has.mismatch(task, here)
