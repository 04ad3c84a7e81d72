"""Runner of a plan: finished cells are kept, missing ones are computed, every failure is a record."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cfbench.errors import StoreError
from cfbench.evaluation.measure import measure
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.sanity_checks import answer_warnings
from cfbench.evaluation.statistics.bootstrap import PerUser, Resampleable, resampled
from cfbench.execution.contract import Executor, Outcome, RunEvents
from cfbench.execution.outcome_file import saved_in
from cfbench.experiment.plan import Plan, Planned, Study
from cfbench.inference.output import ModelOutput
from cfbench.inference.output_rules import mistakes_in
from cfbench.inference.pair_order import PairOrder
from cfbench.model.ratings import Codes
from cfbench.records.cell import Cell
from cfbench.records.kept_models import ModelFolder
from cfbench.records.record import Line, Record
from cfbench.records.store import CellLocks, RunFolder, first_mistake
from cfbench.registry.code_identity import HARNESS, REMARKS
from cfbench.resources.cost import Clock
from cfbench.results.summary import CellSamples, consolidated
from cfbench.runner.dispatch import RunOptions, RunTaskQueue, clear_workspaces, new_workspace, outcomes_of, task_of

_BETWEEN_LOOKS = 0.2  # seconds, while another run computes what this one needs too
_MOST_WAITING = 2  # cells whose sums are kept until their turn; more would fill the memory where models are fast
_LOWEST_PRIORITY = 19


class CellMeasurer:
    """Measuring of a study's cells; their users are resampled in a thread of its own while the next cell is fitted.

    The same users are drawn for all cells of a result group: those of all its folds, whatever becomes of other cells.
    Whoever makes one closes it.
    """

    def __init__(self, study: Study) -> None:
        """Take the study; the thread starts with the first cell."""
        self._study = study
        self._samples: dict[Cell, Future[CellSamples]] = {}
        self._free_places = threading.Semaphore(_MOST_WAITING)
        self._background = ThreadPoolExecutor(1, "resampling", initializer=_lower_priority)

    def measured(self, record: Record, output: ModelOutput) -> Record:
        """Measure raw output by exactly the study's metrics; earlier figures of the record are replaced."""
        split, clock = self._study.splits.of(record.cell), Clock()
        with clock.part("measure"):
            evaluation = Evaluation(split, output, record.cost)
            measured = measure(evaluation, self._study.metrics)
            warnings = answer_warnings(evaluation, measured.n_users(self._study.metrics))
        self.resample(record.cell, split.test_user_positions, measured.sums, set(measured.figures))
        seconds = {**record.cost.seconds, **clock.wall}
        cpu_seconds = {**record.cost.cpu_seconds, **clock.cpu}
        return replace(
            record,
            metrics=measured.figures,
            tables=measured.tables,
            missing=measured.missing,
            fallback=split.train.mean,
            warnings=(*(one for one in record.warnings if one.code in REMARKS), *warnings),
            cost=replace(record.cost, seconds=seconds, cpu_seconds=cpu_seconds),
        )

    def resample(self, cell: Cell, users: Codes, sums: Mapping[str, Resampleable], metrics: set[str]) -> None:
        """Queue the resampling of ``cell``; wait first while too many cells are queued.

        Args:
            cell: the cell.
            users: positions of its test users, as the split's ``test_user_positions``, shape (t,).
            sums: by figure name, sums over them.
            metrics: the figures whose values of single users are wanted too.
        """

        def draw() -> CellSamples:
            group_users = self._study.test_users(cell)
            positions = np.searchsorted(group_users, users)
            spread = {name: one.expanded(positions, len(group_users)) for name, one in sums.items()}
            per_user = {
                name: one.per_user.astype(np.float32)
                for name, one in spread.items()
                if name in metrics and isinstance(one, PerUser)
            }
            return CellSamples(resampled(spread, self._study.resampling_seed(cell)), per_user)

        self._free_places.acquire()
        self._samples[cell] = self._background.submit(draw)
        self._samples[cell].add_done_callback(lambda _: self._free_places.release())

    def samples_of(self, cell: Cell) -> CellSamples:
        """Return the samples of a measured cell as soon as they are drawn; raises what resampling raised."""
        return self._samples[cell].result()

    def close(self) -> None:
        """Wait for the thread to end; the samples stay."""
        self._background.shutdown()


def _lower_priority() -> None:
    # Models go first. On Linux a thread has a priority of its own.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)


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
        study = self.plan.study
        self._measurer = CellMeasurer(study)
        self._models = ModelFolder(self.folder.path)
        self._needs = {need for metric in study.metrics for need in metric.contract.needs}
        self._energy = self.options.energy or "energy" in self._needs
        self._new: dict[Cell, Record] = {}
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
        # The cells' processes need the cores; idle BLAS threads that spin take them.
        with threadpool_limits(1), closing(self._measurer):
            try:
                for record in self._records():
                    records[record.cell] = record
            finally:
                records = self._new | records  # an interrupt may come between the end of a cell and this loop
                with clock.part("summarise"):
                    lines = consolidated(self.plan.study, records, self._measurer.samples_of)
                with clock.part("write"):
                    self.folder.write_lines(lines)
        gone = sum(self.folder.version_of(cell) is None for cell in self._new)
        if gone:
            raise StoreError(
                f"{gone} finished cells have gone from {self.folder.path} during the run; start the same run again"
            )
        return lines

    def pending(self) -> list[Planned]:
        """Return the cells that :meth:`execute` would compute."""
        return [planned for planned in self.plan.planned if self._finished(planned) is None]

    def _records(self) -> Iterator[Record]:
        """Yield the records of all cells: kept ones first, then those that cannot be run, then computed ones."""
        missing = []
        for planned in self.plan.planned:
            self._seen[planned.cell.key] = self.folder.version_of(planned.cell)
            finished = self._finished(planned)
            if finished is None:
                missing.append(planned)
            else:
                yield self._kept(planned, *finished)
        for planned in missing:
            if planned.plugin.problem:
                skipped = Record(planned.cell, "skipped", planned.plugin.problem, provenance=_provenance(planned, {}))
                yield self._save_new(skipped, None)
        yield from self._compute([planned for planned in missing if not planned.plugin.problem])

    def _finished(self, planned: Planned) -> tuple[Record, ModelOutput] | None:
        """Return a finished cell's record and output, None where it has to be computed."""
        options = self.options
        if options.force or (options.save_models and _can_save(planned) and not self._models.intact(planned.cell)):
            return None
        record, output = self._load(planned.cell) or (None, None)
        if record is None or output is None or (self._energy and not record.cost.energy_method):
            return None
        return record, output

    def _load(self, cell: Cell) -> tuple[Record, ModelOutput | None] | None:
        """Return what is stored of a cell, None where there is nothing that can be trusted."""
        try:
            return self.folder.load(cell, self.plan.study.splits.of)
        except StoreError as error:
            self.events.note(f"{error}; computing the cell again")
            return None

    def _kept(self, planned: Planned, old: Record, output: ModelOutput | None) -> Record:
        """Return the record of a stored cell, its raw output measured, without fitting, by the metrics of today."""
        record = replace(old, cell=planned.cell)
        if output is not None:
            record = self._measurer.measured(record, output)
            if (record.metrics, record.tables) != (old.metrics, old.tables):
                self.folder.save(record, output)
        self.events.cell_kept(record)
        return record

    def _compute(self, missing: Sequence[Planned]) -> Iterator[Record]:
        """Compute cells, except those that another run on the same folder computes meanwhile: these are awaited."""
        by_name: dict[str, list[Planned]] = {}
        for planned in missing:  # cells that are the same are run once
            by_name.setdefault(planned.cell.key, []).append(planned)
        if not by_name:
            return
        with new_workspace(self.options.workspace) as workspace, CellLocks(self.folder.path / "cells") as locks:
            while by_name:
                refused = yield from self._compute_unlocked(by_name, workspace, locks)
                by_name = {name: by_name[name] for name in refused}
                yield from self._await_others(by_name, locks)

    def _compute_unlocked(
        self, by_name: Mapping[str, list[Planned]], workspace: Path, locks: CellLocks
    ) -> Generator[Record, None, list[str]]:
        """Run what no other run has locked; return the names of the tasks that one has."""
        first = {name: same[0] for name, same in by_name.items()}
        options = replace(
            self.options,
            save_models=self.options.save_models or "saved-model" in self._needs,
            energy=self._energy,
            hidden=(self.folder.path, *self.plan.suite.data_files, *self.options.hidden),
        )
        tasks = [task_of(planned, options, workspace) for planned in first.values()]

        def lock(name: str) -> bool:
            return locks.acquire(name) and not self._concluded_elsewhere(first[name].cell)

        queue = RunTaskQueue(tasks, self.plan.study.splits, first, self.events, lock)
        with closing(outcomes_of(self.executor, tasks, queue)) as outcomes:
            for from_cell in outcomes:
                name = from_cell.task.name
                outcome = self._in_split_order(first[name], _of_planned_code(first[name], from_cell))
                record = self._conclude(first[name], outcome)
                locks.release(name)
                queue.release(outcome.task)
                for planned in by_name[name]:
                    alike = replace(record, cell=planned.cell)
                    if outcome.output is not None and planned.cell != record.cell:  # another name, beside other models
                        alike = self._measurer.measured(alike, outcome.output)
                    yield alike
        return queue.refused

    def _in_split_order(self, planned: Planned, outcome: Outcome) -> Outcome:
        """Return the outcome with the answers to test rows and training rows in place of those to the whole stream."""
        if outcome.output is None:
            return outcome
        order = PairOrder.of(self.plan.study.splits.of(planned.cell))
        try:
            return replace(outcome, output=order.in_split_order(outcome.output))
        except ValueError as error:
            return replace(outcome, status="failed", reason=f"its process left other answers: {error}", output=None)

    def _conclude(self, planned: Planned, outcome: Outcome) -> Record:
        """Measure and keep what came of a cell that was run: its record, raw output, log and model.

        What came of it was made in the model's process: what cannot be is the failure of this cell.
        """
        cell, output = planned.cell, outcome.output
        if output is not None:
            with self.plan.study.clock.part("check"):
                mistakes = mistakes_in(output, self.plan.study.splits.of(cell), cell.list_length)
                if mistake := next(mistakes, ""):
                    outcome = replace(outcome, status="failed", reason=f"no model's answers: {mistake}", output=None)
        try:
            record = Record(
                cell=cell,
                status=outcome.status,
                reason=outcome.reason,
                cost=outcome.cost,
                losses=outcome.losses,
                warnings=planned.remarks,
                provenance=_provenance(planned, outcome.versions) | _confinement(outcome),
                log_tail=outcome.log_tail,
            )
        except ValueError as error:
            outcome = replace(outcome, output=None)
            reason, provenance = f"no record can hold what it reported: {error}", _provenance(planned, {})
            record = Record(cell, "failed", reason, warnings=planned.remarks, provenance=provenance)
        if outcome.output is not None:
            record = self._measurer.measured(record, outcome.output)
        self.folder.keep_log(record.cell, Path(outcome.task.log))
        if self.options.save_models and outcome.output is not None:
            self._keep_model(planned, saved_in(outcome.task))
        return self._save_new(record, outcome.output)

    def _keep_model(self, planned: Planned, saved: Path) -> None:
        """Move what the model saved beside its record."""
        if not saved.is_dir():
            why = "failed to save itself, see its log" if _can_save(planned) else "has no save"
            self.events.note(f"{planned.cell.model} {why}: its model is not kept")
            return
        try:
            self._models.keep(planned.cell, planned.plugin, saved)
        except StoreError as error:  # the other cells must not pay for it
            self.events.note(f"{error}; the cell's figures are kept")

    def _save_new(self, record: Record, output: ModelOutput | None) -> Record:
        """Write a record and its output; one that could not be read back becomes that of a failure."""
        with self.plan.study.clock.part("write"):
            try:
                self.folder.save(record, output)
            except ValueError as error:
                reason = f"its record could not be read back: {first_mistake(error)}"
                record = Record(record.cell, "failed", reason, provenance=_provenance(None, {}))
                self.folder.save(record, None)
        self._new[record.cell] = record
        self.events.cell_finished(record)
        return record

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
                        yield self._kept(planned, *stored)
            if by_name.keys() & set(mine):
                return
            if by_name:
                time.sleep(_BETWEEN_LOOKS)


def _can_save(planned: Planned) -> bool:
    return not planned.plugin.problem and "saves" in planned.plugin.declaration.capabilities


def _of_planned_code(planned: Planned, outcome: Outcome) -> Outcome:
    """Return the outcome, a failure where code that it depends on was changed since the cell was planned.

    Nobody can say which code it ran; the next run plans the cell with the new code.
    """
    if outcome.status != "ok" or not (change := planned.plugin.code_change()):
        return outcome
    return replace(outcome, status="failed", reason=f"{change} during the run; start the same run again", output=None)


def _confinement(outcome: Outcome) -> dict[str, str]:
    """Return under which protections a cell ran, and whether it might use the network."""
    return {
        "protections": " ".join(outcome.protections) or "none",
        "network": "allowed" if outcome.task.network else "not allowed",
    }


def _provenance(planned: Planned | None, versions: Mapping[str, str]) -> dict[str, str]:
    """Return where a record comes from: whose code, which ``versions``, which machine."""
    codes = {}
    if planned is not None:
        installation, distribution = planned.plugin.installation, planned.cell.distribution
        codes = {"plugin-code": installation.code(distribution), "cfbench-code": installation.code(HARNESS)}
    return {
        **versions,  # from the model's process: it must not say the rest
        **{name: str(code or "not installed") for name, code in codes.items()},
        "cfbench": version("cfbench"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
