"""What an executor gives back, checked: an executor is a plugin, and its mistakes are told as its own."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from cfbench.errors import CfbenchError, PluginError
from cfbench.executors.task import Executor, Outcome, Task
from cfbench.running.dispatch import FrontDesk


def outcomes_of(executor: Executor, tasks: Sequence[Task], desk: FrontDesk) -> Generator[Outcome]:
    """Yield the outcomes of ``tasks`` as they come.

    Raises PluginError where the executor raises something else than an error of cfbench, yields something else than an
    outcome of a task that still waits for one, as it was given, or ends before all that was not refused is concluded.
    """
    who = f"executor {type(executor).__name__}"
    waiting = {task.name: task for task in tasks}
    with closing(_begun(executor, tasks, desk, who)) as outcomes:
        while (outcome := _next(outcomes, who)) is not None:
            if not isinstance(outcome, Outcome) or outcome.task.name not in waiting:
                raise PluginError(f"{who} must yield one Outcome for each task, got {outcome!s:.100}")
            if outcome.task != waiting.pop(outcome.task.name):  # files are moved and removed by its paths
                raise PluginError(f"{who} changed {outcome.task.who}'s task; it must give it back as it was, paths too")
            yield outcome
    lost = len(waiting.keys() - set(desk.refused))
    if lost:
        raise PluginError(f"{who} ended without an outcome for {lost} of {len(tasks)} cells; start the same run again")


def _begun(executor: Executor, tasks: Sequence[Task], desk: FrontDesk, who: str) -> Generator[Outcome]:
    outcomes = executor(tasks, desk)
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
