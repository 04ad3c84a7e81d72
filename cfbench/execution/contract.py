"""Contract between a run and its executor: tasks go out, events are notified, outcomes come back.

Authors of executors and trackers implement it; all of it is re-exported by :mod:`cfbench.execution`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cfbench.inference.output import ModelOutput
from cfbench.model.protocols import EpochReport
from cfbench.records.cell import Cell
from cfbench.records.record import Epoch, Record, Status
from cfbench.resources.cost import Cost
from cfbench.spec import Value


@dataclass(frozen=True)
class Task:
    """One cell's work, as plain text and paths: it must cross a process border.

    Attributes:
        name: the cell's key.
        distribution: the distribution of the model; cells of one distribution may share imported libraries.
        version: that distribution's version.
        code: digest of its code and of all that it requires, so that a remote worker can tell whether it has the same.
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
        max_processes: processes that the cell may have below its own at a time before it is ended.
        hidden: files and folders that the cell's process must not read, wherever they lie: results, data, the cache.
        network: whether it may use the network.
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
    max_processes: int = 512
    hidden: tuple[str, ...] = ()
    network: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Task:
        """Make a task of fields that have been through JSON, which knows no tuples."""
        params = {key: tuple(value) if isinstance(value, list) else value for key, value in fields["params"].items()}
        return cls(**{**fields, "params": params, "hidden": tuple(fields.get("hidden", ()))})


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
        protections: what held while it ran: ``writes``, ``reads``, ``network``, ``signals`` and ``system-calls``, which
            the kernel kept it from where they are not its own, and ``watchdog``, which kept the limits.
    """

    task: Task
    status: Status
    reason: str = ""
    output: ModelOutput | None = None
    cost: Cost = field(default_factory=Cost)
    losses: tuple[Epoch, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    log_tail: str = ""
    protections: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunDescription:
    """A run that begins.

    Attributes:
        suite: the suite's name.
        settings: the whole suite as JSON has it: models, data sets, splits, metrics, seed, repeats ...
        folder: the run's folder.
        cells: all cells of the run, in table order.
        version: of cfbench.
    """

    suite: str
    settings: Mapping[str, Any]
    folder: Path
    cells: Sequence[Cell]
    version: str


class RunEvents:
    """Events of a run; every method does nothing unless a subclass overrides it.

    A tracker plugin (entry-point group ``cfbench.trackers``) is a dataclass derived from this class, whose fields are
    its parameters. Its methods are called one after another in a thread of its own: they may take their time and never
    hold a run up. The first exception that one raises is reported, ends the tracking and harms nothing else.
    """

    def run_started(self, run: RunDescription) -> None:
        """The run begins. A tracker imports its heavy libraries here, not with its module."""

    def cell_started(self, task: Task) -> None:
        """A cell begins."""

    def cell_phase(self, task: Task, name: str) -> None:
        """A cell enters another phase: ``"waiting"``, ``"import"``, ``"load"``, ``"fit"``, ``"predict"`` ..."""

    def cell_epoch(self, task: Task, report: EpochReport) -> None:
        """A model finished an epoch. Reports in quick succession may be left out."""

    def cell_usage(self, task: Task, seconds: float, resident_bytes: int) -> None:
        """A cell's resources up to now: wall seconds, and the memory that its processes hold."""

    def cell_kept(self, record: Record) -> None:
        """A cell that an earlier run finished is kept."""

    def cell_finished(self, record: Record) -> None:
        """A cell ended, well or not."""

    def note(self, text: str) -> None:
        """A remark for the user."""

    def run_finished(self, files: Sequence[Path], *, complete: bool) -> None:
        """The run is over; ``files`` were written of it, none where it was cut off (``complete`` is False)."""


EVENTS = tuple(name for name in vars(RunEvents) if not name.startswith("_"))
"""Names of the methods of :class:`RunEvents`."""


class TaskQueue(Protocol):
    """Queue that an executor acquires its tasks from."""

    @property
    def events(self) -> RunEvents:
        """The listeners of the run, which the executor notifies."""
        ...

    def acquire(self, task: Task) -> bool:
        """Write the inputs that the task reads, right before it is begun.

        Returns False where the task must not be begun: another run on the same folder has acquired it.
        """
        ...


class Executor(Protocol):
    """Plugin that carries out tasks: a dataclass, found under the entry-point group ``cfbench.executors``.

    A parameter named ``jobs`` takes the value of ``--jobs``, one named ``scheduler`` that of ``--scheduler``.
    """

    def __call__(self, tasks: Sequence[Task], queue: TaskQueue) -> Generator[Outcome]:
        """Carry out the tasks that can be acquired from ``queue``; yield outcomes as they come, in any order.

        Closing the iterator ends what still runs.
        """
        ...
