"""Execution of cells: each in a process of its own, under limits; executors and listeners.

Authors of executors and trackers import from here; modules below are private. A name is loaded when it is first used,
since the processes of cells import this package and need little of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cfbench.errors import RunError, StoreError, UsageError
    from cfbench.execution.executor import Executor, TaskQueue
    from cfbench.execution.fit_and_predict import perform
    from cfbench.execution.outcome_reader import read_outcome
    from cfbench.execution.printed_log import tail_of
    from cfbench.execution.run_events import RunDescription, RunEvents
    from cfbench.execution.supervisor import Supervisor
    from cfbench.execution.task import Outcome, Task, answers_in, saved_in
    from cfbench.records.record import Cell, Record, Status, figure_name
    from cfbench.registry.registry import Registry

__all__ = [
    "Cell",
    "Executor",
    "Outcome",
    "Record",
    "Registry",
    "RunDescription",
    "RunError",
    "RunEvents",
    "Status",
    "StoreError",
    "Supervisor",
    "Task",
    "TaskQueue",
    "UsageError",
    "answers_in",
    "figure_name",
    "perform",
    "read_outcome",
    "saved_in",
    "tail_of",
]

_NAMES_OF_MODULES = {
    "errors": ("RunError", "StoreError", "UsageError"),
    "execution.executor": ("Executor", "TaskQueue"),
    "execution.fit_and_predict": ("perform",),
    "execution.outcome_reader": ("read_outcome",),
    "execution.printed_log": ("tail_of",),
    "execution.run_events": ("RunDescription", "RunEvents"),
    "execution.supervisor": ("Supervisor",),
    "execution.task": ("Outcome", "Task", "answers_in", "saved_in"),
    "records.record": ("Cell", "Record", "Status", "figure_name"),
    "registry.registry": ("Registry",),
}


def __getattr__(name: str) -> Any:
    for module, names in _NAMES_OF_MODULES.items():
        if name in names:
            return getattr(import_module(f"cfbench.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
