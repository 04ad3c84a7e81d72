"""What an executor is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from cfbench.answers import Answers
from cfbench.contracts import EpochReport
from cfbench.cost import Cost
from cfbench.records.record import Epoch, Status
from cfbench.spec import Value


@dataclass(frozen=True)
class Task:
    """One cell's work, as plain text and paths: it must cross a process border.

    Attributes:
        name: the cell's key.
        home: the distribution of the model; cells of one home may share imported libraries.
        who: the model as the user wrote it, for messages.
        model: ``package.module:Class``.
        params: constructor arguments.
        questions: folder of :class:`cfbench.asking.questions.Questions`.
        output: a folder of its own for the answers; exists and is empty.
        log: the file that takes what the model prints.
        seed: the model's seed.
        list_length: how long the top-k lists are.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: threads allowed.
        save: whether the model is to save itself, where it can, into :func:`saved_in`.
    """

    name: str
    home: str
    who: str
    model: str
    params: Mapping[str, Value]
    questions: str
    output: str
    log: str
    seed: int
    list_length: int
    device: str
    threads: int
    save: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Task:
        """Make a task of fields that have been through JSON, which knows no tuples."""
        lists = {key: tuple(value) if isinstance(value, list) else value for key, value in fields["params"].items()}
        return cls(**{**fields, "params": lists})


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a task.

    Attributes:
        task: the task.
        status: ``ok``, ``failed`` or ``crashed``.
        reason: why not ok.
        answers: the raw answers where ok.
        cost: seconds and memory, as far as measured.
        losses: the learning curve.
        versions: versions of the libraries that the model's process had imported.
    """

    task: Task
    status: Status
    reason: str = ""
    answers: Answers | None = None
    cost: Cost = field(default_factory=Cost)
    losses: tuple[Epoch, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


class Listener(Protocol):
    """Hears what happens while tasks run; the live display is one."""

    def started(self, task: Task) -> None:
        """A task is about to begin; its questions must be in place when this returns."""
        ...

    def epoch(self, task: Task, report: EpochReport) -> None:
        """A model finished an epoch."""
        ...


Executor: TypeAlias = Callable[[Sequence[Task], Listener], Generator[Outcome]]
"""Runs tasks and yields outcomes as they come, in any order; closing the iterator stops what still runs."""


def output_of(task: Task) -> Path:
    """Return the folder that the task's answers go to."""
    return Path(task.output)


def saved_in(task: Task) -> Path:
    """Return the folder that a model which can be saved is left in; it goes with the answers' unless it is moved."""
    return Path(task.output) / "saved"
