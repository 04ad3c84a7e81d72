"""Running a plan: what is finished is kept, what is missing is computed, every failure is a record."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from threadpoolctl import threadpool_limits

from cfbench.answers import Answers
from cfbench.clock import Clock
from cfbench.contracts import EpochReport
from cfbench.errors import StoreError
from cfbench.executors.task import Executor, Listener, Outcome, Task, output_of
from cfbench.harness import measure, with_intervals
from cfbench.metrics.metric import PerUser
from cfbench.plan import Plan, Planned
from cfbench.questions import Questions
from cfbench.record import Cell, Cost, Record
from cfbench.splits.split import Split
from cfbench.store import Line, RunFolder
from cfbench.summary import summaries_and_comparisons


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
        computed: the records of this execution, kept ones left out.
        per_user: the per-user sums of the cells measured in this execution, by cell key.
    """

    plan: Plan
    folder: RunFolder
    executor: Executor
    observer: Observer
    force: bool = False
    computed: list[Record] = field(default_factory=list)
    per_user: dict[str, Mapping[str, PerUser]] = field(default_factory=dict)

    def execute(self) -> list[Line]:
        """Run what is missing; return and write all records with their summaries and comparisons.

        Records of finished cells are on the disk as soon as they end, so that an interruption loses only the
        cells in flight; the consolidated file is written from what there is, also then.
        """
        records: dict[str, Record] = {}
        for planned, record in self._kept():
            records[planned.cell.key] = record
            self.observer.kept(record)
        with threadpool_limits(1):  # the cells' processes need the cores; idle BLAS threads that spin take them
            try:
                for record in self._computed([p for p in self.plan.cells if p.cell.key not in records]):
                    records[record.cell.key] = record
            finally:
                lines = self._consolidate(records)
        return lines

    def pending(self) -> list[Planned]:
        """Return the cells that :meth:`execute` would compute."""
        done = {planned.cell.key for planned, _ in self._kept()}
        return [planned for planned in self.plan.cells if planned.cell.key not in done]

    def _kept(self) -> Iterator[tuple[Planned, Record]]:
        for planned in self.plan.cells if not self.force else ():
            try:
                stored = self.folder.load(planned.cell)
            except StoreError as error:
                self.observer.note(f"{error}; computing the cell again")
                continue
            if stored is not None and stored[1] is not None:
                record = self._with_all_metrics(planned, stored[0], stored[1])
                yield planned, record

    def _with_all_metrics(self, planned: Planned, record: Record, answers: Answers) -> Record:
        """Measure a kept cell again, from its raw answers, where the suite asks for metrics it lacks."""
        there = {*record.metrics, *record.tables, *record.not_applicable}
        record = replace(record, cell=planned.cell)
        if there >= {metric.name for metric in self.plan.metrics}:
            return record
        record = self._measured(record, answers)
        self.folder.save(record, answers)
        return record

    def _computed(self, missing: list[Planned]) -> Iterator[Record]:
        usable = [planned for planned in missing if not planned.plugin.problem]
        for planned in missing:
            if planned.plugin.problem:
                record = self._record(planned.cell, Cost(), "skipped", planned.plugin.problem)
                yield self._end(record, None)
        by_name = {planned.cell.key: planned for planned in usable}
        with tempfile.TemporaryDirectory(prefix="cfbench-", ignore_cleanup_errors=True) as workspace:
            desk = _Desk(self.plan, by_name, self.observer)
            tasks = [self._task(planned, Path(workspace)) for planned in usable]
            with closing(self.executor(tasks, desk)) as outcomes:
                for outcome in outcomes:
                    yield self._conclude(by_name[outcome.task.name], outcome)
                    shutil.rmtree(output_of(outcome.task), ignore_errors=True)

    def _task(self, planned: Planned, workspace: Path) -> Task:
        cell = planned.cell
        log = self.folder.log_path(cell)
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
        )

    def _conclude(self, planned: Planned, outcome: Outcome) -> Record:
        record = self._record(planned.cell, outcome.cost, outcome.status, outcome.reason, outcome.versions)
        record = replace(record, losses=outcome.losses)
        if outcome.answers is not None:
            record = self._measured(record, outcome.answers)
        return self._end(record, outcome.answers)

    def _end(self, record: Record, answers: Answers | None) -> Record:
        self.folder.save(record, answers)
        self.computed.append(record)
        self.observer.finished(record)
        return record

    def _measured(self, record: Record, answers: Answers) -> Record:
        split = self.plan.splits.of(record.cell)
        clock = Clock()
        with clock.part("measure"):
            measured = measure(split, answers, self.plan.metrics)
            self.per_user[record.cell.key] = measured.per_user
            figures = with_intervals(measured, record.cell.resampling_seed)
        cost = replace(
            record.cost,
            seconds={**record.cost.seconds, **clock.wall},
            cpu_seconds={**record.cost.cpu_seconds, **clock.cpu},
        )
        return replace(
            record,
            metrics=figures,
            tables=measured.tables,
            not_applicable=measured.not_applicable,
            counts=_counts(split),
            fallback=split.train.mean,
            cost=cost,
        )

    def _record(
        self, cell: Cell, cost: Cost, status: str, reason: str, versions: Mapping[str, str] | None = None
    ) -> Record:
        provenance = {
            "cfbench": version("cfbench"),
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "cpus": str(os.cpu_count()),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **(versions or {}),
        }
        return Record(cell=cell, status=status, reason=reason, cost=cost, provenance=provenance)  # type: ignore[arg-type]

    def _per_user(self, record: Record) -> Mapping[str, PerUser]:
        """Return the per-user sums of a finished cell; a kept one is measured again from its raw answers."""
        if record.cell.key not in self.per_user:
            stored = self.folder.load(record.cell)
            if stored is None or stored[1] is None:
                raise StoreError(f"the answers of {record.cell} vanished from {self.folder.path} during the run")
            measured = measure(self.plan.splits.of(record.cell), stored[1], self.plan.metrics)
            self.per_user[record.cell.key] = measured.per_user
        return self.per_user[record.cell.key]

    def _consolidate(self, records: Mapping[str, Record]) -> list[Line]:
        ordered = [records[p.cell.key] for p in self.plan.cells if p.cell.key in records]
        lines: list[Line] = [*ordered, *summaries_and_comparisons(self.plan, ordered, self._per_user)]
        self.folder.write_lines(lines)
        return lines


@dataclass(frozen=True)
class _Desk:
    """Lays out a cell's questions when it is about to begin, so that a long plan fills no disk ahead of time."""

    plan: Plan
    planned: Mapping[str, Planned]
    observer: Observer

    def started(self, task: Task) -> None:
        """Write the split's questions if no cell before has, and make the folder for the answers."""
        questions = Path(task.questions)
        if not questions.exists():
            questions.mkdir()
            Questions.of(self.plan.splits.of(self.planned[task.name].cell)).write(questions)
        output_of(task).mkdir()
        self.observer.started(task)

    def epoch(self, task: Task, report: EpochReport) -> None:
        """Pass on what a model reports."""
        self.observer.epoch(task, report)


def _counts(split: Split) -> dict[str, int]:
    train, test = split.train, split.test
    return {
        "train_rows": len(train),
        "test_rows": len(test),
        "train_users": train.n_users,
        "train_items": train.n_items,
        "test_rows_of_unknown_users": int((test.users == train.n_users).sum()),
        "test_rows_of_unknown_items": int((test.items == train.n_items).sum()),
    }
