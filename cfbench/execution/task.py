"""Task and outcome: what an executor gets and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfbench.inference.output import ModelOutput
from cfbench.records.record import Epoch, Status
from cfbench.resources.cost import Cost
from cfbench.spec import Value


@dataclass(frozen=True)
class Task:
    """One cell's work, as plain text and paths: it must cross a process border.

    Attributes:
        name: the cell's key.
        distribution: the distribution of the model; cells of one distribution may share imported libraries.
        version: that distribution's version.
        code: digest of that distribution's sources, so that a remote worker can tell whether it has the same.
        label: the model as the user wrote it, for messages.
        import_path: the model's class, ``package.module:Class``.
        params: constructor arguments.
        inputs: folder of :class:`cfbench.inference.inputs.EvaluationInputs`.
        folder: a folder of its own, empty: answers and whatever the model writes go there.
        log: the file that takes what the model prints, outside of ``folder``.
        seed: the model's seed.
        list_length: length of the top-k lists.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: threads allowed.
        save: whether the model is to save itself, where it can, into :func:`saved_in`.
        energy: whether the energy of fitting and answering is estimated.
        timeout: wall seconds after which the cell is ended, from the moment its process begins; None for none.
        memory_limit: resident bytes of the cell's process and its children beyond which they are ended; None for none.
        protected: folders that the cell's process must not write to, ``folder`` excepted.
    """

    name: str
    distribution: str
    label: str
    import_path: str
    params: Mapping[str, Value]
    inputs: str
    folder: str
    log: str
    seed: int
    list_length: int
    device: str
    threads: int
    version: str = ""
    code: str = ""
    save: bool = False
    energy: bool = False
    timeout: float | None = None
    memory_limit: int | None = None
    protected: tuple[str, ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Task:
        """Make a task of fields that have been through JSON, which knows no tuples."""
        params = {key: tuple(value) if isinstance(value, list) else value for key, value in fields["params"].items()}
        return cls(**{**fields, "params": params, "protected": tuple(fields.get("protected", ()))})


@dataclass(frozen=True, eq=False)
class Outcome:
    """Outcome of a task.

    Attributes:
        task: the task.
        status: how it ended; never ``skipped``.
        reason: why not ok.
        output: the model's raw output where ok.
        cost: seconds and memory, as far as measured.
        losses: the learning curve.
        versions: versions of numpy and of the libraries that the model's distribution requires.
        log_tail: the last lines that it printed, where it is not ok.
    """

    task: Task
    status: Status
    reason: str = ""
    output: ModelOutput | None = None
    cost: Cost = field(default_factory=Cost)
    losses: tuple[Epoch, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    log_tail: str = ""


def answers_in(task: Task) -> Path:
    """Return the folder that the task's answers are written to."""
    return Path(task.folder) / "answers"


def saved_in(task: Task) -> Path:
    """Return the folder of a model that saved itself; it is removed with ``task.folder`` unless it is moved."""
    return Path(task.folder) / "saved"
