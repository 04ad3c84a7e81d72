"""Running a plan: what is finished is kept, what is missing is computed, every failure is a record."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from threadpoolctl import threadpool_limits

from cfbench.answers import Answers
from cfbench.errors import StoreError
from cfbench.executors.task import Executor, Listener, Outcome, output_of, saved_in
from cfbench.measuring.recording import Recorder
from cfbench.planning.plan import Plan, Planned
from cfbench.records.lines import Line
from cfbench.records.models import ModelFolder
from cfbench.records.record import Cell, Record
from cfbench.records.store import RunFolder
from cfbench.running.dispatch import Desk, task_of
from cfbench.summaries.consolidation import consolidated


class Observer(Listener, Protocol):
    """Hears how a run goes on."""

    def kept(self, record: Record) -> None:
        """A cell was finished before and is kept."""
        ...

    def finished(self, record: Record) -> None:
        """A cell ended, well or not."""
        ...

    def note(self, text: str) -> None:
        """Something the user should know."""
        ...


@dataclass
class Run:
    """One execution of a plan in a folder.

    Attributes:
        plan: what to run.
        folder: where records are kept.
        executor: what runs the cells.
        observer: who is told.
        force: recompute what is already there.
        save_models: keep every fitted model that can be saved beside its record; a finished cell without is fitted
            again.
        computed: the records of this execution, kept ones left out.
    """

    plan: Plan
    folder: RunFolder
    executor: Executor
    observer: Observer
    force: bool = False
    save_models: bool = False
    computed: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._recorder = Recorder(self.plan.study)
        self._models = ModelFolder(self.folder.path)

    def execute(self) -> list[Line]:
        """Run what is missing; return and write all records with their summaries and comparisons.

        Records of finished cells are on the disk as soon as they end, so that an interruption loses only the
        cells in flight; the consolidated file is written from what there is, also then.
        """
        records: dict[Cell, Record] = {}
        self.folder.save_suite(self.plan.suite.model_dump_json(indent=1))
        with threadpool_limits(1):  # the cells' processes need the cores; idle BLAS threads that spin take them
            try:
                for record in self._results():
                    records[record.cell] = record
            finally:
                for record in self.computed:  # an interrupt may come between the end of a cell and this loop
                    records.setdefault(record.cell, record)
                lines = self._consolidate(records)
        return lines

    def pending(self) -> list[Planned]:
        """Return the cells that :meth:`execute` would compute."""
        return [planned for planned in self.plan.cells if self._stored(planned) is None]

    def _results(self) -> Iterator[Record]:
        missing = []
        for planned in self.plan.cells:
            stored = self._stored(planned)
            if stored is None:
                missing.append(planned)
            else:
                yield self._keep(planned, *stored)
        yield from self._skip([planned for planned in missing if planned.plugin.problem])
        yield from self._compute([planned for planned in missing if not planned.plugin.problem])

    def _stored(self, planned: Planned) -> tuple[Record, Answers] | None:
        """Return a finished cell's record and answers, None where it has to be computed."""
        if self.force or (self.save_models and _can_be_saved(planned) and not self._models.intact(planned.cell)):
            return None
        try:
            stored = self.folder.load(planned.cell)
        except StoreError as error:
            self.observer.note(f"{error}; computing the cell again")
            return None
        return None if stored is None or stored[1] is None else (stored[0], stored[1])

    def _keep(self, planned: Planned, old: Record, answers: Answers) -> Record:
        """Measure a kept cell from its raw answers, without fitting: by the metrics of today, as they are today."""
        record = self._recorder.measured(replace(old, cell=planned.cell), answers)
        if (record.metrics, record.tables) != (old.metrics, old.tables):
            self.folder.save(record, answers)
        self.observer.kept(record)
        return record

    def _skip(self, unusable: Sequence[Planned]) -> Iterator[Record]:
        for planned in unusable:
            yield self._end(self._recorder.skipped(planned), None)

    def _compute(self, missing: Sequence[Planned]) -> Iterator[Record]:
        by_name = {planned.cell.key: planned for planned in missing}  # cells that are the same are run once
        with tempfile.TemporaryDirectory(prefix="cfbench-", ignore_cleanup_errors=True) as workspace:
            save = self.save_models or any("saved-model" in one.contract.needs for one in self.plan.study.metrics)
            tasks = [task_of(planned, self.folder, Path(workspace), save=save) for planned in by_name.values()]
            desk = Desk(self.plan.study.splits, by_name, self.observer)
            with closing(self.executor(tasks, desk)) as outcomes:
                for outcome in outcomes:
                    record = self._recorder.concluded(by_name[outcome.task.name], outcome)
                    self._end(record, outcome.answers)
                    self._keep_model(by_name[outcome.task.name], outcome)
                    same = (planned.cell for planned in missing if planned.cell.key == outcome.task.name)
                    yield from (self._under(cell, record, outcome.answers) for cell in same)
                    shutil.rmtree(output_of(outcome.task), ignore_errors=True)

    def _keep_model(self, planned: Planned, outcome: Outcome) -> None:
        """Move what the model saved beside its record, where that is asked for."""
        if not self.save_models or outcome.answers is None:
            return
        if not saved_in(outcome.task).is_dir():
            why = "failed to save itself, see its log" if _can_be_saved(planned) else "has no save"
            self.observer.note(f"{planned.cell.model} {why}: its model is not kept")
            return
        try:
            self._models.keep(planned.cell, planned.plugin, saved_in(outcome.task))
        except StoreError as error:  # the other cells must not pay for it
            self.observer.note(f"{error}; the cell's figures are kept")

    def _under(self, cell: Cell, record: Record, answers: Answers | None) -> Record:
        """Return what came of a cell under another name of the same cell, which is measured beside other models."""
        if cell == record.cell or answers is None:
            return replace(record, cell=cell)
        return self._recorder.measured(replace(record, cell=cell), answers)

    def _end(self, record: Record, answers: Answers | None) -> Record:
        self.folder.save(record, answers)
        self.computed.append(record)
        self.observer.finished(record)
        return record

    def _consolidate(self, records: Mapping[Cell, Record]) -> list[Line]:
        lines = consolidated(self._recorder, records)
        self.folder.write_lines(lines)
        return lines


def _can_be_saved(planned: Planned) -> bool:
    return not planned.plugin.problem and "saves" in planned.plugin.declaration.powers
