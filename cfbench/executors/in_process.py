"""Cells one after another in the present process: for debuggers; a crash takes the run along."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial

from cfbench.executors.task import Listener, Outcome, Task
from cfbench.executors.work import perform


def run_in_process(tasks: Sequence[Task], listener: Listener) -> Generator[Outcome]:
    """Carry out the tasks here, in order."""
    for task in tasks:
        listener.started(task)
        yield perform(task, partial(listener.epoch, task))
