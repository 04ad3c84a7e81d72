"""Execution of cells: each in a process of its own, under limits; executors and listeners.

Authors of executors and trackers import from here; modules below are private. A name is loaded when it is first used,
since the processes of cells import this package and need little of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cfbench.errors import RunError, StoreError, UsageError
    from cfbench.execution.contract import Executor, Outcome, RunDescription, RunEvents, Task, TaskQueue
    from cfbench.execution.fit_and_predict import perform
    from cfbench.execution.outcome_file import (
        answers_in,
        most_bytes,
        read_outcome,
        saved_in,
        tail_of,
        write_outcome,
    )
    from cfbench.execution.supervisor import Supervisor
    from cfbench.files.atomic import room
    from cfbench.files.locks import remove_folder
    from cfbench.records.cell import Cell
    from cfbench.records.record import Record, Status, figure_name
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
    "most_bytes",
    "perform",
    "read_outcome",
    "remove_folder",
    "room",
    "saved_in",
    "tail_of",
    "write_outcome",
]

_NAMES_OF_MODULES = {
    "errors": ("RunError", "StoreError", "UsageError"),
    "execution.contract": ("Executor", "Outcome", "RunDescription", "RunEvents", "Task", "TaskQueue"),
    "execution.fit_and_predict": ("perform",),
    "execution.outcome_file": (
        "answers_in",
        "most_bytes",
        "read_outcome",
        "saved_in",
        "tail_of",
        "write_outcome",
    ),
    "execution.supervisor": ("Supervisor",),
    "files.atomic": ("room",),
    "files.locks": ("remove_folder",),
    "records.cell": ("Cell",),
    "records.record": ("Record", "Status", "figure_name"),
    "registry.registry": ("Registry",),
}


def __getattr__(name: str) -> Any:
    for module, names in _NAMES_OF_MODULES.items():
        if name in names:
            return getattr(import_module(f"cfbench.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
