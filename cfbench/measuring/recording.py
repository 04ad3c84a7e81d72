"""From what came of a cell to its record: measured by every metric of the study, with provenance."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

from cfbench.answers import Answers
from cfbench.clock import Clock
from cfbench.executors.task import Outcome
from cfbench.measuring.drawing import Drawing
from cfbench.measuring.guards.answer_guards import answer_cautions
from cfbench.measuring.harness import measure
from cfbench.metrics.evaluation import Evaluation
from cfbench.planning.plan import Planned
from cfbench.planning.study import Study
from cfbench.records.record import Record


@dataclass
class Recorder:
    """Makes the records of one run.

    Attributes:
        study: says which metrics are measured, and knows the splits.
    """

    study: Study

    def __post_init__(self) -> None:
        self.drawing = Drawing(self.study)

    def skipped(self, planned: Planned) -> Record:
        """Record a cell whose plugin cannot be used here."""
        return Record(planned.cell, "skipped", planned.plugin.problem, provenance=_provenance({}))

    def concluded(self, planned: Planned, outcome: Outcome) -> Record:
        """Record what came of a cell that was run."""
        record = Record(
            cell=planned.cell,
            status=outcome.status,
            reason=outcome.reason,
            cost=outcome.cost,
            losses=outcome.losses,
            provenance=_provenance(outcome.versions),
            log_tail=outcome.log_tail,
        )
        return record if outcome.answers is None else self.measured(record, outcome.answers)

    def measured(self, record: Record, answers: Answers) -> Record:
        """Measure raw answers by exactly the study's metrics; earlier figures of the record are replaced."""
        split = self.study.splits.of(record.cell)
        clock = Clock()
        with clock.part("measure"):
            evaluation = Evaluation(split, answers, record.cost)
            measured = measure(evaluation, self.study.metrics)
            cautions = answer_cautions(evaluation, measured, self.study.metrics, record.cell.params)
        self.drawing.add(record.cell, split.people, measured.sums, set(measured.figures))
        cost = replace(
            record.cost,
            seconds={**record.cost.seconds, **clock.wall},
            cpu_seconds={**record.cost.cpu_seconds, **clock.cpu},
        )
        return replace(
            record,
            metrics=measured.figures,
            tables=measured.tables,
            not_applicable=measured.not_applicable,
            broken_metrics=measured.broken,
            fallback=split.train.mean,
            cautions=tuple(cautions),
            cost=cost,
        )


def _provenance(versions: Mapping[str, str]) -> dict[str, str]:
    return {
        "cfbench": version("cfbench"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **versions,
    }
