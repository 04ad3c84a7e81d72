"""Dispatch of planned cells to an executor: their tasks, their inputs, their outcomes, the run's workspace."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cfbench.errors import CfbenchError, PluginError, StoreError
from cfbench.execution.contract import Executor, Outcome, RunEvents, Task
from cfbench.execution.sandbox import folder_name
from cfbench.experiment.plan import Planned
from cfbench.experiment.split_plans import Splits
from cfbench.files.atomic import room
from cfbench.files.locks import owned_folder, remove_folder, sweep
from cfbench.inference.inputs import EvaluationInputs

_PREFIX = "cfbench-run-"
_PARTS = ("inputs", "cells", "logs")


@dataclass(frozen=True)
class RunOptions:
    """Options of a run; nothing of it can change the answers.

    Attributes:
        force: compute finished cells again.
        save_models: keep every fitted model that can be saved beside its record; a finished cell without is fitted
            again.
        workspace: where the run makes its workspace, a temporary folder; the system's folder for them where None.
        timeout: wall seconds allowed to a cell, None for any.
        memory_limit: resident bytes allowed to a cell's processes, None for any.
        max_processes: processes allowed to a cell below its own.
        energy: whether the energy of every cell is estimated.
        hidden: files and folders that no cell may read, wherever they lie.
        network: whether cells may use the network.
    """

    force: bool = False
    save_models: bool = False
    workspace: Path | None = None
    timeout: float | None = None
    memory_limit: int | None = None
    max_processes: int = 512
    energy: bool = False
    hidden: tuple[Path, ...] = ()
    network: bool = False


def task_of(planned: Planned, options: RunOptions, workspace: Path) -> Task:
    """Return the task of a cell; everything it reads and writes lies in the temporary ``workspace``."""
    cell = planned.cell
    output = workspace / "cells" / folder_name(cell.distribution) / cell.key
    return Task(
        name=cell.key,
        distribution=cell.distribution,
        version=cell.version,
        code=cell.code,
        label=cell.model,
        import_path=planned.plugin.value,
        params=planned.params,
        inputs=str(workspace / "inputs" / cell.split_fingerprint),
        folder=str(output),
        log=str(workspace / "logs" / f"{cell.key}.log"),
        seed=planned.seed,
        list_length=cell.list_length,
        device=cell.device,
        threads=cell.threads,
        save=options.save_models,
        energy=options.energy,
        timeout=options.timeout,
        memory_limit=options.memory_limit,
        max_processes=options.max_processes,
        hidden=tuple(str(path.absolute()) for path in options.hidden),  # cells work elsewhere
        network=options.network,
    )


@dataclass
class RunTaskQueue:
    """The tasks of one run: the inputs of a cell are written when an executor acquires its task.

    Inputs are shared by the cells of a split and removed with the last of them, so that a long plan fills no disk.

    Attributes:
        tasks: all tasks.
        splits: gives the split of a cell.
        planned: the cells by task name.
        events: the listeners of the run.
        lock: acquires a cell for this run; False where another run has it, or has just concluded it.
        refused: the tasks that could not be acquired.
    """

    tasks: Sequence[Task]
    splits: Splits
    planned: Mapping[str, Planned]
    events: RunEvents
    lock: Callable[[str], bool]
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tasks_left = Counter(task.inputs for task in self.tasks)

    def acquire(self, task: Task) -> bool:
        """Lock the task's cell; write its split's inputs if no cell before has, and make its own folder."""
        if not self.lock(task.name):
            self.refused.append(task.name)
            self.release(task)
            return False
        with room(task.inputs):
            inputs = Path(task.inputs)
            if not inputs.exists():
                with self.splits.clock.part("write inputs"):
                    inputs.mkdir()
                    EvaluationInputs.of(self.splits.of(self.planned[task.name].cell)).write(inputs)
            Path(task.folder).mkdir(parents=True)
        return True

    def release(self, task: Task) -> None:
        """Remove what no other task needs."""
        remove_folder(Path(task.folder))
        Path(task.log).unlink(missing_ok=True)
        self._tasks_left[task.inputs] -= 1
        if not self._tasks_left[task.inputs]:
            shutil.rmtree(task.inputs, ignore_errors=True)


def outcomes_of(executor: Executor, tasks: Sequence[Task], queue: RunTaskQueue) -> Generator[Outcome]:
    """Yield the outcomes of ``tasks`` as they come.

    Raises PluginError where the executor raises something else than an error of cfbench, yields something else than an
    outcome of a task that still waits for one, as it was given, or ends before all that was not refused is concluded.
    """
    who = f"executor {type(executor).__name__}"
    waiting = {task.name: task for task in tasks}
    outcomes = executor(tasks, queue)
    if not isinstance(outcomes, Generator):
        raise PluginError(f"{who} must be a generator function, got {type(outcomes).__name__}; yield the outcomes")
    with closing(outcomes):
        while True:
            try:
                outcome = next(outcomes, None)
            except CfbenchError:
                raise
            except Exception as error:  # a plugin may raise anything
                raise PluginError(f"{who} failed: {type(error).__name__}: {error}") from error
            if outcome is None:
                break
            if not isinstance(outcome, Outcome) or outcome.task.name not in waiting:
                raise PluginError(f"{who} must yield one Outcome for each task, got {outcome!s:.100}")
            if outcome.task != waiting.pop(outcome.task.name):  # files are moved and removed by its paths
                name = outcome.task.label
                raise PluginError(f"{who} changed {name}'s task; it must give it back as it was, paths too")
            yield outcome
    lost = len(waiting.keys() - set(queue.refused))
    if lost:
        raise PluginError(f"{who} ended without an outcome for {lost} of {len(tasks)} cells; start the same run again")


@contextmanager
def new_workspace(parent: Path | None = None) -> Iterator[Path]:
    """Make the workspace of a run below ``parent``, for as long as it is used.

    Where ``parent`` is omitted, it is the system's folder for temporary files. The folders of runs that were killed are
    removed on the way. Raises StoreError where none can be made.
    """
    root = (parent or Path(tempfile.gettempdir())).absolute()
    with ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(owned_folder(root, _PREFIX, _PARTS))
            for name in _PARTS:
                (folder / name).mkdir()
        except OSError as error:
            raise StoreError(
                f"cannot make a working folder in {root}: {error.strerror}; free the disk, set TMPDIR or give "
                "--workspace"
            ) from error
        yield folder


def clear_workspaces(parent: Path | None = None) -> None:
    """Remove what killed runs have left below ``parent``; for a run that may find nothing to compute."""
    with suppress(OSError):  # where there is no such place, whoever needs one reports it
        sweep((parent or Path(tempfile.gettempdir())).absolute(), _PREFIX, _PARTS)
