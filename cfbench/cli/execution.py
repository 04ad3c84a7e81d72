"""Options of every command that carries out a plan: how its cells are run, and who listens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cfbench.cli.console import complain, messages, tell
from cfbench.cli.display import display_on, timing_table
from cfbench.cli.option_types import FOLDER, WHOLE, seconds, size
from cfbench.data.sources.source import Storage
from cfbench.errors import PluginError, UsageError
from cfbench.execution.contract import Executor, RunDescription, RunEvents
from cfbench.experiment.plan import CellOptions, Plan
from cfbench.model.limits import MOST_THREADS
from cfbench.monitoring.broadcast import Broadcast, TrackerThread
from cfbench.monitoring.json_log import JsonLog
from cfbench.monitoring.timing import Timing
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.resources.cost import machine_bytes
from cfbench.resources.energy import check_meter
from cfbench.runner.dispatch import RunOptions
from cfbench.spec import Spec, Value

_STANDARD_ERROR = "-"


@Parameter(name="*")
@dataclass(frozen=True)
class ExecutionOptions:
    """Options of how cells are run. Only ``threads`` and ``device`` can change a figure, those of cost excepted.

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
    max_processes: int
        Processes that a cell may start and have at the same time; what starts more is ended and recorded as failed.
    workspace: Path
        A folder for temporary files; the system's where omitted. On a cluster: one that all its machines see.
    allow_network: bool
        Let cells use the network, for models that fetch weights; what they read could leave, too.
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
    max_processes: Annotated[int, WHOLE] = 512
    workspace: Annotated[Path | None, FOLDER] = None
    allow_network: bool = False
    energy: bool = False

    def cell_options(self) -> CellOptions:
        """Return what can change the output of cells; raises UsageError for threads below 1 or beyond any machine."""
        if self.threads < 1:
            raise UsageError(f"--threads must be at least 1, got {self.threads}")
        if self.threads > MOST_THREADS:
            raise UsageError(f"--threads must be at most {MOST_THREADS}, got {self.threads}")
        return CellOptions(self.device, self.threads)

    def run_options(self, storage: Storage, *, save_models: bool = False) -> RunOptions:
        """Return the limits of the cells and what else a run is made with.

        No cell may read the folders of ``storage``. Raises UsageError for limits that cannot be read or kept.
        """
        if self.energy:
            check_meter()
        if self.max_processes < 1:
            raise UsageError(f"--max-processes must be at least 1, got {self.max_processes}")
        memory = self.memory_limit.strip().lower()
        return RunOptions(
            force=self.force,
            save_models=save_models,
            workspace=self.workspace,
            timeout=None if self.timeout is None else seconds("--timeout", self.timeout),
            max_processes=self.max_processes,
            memory_limit=None if memory == "none" else size("--memory-limit", memory, machine_bytes()),
            energy=self.energy,
            hidden=tuple(folder for folder in (storage.data_dir, storage.cache_dir) if folder is not None),
            network=self.allow_network,
        )

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


@dataclass(frozen=True)
class RunMonitor:
    """The listeners of one run, the display apart.

    Attributes:
        events: passes events on to all of them.
        timing: the one that adds up where the time goes.
        silent: whether standard error belongs to the JSON log, so that there is no display.
    """

    events: Broadcast
    timing: Timing
    silent: bool

    def display(self, plan: Plan) -> AbstractContextManager[RunEvents]:
        """Return the display of the run."""
        return nullcontext(RunEvents()) if self.silent else display_on(messages(), plan.study.cells)

    def tell(self, text: str) -> None:
        """Print a remark on standard error; where that belongs to the JSON log, write a note into it."""
        if self.silent:
            self.events.note(text)
        else:
            tell(text)

    def complete(self, folder: Path, files: Sequence[Path]) -> None:
        """Show where the time went; the run is complete, and ``files`` were written of it."""
        times = self.timing.times()
        path = times.write(folder)
        run = RunFolder(folder)
        if not self.silent:
            messages().print(timing_table(times))
        self.events.files = [*files, path, run.records_path, run.suite_path]


@Parameter(name="*")
@dataclass(frozen=True)
class MonitorOptions:
    """Listeners of a run; they change no figure.

    Parameters
    ----------
    log_json: str
        A file that every event is added to as a line of JSON; "-" is standard error, instead of the display.
    track: list[str]
        Trackers that get the run too, as NAME[param=value,...]; `cfbench list trackers` shows them.
    """

    log_json: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None  # "-" is a value
    track: list[str] | None = None

    @contextmanager
    def over(self, plan: Plan, folder: Path, registry: Registry) -> Iterator[RunMonitor]:
        """Notify all listeners of the start and the end of the run of ``plan`` in ``folder``, however it ends.

        Raises UsageError where a log or a tracker cannot be opened.
        """
        timing = Timing(plan.study.clock)
        members: list[RunEvents] = [timing]
        if self.log_json is not None:
            members.append(JsonLog.open(self.log_json, complain))
        trackers = map(Spec.parse, self.track or ())
        members += [TrackerThread(str(spec), _tracker(spec, registry), complain) for spec in trackers]
        settings = plan.suite.model_dump(mode="json")
        run = RunDescription(plan.suite.name, settings, folder, plan.study.cells, version("cfbench"))
        events = Broadcast(members)
        with events.during(run):
            yield RunMonitor(events, timing, self.log_json == _STANDARD_ERROR)

    def check(self, registry: Registry) -> None:
        """Raise UsageError, before anything is loaded, where a tracker is unknown, unusable or wrongly parametrised."""
        for text in self.track or ():
            _tracker(Spec.parse(text), registry)


def _tracker(spec: Spec, registry: Registry) -> RunEvents:
    try:
        tracker = registry.create("tracker", spec)
    except PluginError as error:
        raise UsageError(f"--track {spec.name}: {error}") from error
    if not isinstance(tracker, RunEvents):
        raise UsageError(
            f"--track {spec.name} is no tracker: {type(tracker).__name__} must be derived from "
            "cfbench.execution.RunEvents"
        )
    return tracker
