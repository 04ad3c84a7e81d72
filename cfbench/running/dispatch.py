"""From planned cells to tasks for an executor: paths, seeds, and the questions laid out in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cfbench.asking.questions import Questions
from cfbench.contracts import EpochReport
from cfbench.executors.task import Listener, Task, output_of
from cfbench.planning.plan import Planned
from cfbench.planning.study import Splits
from cfbench.records.store import RunFolder


def task_of(planned: Planned, folder: RunFolder, workspace: Path, *, save: bool = False) -> Task:
    """Make the task of a cell; its log goes to the run's ``folder``, all else to the temporary ``workspace``.

    ``save`` lets the model save itself there.
    """
    cell = planned.cell
    log = folder.log_path(cell)
    log.unlink(missing_ok=True)
    return Task(
        name=cell.key,
        home=cell.distribution,
        who=cell.model,
        model=planned.plugin.value,
        params=planned.params,
        questions=str(workspace / cell.split_fingerprint),
        output=str(workspace / cell.key),
        log=str(log.absolute()),
        seed=planned.seed,
        list_length=cell.list_length,
        device=cell.device,
        threads=cell.threads,
        save=save,
    )


@dataclass(frozen=True)
class Desk:
    """Lays out a cell's questions when it is about to begin, so that a long plan fills no disk ahead of time.

    Attributes:
        splits: gives the split of a cell.
        planned: the cells by task name.
        listener: who is told in turn.
    """

    splits: Splits
    planned: Mapping[str, Planned]
    listener: Listener

    def started(self, task: Task) -> None:
        """Write the split's questions if no cell before has, and make the folder for the answers."""
        questions = Path(task.questions)
        if not questions.exists():
            questions.mkdir()
            Questions.of(self.splits.of(self.planned[task.name].cell)).write(questions)
        output_of(task).mkdir()
        self.listener.started(task)

    def epoch(self, task: Task, report: EpochReport) -> None:
        """Pass on what a model reports."""
        self.listener.epoch(task, report)
