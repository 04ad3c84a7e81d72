"""Runner of a plan: finished cells are kept, missing ones are computed, every failure is a record."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from cfbench.errors import StoreError
from cfbench.evaluation.metrics.metric import Need
from cfbench.execution.executor import Executor
from cfbench.execution.run_events import RunEvents
from cfbench.execution.task import Outcome, saved_in
from cfbench.experiment.plan import Plan, Planned
from cfbench.inference.output import ModelOutput
from cfbench.records.answer_shapes import require_answers_to
from cfbench.records.cell_locks import CellLocks
from cfbench.records.kept_models import ModelFolder
from cfbench.records.record import Cell, Line, Record
from cfbench.records.store import RunFolder
from cfbench.results.summary import consolidated
from cfbench.runner.dispatch import ResourceLimits, RunTaskQueue, clear_workspaces, outcomes_of, task_of, workspace
from cfbench.runner.recorder import Recorder

_BETWEEN_LOOKS = 0.2  # seconds, while another run computes what this one needs too


@dataclass(frozen=True)
class RunOptions:
    """Options of a run that cannot change the answers.

    Attributes:
        force: compute finished cells again.
        save_models: keep every fitted model that can be saved beside its record; a finished cell without is fitted
            again.
        limits: limits of the cells.
        workspace: where temporary files go; the system's folder for them where None.
    """

    force: bool = False
    save_models: bool = False
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    workspace: Path | None = None


@dataclass
class Run:
    """One execution of a plan in a folder.

    Attributes:
        plan: what to run.
        folder: where records are kept.
        executor: what runs the cells.
        events: the listeners of the run.
        options: the options.
    """

    plan: Plan
    folder: RunFolder
    executor: Executor
    events: RunEvents
    options: RunOptions = field(default_factory=RunOptions)

    def __post_init__(self) -> None:
        self._recorder = Recorder(self.plan.study)
        self._models = ModelFolder(self.folder.path)
        self._computed: list[Record] = []
        self._seen: dict[str, object] = {}

    def execute(self) -> list[Line]:
        """Run what is missing; return and write all records with their summaries and comparisons.

        Records of finished cells are on the disk as soon as they end, so that an interruption loses only the
        cells in flight; the consolidated file is written from what there is, also then.

        Raises StoreError where what was computed has been removed meanwhile.
        """
        records: dict[Cell, Record] = {}
        clock = self.plan.study.clock
        self.folder.clear_leftovers()
        clear_workspaces(self.options.workspace)
        self.folder.save_suite(self.plan.suite.model_dump_json(indent=1))
        with threadpool_limits(1):  # the cells' processes need the cores; idle BLAS threads that spin take them
            try:
                for record in self._results():
                    records[record.cell] = record
            finally:
                for record in self._computed:  # an interrupt may come between the end of a cell and this loop
                    records.setdefault(record.cell, record)
                with clock.part("summarise"):
                    lines = consolidated(self.plan.study, records, self._recorder.queue)
                with clock.part("write"):
                    self.folder.write_lines(lines)
        gone = sum(self.folder.version_of(record.cell) is None for record in self._computed)
        if gone:
            raise StoreError(
                f"{gone} finished cells have gone from {self.folder.path} during the run; start the same run again"
            )
        return lines

    def pending(self) -> list[Planned]:
        """Return the cells that :meth:`execute` would compute."""
        return [planned for planned in self.plan.cells if self._stored(planned) is None]

    def _results(self) -> Iterator[Record]:
        missing = []
        for planned in self.plan.cells:
            self._seen[planned.cell.key] = self.folder.version_of(planned.cell)
            stored = self._stored(planned)
            if stored is None:
                missing.append(planned)
            else:
                yield self._keep(planned, *stored)
        for planned in missing:
            if planned.plugin.problem:
                yield self._end(self._recorder.skipped(planned), None)
        yield from self._compute([planned for planned in missing if not planned.plugin.problem])

    def _stored(self, planned: Planned) -> tuple[Record, ModelOutput] | None:
        """Return a finished cell's record and answers, None where it has to be computed."""
        options = self.options
        if options.force or (options.save_models and _can_save(planned) and not self._models.intact(planned.cell)):
            return None
        record, answers = self._load(planned.cell) or (None, None)
        if record is None or answers is None or (self._with_energy and not record.cost.energy_method):
            return None
        return record, answers

    @property
    def _with_energy(self) -> bool:
        return self.options.limits.energy or self._needs("energy")

    def _needs(self, need: Need) -> bool:
        """Whether a metric needs what is made only on demand."""
        return any(need in metric.contract.needs for metric in self.plan.study.metrics)

    def _load(self, cell: Cell) -> tuple[Record, ModelOutput | None] | None:
        """Return what is stored of a cell, None where there is nothing that can be trusted."""
        try:
            stored = self.folder.load(cell)
            if stored is not None and stored[1] is not None:
                require_answers_to(self.plan.study.splits.of(cell), cell, stored[1])
            return stored
        except StoreError as error:
            self.events.note(f"{error}; computing the cell again")
            return None

    def _keep(self, planned: Planned, old: Record, answers: ModelOutput | None) -> Record:
        """Keep a stored cell: measure its raw answers, without fitting, by the metrics of today, as they are today."""
        record = replace(old, cell=planned.cell)
        if answers is not None:
            record = self._recorder.measured(record, answers)
            if (record.metrics, record.tables) != (old.metrics, old.tables):
                self.folder.save(record, answers)
        self.events.cell_kept(record)
        return record

    def _compute(self, missing: Sequence[Planned]) -> Iterator[Record]:
        """Compute cells, except those that another run on the same folder computes meanwhile: these are awaited."""
        by_name: dict[str, list[Planned]] = {}
        for planned in missing:  # cells that are the same are run once
            by_name.setdefault(planned.cell.key, []).append(planned)
        if not by_name:
            return
        with workspace(self.options.workspace) as place, CellLocks(self.folder.path / "cells") as locks:
            while by_name:
                refused = yield from self._pass(by_name, place, locks)
                by_name = {name: by_name[name] for name in refused}
                yield from self._await_others(by_name, locks)

    def _pass(
        self, by_name: Mapping[str, list[Planned]], place: Path, locks: CellLocks
    ) -> Generator[Record, None, list[str]]:
        """Run what no other run has locked; return the names of the tasks that one has."""
        first = {name: same[0] for name, same in by_name.items()}
        save = self.options.save_models or self._needs("saved-model")
        protected = (self.folder.path, *self.options.limits.protected)
        limits = replace(self.options.limits, energy=self._with_energy, protected=protected)
        tasks = [task_of(planned, limits, place, save=save) for planned in first.values()]

        def lock(name: str) -> bool:
            return locks.acquire(name) and not self._concluded_elsewhere(first[name].cell)

        queue = RunTaskQueue(tasks, self.plan.study.splits, first, self.events, lock)
        with closing(outcomes_of(self.executor, tasks, queue)) as outcomes:
            for outcome in outcomes:
                name, answers = outcome.task.name, outcome.output
                record = self._recorder.concluded(first[name], outcome)
                self.folder.keep_log(record.cell, Path(outcome.task.log))
                if self.options.save_models and answers is not None:
                    self._keep_model(first[name], outcome)
                self._end(record, answers)
                locks.release(name)
                queue.release(outcome.task)
                for planned in by_name[name]:
                    alike = replace(record, cell=planned.cell)
                    if answers is not None and planned.cell != record.cell:  # another name, beside other models
                        alike = self._recorder.measured(alike, answers)
                    yield alike
        return queue.refused

    def _concluded_elsewhere(self, cell: Cell) -> bool:
        """Whether another run has concluded the cell since this one looked at it first."""
        return self.folder.version_of(cell) != self._seen[cell.key]

    def _await_others(self, by_name: dict[str, list[Planned]], locks: CellLocks) -> Iterator[Record]:
        """Take over what other runs conclude, failures too, until nothing is left or a cell is left to this run."""
        if by_name:
            self.events.note(f"{len(by_name)} cells are computed by another run in {self.folder.path}; waiting for it")
        while by_name:
            mine = [name for name in by_name if locks.acquire(name)]
            for name in mine:
                cell = by_name[name][0].cell
                stored = self._load(cell) if self._concluded_elsewhere(cell) else None
                self._seen[name] = self.folder.version_of(cell)
                if stored is not None:
                    locks.release(name)
                    for planned in by_name.pop(name):
                        yield self._keep(planned, *stored)
            if by_name.keys() & set(mine):
                return
            if by_name:
                time.sleep(_BETWEEN_LOOKS)

    def _keep_model(self, planned: Planned, outcome: Outcome) -> None:
        """Move what the model saved beside its record."""
        if not saved_in(outcome.task).is_dir():
            why = "failed to save itself, see its log" if _can_save(planned) else "has no save"
            self.events.note(f"{planned.cell.model} {why}: its model is not kept")
            return
        try:
            self._models.keep(planned.cell, planned.plugin, saved_in(outcome.task))
        except StoreError as error:  # the other cells must not pay for it
            self.events.note(f"{error}; the cell's figures are kept")

    def _end(self, record: Record, answers: ModelOutput | None) -> Record:
        with self.plan.study.clock.part("write"):
            self.folder.save(record, answers)
        self._computed.append(record)
        self.events.cell_finished(record)
        return record


def _can_save(planned: Planned) -> bool:
    return not planned.plugin.problem and "saves" in planned.plugin.declaration.capabilities
