"""The options of every command that runs cells: what runs them, and within which limits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cfbench.cli.folders import FOLDER
from cfbench.cli.quantities import WHOLE, seconds, size
from cfbench.data.sources.source import Storage
from cfbench.errors import UsageError
from cfbench.execution.executor import Executor
from cfbench.registry.registry import Registry
from cfbench.resources.energy import check_meter
from cfbench.resources.memory import machine_bytes
from cfbench.runner.dispatch import ResourceLimits
from cfbench.spec import Spec, Value

_UNLIMITED = "none"


@Parameter(name="*")
@dataclass(frozen=True)
class Engine:
    """What runs the cells; nothing of it changes a figure, save those of cost.

    Parameters
    ----------
    jobs: int
        Cells that run at the same time; results do not depend on it.
    executor: str
        What runs the cells, as NAME[param=value,...]; `cfbench list executors` shows them.
    scheduler: str
        Address of the scheduler of a cluster, for executors that have one, e.g. tcp://host:8786.
    timeout: str
        Time allowed to each cell, e.g. 90s, 15m, 2h; what takes longer is ended and recorded as timeout.
    memory_limit: str
        Memory allowed to each cell's processes, e.g. 4GiB, or 50% of the machine's; what holds more is ended and
        recorded as out-of-memory. "none" lifts the limit.
    workspace: Path
        A folder for temporary files; the system's where omitted. On a cluster: one that all its machines see.
    energy: bool
        Meter the electricity of every cell's fitting and answering, by codecarbon; an estimate where the processor's
        counters cannot be read.
    """

    jobs: Annotated[int, WHOLE, Parameter(name=["--jobs", "-j"])] = 1
    executor: str = "processes"
    scheduler: str | None = None
    timeout: str | None = None
    memory_limit: str = "90%"
    workspace: Annotated[Path | None, FOLDER] = None
    energy: bool = False

    def executed_by(self, registry: Registry) -> Executor:
        """Make the executor, with its options put in; raises UsageError for what it does not understand."""
        spec = Spec.parse(self.executor)
        plugin = registry.named("executor", spec.name)
        known = () if plugin.problem else plugin.declaration.parameters
        if self.jobs < 1:
            raise UsageError(f"--jobs must be at least 1, got {self.jobs}")
        made: Executor = registry.create("executor", Spec(spec.name, self._put_into(spec, known)))
        return made

    def _put_into(self, spec: Spec, known: Collection[str]) -> dict[str, Value]:
        """Return the executor's parameters, those that have an option of their own with its value."""
        params = {"jobs": self.jobs, **spec.params} if "jobs" in known else dict(spec.params)
        options: dict[str, Value] = {"jobs": self.jobs if self.jobs > 1 else None, "scheduler": self.scheduler}
        for name, value in options.items():
            if value is None:
                continue
            if name not in known:
                raise UsageError(f"--{name} is of no use to --executor {spec.name}; leave it out, or name another")
            if params.setdefault(name, value) != value:
                raise UsageError(f"--{name} {value} and --executor {spec} contradict each other; leave one out")
        return params

    def terms(self, storage: Storage) -> ResourceLimits:
        """Return what cells are held to; no cell may write to the data."""
        if self.energy:
            check_meter()
        data = (folder for folder in (storage.data_dir, storage.cache_dir) if folder is not None)
        return ResourceLimits(
            timeout=None if self.timeout is None else seconds("--timeout", self.timeout),
            memory_limit=self._memory(),
            energy=self.energy,
            protected=tuple(data),
        )

    def _memory(self) -> int | None:
        given = self.memory_limit.strip().lower()
        return None if given == _UNLIMITED else size("--memory-limit", given, machine_bytes())
