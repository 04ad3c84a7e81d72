"""From planned cells to tasks for an executor: limits and paths, and the questions laid out in time."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cfbench.errors import CfbenchError, PluginError, StoreError
from cfbench.execution.executor import Executor
from cfbench.execution.run_events import RunEvents
from cfbench.execution.task import Outcome, Task
from cfbench.experiment.plan import Planned
from cfbench.experiment.study import Splits
from cfbench.files.owned_folder import owned_folder, sweep
from cfbench.inference.inputs import EvaluationInputs


@dataclass(frozen=True)
class ResourceLimits:
    """On which terms cells are run, as far as they cannot change the answers.

    Attributes:
        timeout: wall seconds allowed to a cell, None for any.
        memory_limit: resident bytes allowed to a cell's processes, None for any.
        energy: whether the energy of every cell is estimated.
        protected: folders that no cell may write to, beside the run's own.
    """

    timeout: float | None = None
    memory_limit: int | None = None
    energy: bool = False
    protected: tuple[Path, ...] = ()


def task_of(planned: Planned, terms: ResourceLimits, workspace: Path, *, save: bool = False) -> Task:
    """Make the task of a cell; everything it reads and writes lies in the temporary ``workspace``.

    ``save`` lets the model save itself there.
    """
    cell = planned.cell
    cells = workspace / "cells"
    return Task(
        name=cell.key,
        distribution=cell.distribution,
        version=cell.version,
        code=cell.code,
        label=cell.model,
        model=planned.plugin.value,
        params=planned.params,
        inputs=str(workspace / "inputs" / cell.split_fingerprint),
        output=str(cells / cell.key),
        log=str(cells / f"{cell.key}.log"),
        seed=planned.seed,
        list_length=cell.list_length,
        device=cell.device,
        threads=cell.threads,
        save=save,
        energy=terms.energy,
        timeout=terms.timeout,
        memory_limit=terms.memory_limit,
        protected=tuple(str(path.absolute()) for path in (workspace, *terms.protected)),  # cells work elsewhere
    )


@dataclass
class RunTaskQueue:
    """The tasks of one run: the inputs of a cell are written when an executor acquires its task.

    Inputs are shared by the cells of a split and removed with the last of them, so that a long plan fills no disk.

    Attributes:
        splits: gives the split of a cell.
        planned: the cells by task name.
        events: the listeners of the run.
        lock: acquires a cell for this run; False where another run has it, or has just concluded it.
        refused: the tasks that could not be acquired.
    """

    splits: Splits
    planned: Mapping[str, Planned]
    events: RunEvents
    lock: Callable[[str], bool]
    refused: list[str] = field(default_factory=list)
    _using: Counter[str] = field(default_factory=Counter)

    def expect(self, task: Task) -> None:
        """Announce a task, whose inputs are then kept until it is released."""
        self._using[task.inputs] += 1

    def acquire(self, task: Task) -> bool:
        """Lock the task's cell; write its split's inputs if no cell before has, and make its own folder."""
        if not self.lock(task.name):
            self.refused.append(task.name)
            self.release(task)
            return False
        try:
            questions = Path(task.inputs)
            if not questions.exists():
                with self.splits.clock.part("lay out"):
                    questions.mkdir()
                    EvaluationInputs.of(self.splits.of(self.planned[task.name].cell)).write(questions)
            Path(task.output).mkdir()
        except OSError as error:
            raise StoreError(
                f"cannot write {error.filename or task.inputs}: {error.strerror or error}; free the disk, or set "
                "TMPDIR or --workspace to a larger one"
            ) from error
        return True

    def release(self, task: Task) -> None:
        """Remove what only this task needed."""
        shutil.rmtree(task.output, ignore_errors=True)
        Path(task.log).unlink(missing_ok=True)
        self._using[task.inputs] -= 1
        if not self._using[task.inputs]:
            shutil.rmtree(task.inputs, ignore_errors=True)


def outcomes_of(executor: Executor, tasks: Sequence[Task], queue: RunTaskQueue) -> Generator[Outcome]:
    """Yield the outcomes of ``tasks`` as they come.

    Raises PluginError where the executor raises something else than an error of cfbench, yields something else than an
    outcome of a task that still waits for one, as it was given, or ends before all that was not refused is concluded.
    """
    who = f"executor {type(executor).__name__}"
    waiting = {task.name: task for task in tasks}
    with closing(_begun(executor, tasks, queue, who)) as outcomes:
        while (outcome := _next(outcomes, who)) is not None:
            if not isinstance(outcome, Outcome) or outcome.task.name not in waiting:
                raise PluginError(f"{who} must yield one Outcome for each task, got {outcome!s:.100}")
            if outcome.task != waiting.pop(outcome.task.name):  # files are moved and removed by its paths
                raise PluginError(
                    f"{who} changed {outcome.task.label}'s task; it must give it back as it was, paths too"
                )
            yield outcome
    lost = len(waiting.keys() - set(queue.refused))
    if lost:
        raise PluginError(f"{who} ended without an outcome for {lost} of {len(tasks)} cells; start the same run again")


def _begun(executor: Executor, tasks: Sequence[Task], queue: RunTaskQueue, who: str) -> Generator[Outcome]:
    outcomes = executor(tasks, queue)
    if not isinstance(outcomes, Generator):
        raise PluginError(f"{who} must be a generator function, got {type(outcomes).__name__}; yield the outcomes")
    return outcomes


def _next(outcomes: Generator[Outcome], who: str) -> Outcome | None:
    try:
        return next(outcomes, None)
    except CfbenchError:
        raise
    except Exception as error:  # a plugin may raise anything
        raise PluginError(f"{who} failed: {type(error).__name__}: {error}") from error


_PREFIX = "cfbench-run-"
_PARTS = ("inputs", "cells")


@contextmanager
def workspace(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder below ``parent``, the system's folder for temporary files where omitted, for as long as it is used.

    The folders of runs that were killed are removed on the way. Raises StoreError where none can be made.
    """
    home = _home(parent)
    with ExitStack() as stack:
        try:
            home.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(owned_folder(home, _PREFIX, _PARTS))
            for name in _PARTS:
                (folder / name).mkdir()
        except OSError as error:
            raise StoreError(
                f"cannot make a working folder in {home}: {error.strerror}; free the disk, set TMPDIR or give "
                "--workspace"
            ) from error
        yield folder


def clear_workspaces(parent: Path | None = None) -> None:
    """Remove what killed runs have left below ``parent``; for a run that may find nothing to compute."""
    with suppress(OSError):  # there is no such place; who needs one is told
        sweep(_home(parent), _PREFIX, _PARTS)


def _home(parent: Path | None) -> Path:
    return (parent or Path(tempfile.gettempdir())).absolute()
