"""Options of every command that runs cells: the executor, the cells' limits, and what cells are run with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cfbench.cli.option_types import FOLDER, WHOLE, seconds, size
from cfbench.data.sources.source import Storage
from cfbench.errors import UsageError
from cfbench.execution.contract import Executor
from cfbench.experiment.plan import CellOptions
from cfbench.registry.registry import Registry
from cfbench.resources.cost import machine_bytes
from cfbench.resources.energy import check_meter
from cfbench.runner.dispatch import ResourceLimits
from cfbench.runner.runner import RunOptions
from cfbench.spec import Spec, Value


@Parameter(name="*")
@dataclass(frozen=True)
class ExecutionOptions:
    """How cells are run. Only ``threads`` and ``device`` can change a figure, those of cost excepted.

    Parameters
    ----------
    threads: int
        Threads of each cell. One is fastest for most models here.
    device: str
        Where models run that can use an accelerator; auto takes CUDA where there is any.
    force: bool
        Compute finished cells again.
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
        Measure the electricity of every cell's fitting and predicting, by codecarbon; an estimate where the
        processor's counters cannot be read.
    """

    threads: Annotated[int, WHOLE] = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    force: bool = False
    jobs: Annotated[int, WHOLE, Parameter(name=["--jobs", "-j"])] = 1
    executor: str = "processes"
    scheduler: str | None = None
    timeout: str | None = None
    memory_limit: str = "90%"
    workspace: Annotated[Path | None, FOLDER] = None
    energy: bool = False

    def cell_options(self) -> CellOptions:
        """Return what can change the output of cells; raises UsageError for threads below 1."""
        if self.threads < 1:
            raise UsageError(f"--threads must be at least 1, got {self.threads}")
        return CellOptions(self.device, self.threads)

    def run_options(self, storage: Storage, *, save_models: bool = False) -> RunOptions:
        """Return the limits of the cells and what else a run is made with; no cell may write to the data.

        Raises UsageError for limits that cannot be read or kept.
        """
        if self.energy:
            check_meter()
        memory = self.memory_limit.strip().lower()
        limits = ResourceLimits(
            timeout=None if self.timeout is None else seconds("--timeout", self.timeout),
            memory_limit=None if memory == "none" else size("--memory-limit", memory, machine_bytes()),
            energy=self.energy,
            protected=tuple(folder for folder in (storage.data_dir, storage.cache_dir) if folder is not None),
        )
        return RunOptions(self.force, save_models, limits, self.workspace)

    def create_executor(self, registry: Registry) -> Executor:
        """Return the executor, with the options that it has parameters for; raises UsageError for any other option."""
        if self.jobs < 1:
            raise UsageError(f"--jobs must be at least 1, got {self.jobs}")
        spec = Spec.parse(self.executor)
        plugin = registry.named("executor", spec.name)
        known = () if plugin.problem else plugin.declaration.parameters
        params = {"jobs": self.jobs, **spec.params} if "jobs" in known else dict(spec.params)
        options: dict[str, Value] = {"jobs": self.jobs if self.jobs > 1 else None, "scheduler": self.scheduler}
        for name, value in options.items():
            if value is None:
                continue
            if name not in known:
                raise UsageError(f"--{name} is of no use to --executor {spec.name}; leave it out, or name another")
            if params.setdefault(name, value) != value:
                raise UsageError(f"--{name} {value} and --executor {spec} contradict each other; leave one out")
        executor: Executor = registry.create("executor", Spec(spec.name, params))
        return executor
